"""Build the outcome of each record: its events, or why there are none.

Rules, session start, sampling and the app monitor meet here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .._attributes import EVENT_TYPE, RESOURCE_APP_MONITOR_ID, SESSION_MINTED
from .._log import RateLimitedLog
from ..config import Config
from ..ledger import DropReason
from ..rum.batch import AppMonitor, BatchKey
from ..rum.event import EventDraft
from . import override
from .app_monitor import Resolution
from .application import Application, Session
from .event_builder import EventBuilder
from .events.session_start import SESSION_START_EVENT
from .identity import Identity
from .mapper import Mapped
from .missing_session import log_missing_session
from .outcome import Drop, Outcome, OutcomeMembers, kind_of, too_large, too_large_of
from .record_view import SERVER, Resource, View
from .sampling import SENT, Sampling, is_error

MAX_KEYS = 10_000
REPEATED_START = "its session was started before"


class OutcomeBuilder:
    """Build outcomes. Not thread-safe: its owner holds a lock.

    `resolve` returns the app monitor of a resource. `session_uuid` returns the UUID that a session has in RUM.
    """

    def __init__(
        self,
        config: Config,
        sampling: Sampling,
        *,
        resolve: Callable[[Resource], Resolution | None],
        session_uuid: Callable[[str], str],
        log: RateLimitedLog,
    ) -> None:
        self._session_start = config.session_start
        self._sampling = sampling
        self._resolve = resolve
        self._log = log
        self._keys: dict[tuple[AppMonitor, str, str], BatchKey] = {}
        self.event_builder = EventBuilder(config, session_uuid)

    def session(self, application: Application, identity: Identity, resource: Resource) -> Session:
        """Return what records with the same identity and resource share."""
        resolution = self._resolve(resource)
        if resolution is None:
            # Each of its records is mapped, and dropped for this reason, not left out by sampling.
            return Session(application, identity, resource, None, None, "", SENT)
        key = self.key_of(resolution, identity)
        metadata = self.event_builder.shared_metadata(identity) if identity.metadata else "{}"
        return Session(application, identity, resource, resolution, key, metadata, application.sampler.decide(identity))

    def not_sampled(self, session: Session, view: View, now_ns: int, before: Mapped | None = None) -> OutcomeMembers:
        """Return the outcome of a record of a session that is left out, perhaps except for its errors."""
        if session.decision.keeps_errors:
            return self._sampling.errors_of(self.mapped(session, view, now_ns, before), session.decision)
        return self._sampling.without(view, session.identity, session.decision)

    def mapped(self, session: Session, view: View, now_ns: int, before: Mapped | None = None) -> OutcomeMembers:
        """Return the outcome of a record; a session with rate 0 sends only its errors.

        `before` has the event drafts of a record that was pending.
        """
        application, identity, rate = session.application, session.identity, session.decision.rate
        if session.resolution is None:
            fix = f"set OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID, or the resource attribute {RESOURCE_APP_MONITOR_ID}"
            return Outcome(view, identity, drops=[Drop(DropReason.NO_APP_MONITOR, kind_of(view), fix)])
        if EVENT_TYPE in view.attributes:
            override.log_problem(self._log, view)
        mapped = application.mapper.map(view) if before is None else application.mapper.map_again(view, before)
        if identity.is_minted and view.kind is SERVER:
            log_missing_session(self._log, view)
        if not session.is_started:
            session.is_started = application.is_started(identity.session_id)
        rule, drafts, left_out = mapped
        if not (rate and session.is_started) or (drafts and drafts[0][0] == SESSION_START_EVENT):
            return self._at_start(session, view, now_ns, mapped)
        if not drafts:
            return (view, identity, rule, None, (), left_out, ())
        built = self.event_builder.events(view, drafts, session, now_ns)
        if all(built):
            return (view, identity, rule, session.key, built, None, ())  # type: ignore[return-value] # there is no None
        events = [event for event in built if event]
        return (view, identity, rule, session.key, events, None, too_large_of(view, built))

    def _at_start(self, session: Session, view: View, now_ns: int, mapped: Mapped) -> OutcomeMembers:
        """Return the outcome of a record that may start its session, or whose session sends only its errors."""
        application, identity, rate = session.application, session.identity, session.decision.rate
        rule, drafts, left_out = mapped
        starts_itself = bool(drafts) and drafts[0][0] == SESSION_START_EVENT
        if session.is_started and starts_itself:
            drafts, left_out = drafts[1:], REPEATED_START
        if not (rate or any(map(is_error, drafts))):
            drafts = []
        is_start = not (session.is_started or starts_itself) and rate > 0 and self._can_start(view, identity, drafts)
        if not (drafts or is_start):
            return Outcome(view, identity, rule, left_out=left_out)
        events = self.event_builder.events(view, drafts, session, now_ns)
        if not rate:
            events = [event for draft, event in zip(drafts, events, strict=True) if is_error(draft)]
        drops = too_large_of(view, events) if None in events else ()
        if not session.is_started and (is_start or starts_itself):
            application.start(identity.session_id)
            if is_start:
                events = [self.event_builder.session_start(view, session, now_ns), *events]
                drops = drops if events[0] else [*drops, too_large("")]
        built = [event for event in events if event]
        return (view, identity, rule, session.key, built, None if drafts else left_out, drops)

    def key_of(self, resolution: Resolution, identity: Identity) -> BatchKey:
        """Return what groups events: the same object for the same app monitor, session and user."""
        key = resolution.monitor, identity.session_id, identity.user_id
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= MAX_KEYS:
                self._keys.clear()
            known = self._keys[key] = BatchKey(*key)
        return known

    def _can_start(self, view: View, identity: Identity, drafts: Sequence[EventDraft]) -> bool:
        """Return whether a record can start its session in RUM: no other program does, and there is something to send.

        A session that this process set on a span is started in any case: the next requests with its cookie may be
        served by other processes, which do not start it.
        """
        if self._session_start == "never" or identity.is_joined:
            return False
        if identity.is_minted:
            return bool(drafts) or view.attributes.get(SESSION_MINTED) is True
        return bool(drafts) and self._session_start == "auto"
