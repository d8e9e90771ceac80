"""`LocalRum`: a local RUM data plane that can be started, inspected and stopped.

`listener` serves, `put_events` and `control_plane` answer, `store` keeps the records, `console` shows them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from .app_monitor import AppMonitor, AppMonitors
from .archive import Archive
from .authentication import Authenticator
from .body import DEFAULT_MAX_BYTES
from .console import Console
from .control_plane import ControlPlane
from .fault import Fault, Faults
from .host import ANY_ADDRESS, is_loopback
from .listener import Listener
from .logs import Logs
from .put_events import DataPlane
from .quota import Quota
from .record import Batch, Decision, Dropped, Events, Exchange, RefusedRequest, Removed
from .sigv4 import Credentials
from .store import DEFAULT_MAX_EVENTS, Store

_logger = logging.getLogger(__name__)


class LocalRum:
    """A RUM data plane on this computer, served by a thread of this process. Thread-safe.

    ```python
    with LocalRum() as rum:
        ...  # send to rum.url
        errors = rum.wait_for("js_error_event")
    ```

    Args:
        host: Address to listen on.
        port: Port to listen on. 0: any free port.
        max_events: Number of events to keep; the oldest are removed first.
        max_body_bytes: Limit of a request body, both compressed and decompressed.
        max_requests_per_second: The quota; requests above it are throttled. None: no limit.
        credentials: Requests must be signed with these. None: any signature passes, and so does no signature.
        app_monitors: The app monitors. One without an id is the template for app monitors that their first request
            creates. Empty: a default template.
        data: File that stores the received requests; `start` loads it. None: memory only.
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
        self._data_plane = DataPlane(
            self._store, self._monitors, authenticator, self._faults, self._quota, max_body_bytes
        )
        control_plane = ControlPlane(self._store, self._monitors, authenticator, max_body_bytes)
        console = Console(self._store, host, self._monitors.names)
        logs = Logs(self._store, self._monitors, authenticator, max_body_bytes)
        self._application = _application(self._data_plane, control_plane, logs, console)
        self._listener: Listener | None = None

    def __enter__(self) -> LocalRum:  # noqa: PYI034 - typing.Self begins with Python 3.11
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bind the port and serve requests.

        Raises OSError when the port is in use, ArchiveError when the data file cannot be used. Logs a warning when
        other computers can reach the server.
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
                _logger.warning(
                    "the local RUM listens on %s: any computer that can reach this address can send events and read "
                    "the console. To fix: listen on 127.0.0.1",
                    self._host,
                )

    def stop(self) -> None:
        """Close the socket and end the thread. Received records stay readable."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        self._store.close()

    @property
    def url(self) -> str:
        """The endpoint to send to, without a final slash; the loopback address when bound to all addresses."""
        if self._listener is None:
            raise RuntimeError(
                "LocalRum has no url: it is not running. To fix: call start(), or use it inside its `with` block"
            )
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
        """The events of accepted requests, oldest first; `rum.events("http_event")` filters by type."""
        return self._store.events

    @property
    def refused(self) -> tuple[RefusedRequest, ...]:
        """The refused requests, oldest first."""
        return self._store.refused

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """The events that RUM would drop without an error, oldest first."""
        return self._store.dropped

    @property
    def removed(self) -> tuple[Removed, ...]:
        """The custom attributes that RUM would remove without an error, oldest first."""
        return self._store.removed

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The result of each received event, oldest first: accepted, refused or dropped, with the reason."""
        return self._store.decisions

    @property
    def app_monitors(self) -> tuple[AppMonitor, ...]:
        """The app monitors: first the configured ones, then those that their first request created."""
        return tuple(self._monitors)

    @property
    def requests(self) -> tuple[Exchange, ...]:
        """All data plane requests, oldest first: accepted, refused, or answered by a fault."""
        return self._store.requests

    @property
    def event_counts(self) -> dict[str, int]:
        """How often each event id was received in accepted requests, dropped events included; the last million ids."""
        return self._store.event_counts

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are set and not used up. Assign a list to replace them.

        The first fault in the list whose probability allows it applies to a PutRumEvents request. A request is not
        validated when its fault has a status or content.
        """
        return tuple(self._faults)

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._faults.set(faults)

    @property
    def max_requests_per_second(self) -> float | None:
        """The quota; requests above it get a ThrottlingException. None: no limit."""
        return self._quota.requests_per_second

    @max_requests_per_second.setter
    def max_requests_per_second(self, requests: float | None) -> None:
        self._quota.requests_per_second = requests

    @property
    def delay_seconds(self) -> float:
        """Delay of each answer without a fault. The events of the request are stored before the delay."""
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
        """Answer the next `times` requests with this status and do not keep their events. Short for adding a `Fault`.

        Such a request appears in `requests` only. `error_type` None: RUM's error type for the status.
        """
        self._faults.add(
            Fault(status=status, error_type=error_type, message=message, retry_after=retry_after_seconds, times=times)
        )

    @property
    def summary(self) -> str:
        """Text with the number of accepted events by type, and the reasons of refused requests and dropped events."""
        return self._store.summary

    def wait_for(
        self,
        event_type: str | None = None,
        count: int = 1,
        timeout: float = 10.0,
        *,
        timeout_seconds: float | None = None,
    ) -> Events:
        """Block until `count` events of this type (None: of any type) are accepted; return all of that type.

        `timeout` is in seconds. `timeout_seconds` is its former name.

        Raises TimeoutError with the `summary` of what was received.
        """
        return self._store.wait_for(event_type, count, timeout if timeout_seconds is None else timeout_seconds)

    def clear(self) -> None:
        """Delete all received records, faults and the delay."""
        self._store.clear()
        self._faults.set(())
        self._data_plane.delay_seconds = 0.0


def _application(data_plane: DataPlane, control_plane: ControlPlane, logs: Logs, console: Console) -> Starlette:
    async def unknown(request: Request, error: Exception) -> Response:
        return await console.not_found(request) or await data_plane.unknown_operation(request, error)

    application = Starlette(
        routes=[*data_plane.routes, *control_plane.routes, *logs.routes, *console.routes],
        exception_handlers={404: unknown, 405: unknown},
    )
    application.router.redirect_slashes = False
    return application
