"""`LocalRum`: the stand-in as one object that can be started, looked at and stopped.

It owns the socket, the thread and the web server. What requests mean and how they are shown is the business of
`dataplane` and `console`.
"""

from __future__ import annotations

import logging
import socket
import threading

import uvicorn
from starlette.applications import Starlette

from .answer import Answer, AnswerPlan
from .body import DEFAULT_MAX_BYTES
from .console import Console
from .dataplane import DataPlane
from .host import ANY_ADDRESS
from .record import Batch, Dropped, Events, Exchange, Refusal, Removed
from .store import DEFAULT_MAX_EVENTS, Store

_LOGGERS = ("uvicorn.error", "uvicorn.access")


class LocalRum:
    """A RUM data plane on this computer, served by a thread of this process; thread-safe.

    ```python
    with LocalRum() as rum:
        ...  # send to rum.url
        errors = rum.wait_for("js_error_event")
    ```

    Port 0 takes a free one. The last `max_events` events are kept; a body may have `max_body_bytes`, compressed or not.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_events: int = DEFAULT_MAX_EVENTS,
        max_body_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self._host = host
        self._port = port
        self._store = Store(max_events=max_events)
        self._plan = AnswerPlan()
        self._application = _application(self._store, self._plan, host, max_body_bytes)
        self._running: _Running | None = None

    def __enter__(self) -> LocalRum:  # noqa: PYI034 - typing.Self begins with Python 3.11
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bind and serve; requests are taken from the moment this returns. Raises OSError when the port is taken."""
        if self._running is None:
            self._running = _Running(self._application, self._host, self._port)

    def stop(self) -> None:
        """Close the socket and end the thread; what was received stays readable."""
        if self._running is not None:
            self._running.stop()
            self._running = None

    @property
    def url(self) -> str:
        """Where to send, without a slash at the end; a server bound to every address is given by its loopback one."""
        if self._running is None:
            raise RuntimeError("LocalRum has no url before start() or outside its `with` block")
        ipv6 = ":" in self._host
        loopback = "::1" if ipv6 else "127.0.0.1"
        host = loopback if self._host in ANY_ADDRESS else self._host
        return f"http://{f'[{host}]' if ipv6 else host}:{self._running.port}"

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The accepted requests, oldest first."""
        return self._store.batches

    @property
    def events(self) -> Events:
        """The events of accepted requests, oldest first; `rum.events("http_event")` has those of one type."""
        return self._store.events

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The requests that broke the contract, oldest first."""
        return self._store.refused

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """The events that RUM would drop without telling, oldest first."""
        return self._store.dropped

    @property
    def removed(self) -> tuple[Removed, ...]:
        """The custom attributes that RUM would remove without telling, oldest first."""
        return self._store.removed

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """Every data plane request, oldest first: accepted, refused, or answered as planned."""
        return self._store.requests

    @property
    def delay_seconds(self) -> float:
        """How long every answer is held back. What a request carried is kept at once."""
        return self._plan.delay_seconds

    @delay_seconds.setter
    def delay_seconds(self, seconds: float) -> None:
        self._plan.delay_seconds = seconds

    def answer(
        self,
        status: int,
        *,
        error_type: str | None = None,
        retry_after_seconds: int | None = None,
        times: int = 1,
        message: str | None = None,
    ) -> None:
        """Give this answer to the next `times` requests that would be accepted, in place of accepting them.

        Such a request appears in `requests` only. Without `error_type` it is the one RUM has for the status.
        """
        self._plan.add(Answer(status, error_type, message, retry_after_seconds), times)

    def wait_for(self, event_type: str | None = None, count: int = 1, timeout_seconds: float = 10.0) -> Events:
        """Block until `count` events of this type (None: of any) are here, and return all of them.

        Raises TimeoutError, whose message tells what did arrive, was dropped and was refused.
        """
        return self._store.wait_for(event_type, count, timeout_seconds)

    def clear(self) -> None:
        """Forget what was received, the planned answers and the delay."""
        self._store.clear()
        self._plan.clear()


class _Running:
    """One bound socket and the thread that serves it."""

    def __init__(self, application: Starlette, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Listening already, so that a client may connect before the thread is up.
        self._listener = socket.create_server((host, port), family=family)
        self.port: int = self._listener.getsockname()[1]
        config = uvicorn.Config(
            application,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listener],), name=f"otel-rum-local-{self.port}", daemon=True
        )
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._is_loud)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._is_loud)

    def _is_loud(self, record: logging.LogRecord) -> bool:
        # uvicorn's loggers belong to the whole process, so only what this thread says is kept quiet.
        return record.thread != self._thread.ident or record.levelno >= logging.ERROR


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # An upload or a delayed answer would hold up the end; without its connection it is over.
        for connection in self.server_state.connections:
            connection.transport.abort()
        await super().shutdown(sockets)


def _application(store: Store, plan: AnswerPlan, host: str, max_body_bytes: int) -> Starlette:
    data_plane = DataPlane(store, plan, max_body_bytes)
    unknown = data_plane.unknown_operation
    application = Starlette(
        routes=[*data_plane.routes, *Console(store, host).routes],
        exception_handlers={404: unknown, 405: unknown},
    )
    application.router.redirect_slashes = False
    return application
