"""All that the mapping remembers of one application, so that no application's records reach another's.

An application is what sends to one app monitor.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..config import Config
from ..rum.batch import BatchKey
from .app_monitor import Resolution
from .caches import BoundedDict, Caches
from .identity import Identities, Identity
from .identity_attributes import IdentityReader
from .mapper import Mapper
from .record_view import Resource
from .sampling import Decision, Sampling, SessionSampler

MAX_APPLICATIONS = 256
"""Applications that are remembered at once."""

MAX_SESSIONS = 10_000
"""Started sessions to remember, so that each is started once."""


class Application:
    """The memory of one application. A cache that is kept elsewhere would be shared with other applications."""

    def __init__(
        self,
        config: Config,
        reader: IdentityReader,
        new_id: Callable[[], str],
        sampling: Sampling,
        key: str | None,
        caches: Caches,
    ) -> None:
        self.caches = caches
        self.sampler = SessionSampler(sampling, caches, key or "")
        self.identities = Identities(reader, caches, new_id=new_id)
        self.mapper = Mapper(config, caches)
        self._started_sessions: BoundedDict[str, None] = caches.bounded("started sessions", MAX_SESSIONS)

    def is_started(self, session_id: str) -> bool:
        """Return whether a session was started in RUM, and remember it for longer."""
        started = self._started_sessions
        if session_id not in started:
            return False
        del started[session_id]
        started[session_id] = None  # the newest now
        return True

    def start(self, session_id: str) -> None:
        """Record that a session is started in RUM."""
        self._started_sessions[session_id] = None
        self._started_sessions.trim()


@dataclass(slots=True)
class Session:
    """The state that the records of one identity and resource share, decided once for all records of a call.

    Without a `resolution` there is no app monitor, and no key. `metadata` is that of the trace, as JSON text.
    """

    application: Application
    identity: Identity
    resource: Resource
    resolution: Resolution | None
    key: BatchKey | None
    metadata: str
    decision: Decision
    is_started: bool = False


class Applications:
    """The applications by their key. The bounds of their caches hold for all together. Not thread-safe."""

    def __init__(self, make: Callable[[str | None, Caches], Application]) -> None:
        self._make = make
        self._caches = Caches()
        self._applications: OrderedDict[str | None, Application] = OrderedDict()

    def __iter__(self) -> Iterator[Application]:
        return iter(tuple(self._applications.values()))

    def of(self, key: str | None) -> Application:
        """Return an application; a new one at its first use."""
        application = self._applications.get(key)
        if application is None:
            application = self._applications[key] = self._make(key, Caches(self._caches))
        self._applications.move_to_end(key)
        return application

    def remove_oldest(self) -> Application | None:
        """Remove and return the application that was used the longest ago; None if there are not too many.

        The caller closes its identities, and then its caches.
        """
        if len(self._applications) <= MAX_APPLICATIONS:
            return None
        return self._applications.popitem(last=False)[1]
