"""`LocalRum`: the stand-in as one object that can be started, looked at and stopped.

It puts the parts together: `listener` serves, `dataplane` and `control` answer, `store` keeps, `console` shows.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from starlette.applications import Starlette

from .app_monitor import AppMonitor, AppMonitors
from .archive import Archive
from .authentication import Authenticator
from .body import DEFAULT_MAX_BYTES
from .console import Console
from .control_plane import ControlPlane
from .fault import Fault, Faults
from .host import ANY_ADDRESS, is_loopback
from .listener import Listener
from .put_events import DataPlane
from .quota import Quota
from .record import Batch, Dropped, Events, Exchange, RefusedRequest, Removed, Decision
from .sigv4 import Credentials
from .store import DEFAULT_MAX_EVENTS, Store

_logger = logging.getLogger(__name__)


class LocalRum:
    """A RUM data plane on this computer, served by a thread of this process; thread-safe.

    ```python
    with LocalRum() as rum:
        ...  # send to rum.url
        errors = rum.wait_for("js_error_event")
    ```

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        max_events: So many events are kept, the latest.
        max_body_bytes: Most bytes of a request body, compressed and plain.
        max_requests_per_second: The quota, above which requests are throttled; None sets no limit.
        credentials: With them, a request must be signed as AWS checks it; None lets any signature pass, and none.
        app_monitors: The app monitors that exist. One without an id tells how those are configured that their first
            request creates; when there is none at all, any can be created.
        data: File that keeps what is received, and that a start begins with; None: memory only.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_events: int = DEFAULT_MAX_EVENTS,
        max_body_bytes: int = DEFAULT_MAX_BYTES,
        max_requests_per_second: float | None = None,
        credentials: Credentials | None = None,
        app_monitors: Iterable[AppMonitor] = (),
        data: str | Path | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._store = Store(max_events=max_events, archive=Archive(Path(data), max_events) if data else None)
        self._monitors = AppMonitors(app_monitors)
        self._faults = Faults()
        self._quota = Quota(max_requests_per_second)
        authenticator = Authenticator(credentials, host)
        self._data_plane = DataPlane(self._store, self._monitors, authenticator, self._faults, self._quota, max_body_bytes)
        control_plane = ControlPlane(self._store, self._monitors, authenticator, max_body_bytes)
        self._application = _application(self._data_plane, control_plane, Console(self._store, host))
        self._listener: Listener | None = None

    def __enter__(self) -> LocalRum:  # noqa: PYI034 - typing.Self begins with Python 3.11
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bind and serve; requests are taken from the moment this returns.

        Raises OSError when the port is taken, ArchiveError when the file cannot be used. Logs a warning when other
        computers can reach it.
        """
        if self._listener is None:
            self._store.open()
            for batch in self._store.batches:
                self._monitors.use(batch.app_monitor_id, batch.app_monitor.get("name"))
            try:
                self._listener = Listener(self._application, self._host, self._port)
            except OSError:
                self._store.close()
                raise
            if not is_loopback(self._host):
                _logger.warning("whoever can reach %s can send to this server and read its page", self._host)

    def stop(self) -> None:
        """Close the socket and end the thread; what was received stays readable."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        self._store.close()

    @property
    def url(self) -> str:
        """Where to send, without a slash at the end; a server bound to every address is given by its loopback one."""
        if self._listener is None:
            raise RuntimeError("LocalRum has no url before start() or outside its `with` block")
        ipv6 = ":" in self._host
        loopback = "::1" if ipv6 else "127.0.0.1"
        host = loopback if self._host in ANY_ADDRESS else self._host
        return f"http://{f'[{host}]' if ipv6 else host}:{self._listener.port}"

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The accepted requests, oldest first."""
        return self._store.batches

    @property
    def events(self) -> Events:
        """The events of accepted requests, oldest first; `rum.events("http_event")` has those of one type."""
        return self._store.events

    @property
    def refused(self) -> tuple[RefusedRequest, ...]:
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
    def decisions(self) -> tuple[Decision, ...]:
        """What became of each event, oldest first: accepted, refused with its request, or dropped silently; and why."""
        return self._store.decisions

    @property
    def app_monitors(self) -> tuple[AppMonitor, ...]:
        """The app monitors that exist, those created by their first request last."""
        return tuple(self._monitors)

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """Every data plane request, oldest first: accepted, refused, or struck by a fault."""
        return self._store.requests

    @property
    def event_counts(self) -> dict[str, int]:
        """How often each event was taken, by its id, also of those that RUM would drop; the last million ids."""
        return self._store.event_counts

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are set, without those used up; set a list to change what goes wrong from now on.

        A request is struck by the first fault of the list that has times left and whose probability says so. Faults
        strike PutRumEvents only; whether valid or not, the request is not looked at when the fault has an answer.
        """
        return tuple(self._faults)

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._faults.set(faults)

    @property
    def max_requests_per_second(self) -> float | None:
        """The quota, above which requests are answered by a ThrottlingException; None sets no limit."""
        return self._quota.requests_per_second

    @max_requests_per_second.setter
    def max_requests_per_second(self, requests: float | None) -> None:
        self._quota.requests_per_second = requests

    @property
    def delay_seconds(self) -> float:
        """How long every answer is held back where no fault strikes. What a request carried is kept at once."""
        return self._data_plane.delay_seconds

    @delay_seconds.setter
    def delay_seconds(self, seconds: float) -> None:
        self._data_plane.delay_seconds = seconds

    def answer(
        self,
        status: int,
        *,
        error_type: str | None = None,
        retry_after_seconds: int | None = None,
        times: int = 1,
        message: str | None = None,
    ) -> None:
        """Give this answer to the next `times` requests in place of keeping them: a `Fault`, in short.

        Such a request appears in `requests` only. Without `error_type` it is the one RUM has for the status.
        """
        self._faults.add(
            Fault(status=status, error_type=error_type, message=message, retry_after=retry_after_seconds, times=times)
        )

    @property
    def summary(self) -> str:
        """What arrived, by type, and what was refused and dropped, and why."""
        return self._store.summary

    def wait_for(self, event_type: str | None = None, count: int = 1, timeout_seconds: float = 10.0) -> Events:
        """Block until `count` events of this type (None: of any) are here, and return all of them.

        Raises TimeoutError, whose message tells what did arrive, was dropped and was refused.
        """
        return self._store.wait_for(event_type, count, timeout_seconds)

    def clear(self) -> None:
        """Forget what was received, the faults and the delay."""
        self._store.clear()
        self._faults.set(())
        self._data_plane.delay_seconds = 0.0


def _application(data_plane: DataPlane, control_plane: ControlPlane, console: Console) -> Starlette:
    unknown = data_plane.unknown_operation
    application = Starlette(
        routes=[*data_plane.routes, *control_plane.routes, *console.routes],
        exception_handlers={404: unknown, 405: unknown},
    )
    application.router.redirect_slashes = False
    return application
