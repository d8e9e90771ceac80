"""Spans and log records to RUM events: one outcome for each record.

A record that cannot be read or mapped is dropped alone, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from .._attributes import EVENT_TYPE, RESOURCE_APP_MONITOR_ID, SESSION_MINTED
from .._log import RateLimitedLog
from .._receipt import Receipt
from ..config import Config
from ..ledger import DropReason, Ledger, Record, Tally
from ..rum.batch import AppMonitor, BatchKey, Events
from ..rum.event import EventDraft, RumEvent
from . import metadata, override
from .app_monitor import AppMonitorResolver, Resolution
from .application import Application, Applications, Session
from .event_builder import EventBuilder
from .events import web_vital
from .events.session_start import SESSION_START_EVENT
from .guarded_page_views import with_guarded_page_views
from .identity import Identity, Moment
from .identity_attributes import IdentityReader
from .log_view import LogRecord, LogView
from .mapper import Mapped
from .missing_session import log_missing_session
from .outcome import Converted, Drop, Outcome, kind_of, too_large, too_large_of, unmappable
from .record_view import SERVER, Resource, View
from .redaction import Redactor
from .sampling import SENT, Sampling, is_error
from .span_view import Span, SpanView

V = TypeVar("V", bound=View)
Read = Sequence[tuple[View, Mapping[str, Any]]]

MAX_KEYS = 10_000
REPEATED_START = "its session was started before"


class Converter:
    """Convert telemetry to events. Not thread-safe: its owner calls it under a lock.

    With `is_durable`, pending spans have provisional events, for a store that survives the process. `new_id` returns
    a new session id.
    """

    def __init__(
        self,
        config: Config,
        *,
        new_id: Callable[[], str],
        ledger: Ledger,
        log: RateLimitedLog,
        is_durable: bool = False,
    ) -> None:
        self._config = config
        self._redactor = Redactor.of(config.redaction)
        self._is_durable = is_durable
        self._is_closed = False
        self._provisional: dict[int, Mapped] = {}
        self._keys: dict[tuple[AppMonitor, str, str], BatchKey] = {}
        self._ledger = ledger
        self._log = log
        hash_key = (config.id_hash_key or config.app_monitor_id or "otel-rum-exporter").encode()
        reader = IdentityReader(hash_key=hash_key, has_enduser_id=config.enduser_id)
        guarded = with_guarded_page_views(config, log)
        self.sampling = Sampling(config)
        self._applications = Applications(partial(Application, guarded, reader, new_id, self.sampling))
        self._app_monitors = AppMonitorResolver(config)
        self._builder = EventBuilder(config, partial(reader.uuid, "session"))

    def spans(self, spans: Iterable[Span], now: Moment, receipt: Receipt | None = None) -> Converted:
        """Convert finished spans, and the pending spans below them."""
        read, failed = self._read(SpanView.of, spans, "span", receipt)
        return self._finish(now, read, failed)

    def log_records(self, records: Iterable[LogRecord], now: Moment, receipt: Receipt | None = None) -> Converted:
        """Convert log records that need not wait for their span."""
        read, failed = self._read(LogView.of, records, "log", receipt)
        for group in self._by_application(read).values():
            web_vital.supersede(view for view, _ in group if isinstance(view, LogView))
        return self._finish(now, read, failed)

    def expire(self, now: Moment) -> Converted:
        """Convert the spans that have been pending for too long."""
        return self._finish(now)

    def resolve(self, now: Moment) -> Converted:
        """Convert all pending spans; later ones may be pending again."""
        was_closed, self._is_closed = self._is_closed, True
        try:
            return self._finish(now)
        finally:
            self._is_closed = was_closed

    def close(self, now: Moment) -> Converted:
        """Convert all pending spans; from now on none stays pending."""
        self._is_closed = True
        return self._finish(now)

    def next_expiry_seconds(self, now: Moment) -> float | None:
        """Return the time until `expire` has something to convert; None if nothing is pending."""
        found = (application.identities.next_expiry_seconds(now) for application in self._applications)
        return min((seconds for seconds in found if seconds is not None), default=None)

    def _read(
        self,
        view_of: Callable[[Any, Redactor, Receipt | None], V],
        records: Iterable[Any],
        kind: Record,
        receipt: Receipt | None,
    ) -> tuple[list[tuple[V, dict[str, Any]]], list[Outcome]]:
        """Return the views of records with their page metadata, and the outcomes of those that cannot be read."""
        read: list[tuple[V, dict[str, Any]]] = []
        failed: list[Outcome] = []
        for record in records:
            try:
                view = view_of(record, self._redactor, receipt)
                read.append((view, metadata.of_trace(view)))
                if receipt is not None:
                    receipt.hold()
                if view.has_other_clock:
                    self._log_other_clock(view)
            except Exception as error:  # noqa: BLE001 - one bad record must not cost another
                failed.append(Outcome(None, drops=[unmappable(getattr(record, "name", ""), error, kind)]))
        for resource in {id(view.resource): view.resource for view, _ in read if view.kind is SERVER}.values():
            self._app_monitors.add_server(resource)
        return read, failed

    def _by_application(self, read: Read) -> Mapping[str | None, Read]:
        """Return the views with their page metadata by the key of their application."""
        groups: dict[str | None, list[tuple[View, Mapping[str, Any]]]] = {}
        resource, group = None, []
        for pair in read:
            if pair[0].resource is not resource:
                resource = pair[0].resource
                group = groups.setdefault(self._key(resource), [])
            group.append(pair)
        return groups

    def _key(self, resource: Resource) -> str | None:
        """Return the key of the application that a resource belongs to: the id of its app monitor."""
        resolution = self._app_monitors.of(resource)
        return resolution.monitor.id if resolution else None

    def _finish(self, now: Moment, read: Read = (), failed: Sequence[Outcome] = ()) -> Converted:
        """Convert the records whose identity is final, count their outcomes, and make events of what is pending."""
        assigned = [(self._applications.of(key), group) for key, group in self._by_application(read).items()]
        resolved = [(application, application.identities.assign(group, now)) for application, group in assigned]
        while (oldest := self._applications.remove_oldest()) is not None:
            resolved.append((oldest, oldest.identities.close(now)))
            oldest.caches.close()
        for application in self._applications:
            if application.identities.pending:
                identities = application.identities
                resolved.append((application, identities.close(now) if self._is_closed else identities.expire(now)))
        outcomes = [*failed]
        for application, pairs in resolved:
            sessions: dict[int, Session] = {}
            for view, identity in pairs:
                try:
                    session = sessions.get(id(identity))
                    if session is None or session.resource is not view.resource:
                        session = sessions[id(identity)] = self._session(application, identity, view.resource)
                    convert = self._mapped if session.decision.rate else self._not_sampled
                    outcomes.append(convert(session, view, now.epoch_ns))
                except Exception as error:  # noqa: BLE001 - one bad record must not cost another
                    outcomes.append(Outcome(view, drops=[unmappable(view.name, error, kind_of(view))]))
        self._ledger.pending = sum(application.identities.pending for application in self._applications)
        self._count(outcomes)
        if not self._is_durable:
            return Converted(outcomes)
        final = {id(view) for _, pairs in resolved for view, _ in pairs}
        handles = [handle for handle in final if self._provisional.pop(handle, None) is not None]
        provisional = {}
        for application, group in assigned:
            provisional.update(self._provisional_events(application, final, group, now))
        return Converted(outcomes, provisional, handles)

    def _session(self, application: Application, identity: Identity, resource: Resource) -> Session:
        resolution = self._app_monitors.of(resource)
        if resolution is None:
            # Each of its records is mapped, and dropped for this reason, not left out by sampling.
            return Session(application, identity, resource, None, None, SENT)
        key = self._key_of(resolution, identity)
        return Session(application, identity, resource, resolution, key, application.sampler.decide(identity))

    def _not_sampled(self, session: Session, view: View, now_ns: int) -> Outcome:
        """Return the outcome of a record of a session that is left out, perhaps except for its errors."""
        if session.decision.keeps_errors:
            return self.sampling.errors_of(self._mapped(session, view, now_ns), session.decision)
        return self.sampling.without(view, session.identity, session.decision)

    def _mapped(self, session: Session, view: View, now_ns: int) -> Outcome:
        """Return the outcome of a record; a session with rate 0 sends only its errors."""
        application, identity, rate = session.application, session.identity, session.decision.rate
        resolution = session.resolution
        if resolution is None:
            fix = f"set OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID, or the resource attribute {RESOURCE_APP_MONITOR_ID}"
            return Outcome(view, identity, drops=[Drop(DropReason.NO_APP_MONITOR, kind_of(view), fix)])
        if EVENT_TYPE in view.attributes:
            override.log_problem(self._log, view)
        before = self._provisional.get(id(view)) if self._provisional else None
        mapped = application.mapper.map(view) if before is None else application.mapper.map_again(view, before)
        rule, drafts, left_out = mapped
        is_started = session.is_started = session.is_started or application.is_started(identity.session_id)
        starts_itself = bool(drafts) and drafts[0].type == SESSION_START_EVENT
        if is_started and starts_itself:
            drafts, left_out = drafts[1:], REPEATED_START
        if identity.is_minted and view.kind is SERVER:
            log_missing_session(self._log, view)
        if not (rate or any(map(is_error, drafts))):
            drafts = []
        is_start = not (is_started or starts_itself) and rate > 0 and self._can_start(view, identity, drafts)
        if not (drafts or is_start):
            return Outcome(view, identity, rule, left_out=left_out)
        events = self._builder.events(view, drafts, identity, resolution, now_ns, rate)
        if not rate:
            events = [event for draft, event in zip(drafts, events, strict=True) if is_error(draft)]
        drops = too_large_of(view, events) if None in events else ()
        if not is_started and (is_start or starts_itself):
            application.start(identity.session_id)
            if is_start:
                events = [self._builder.session_start(view, identity, resolution, now_ns, rate), *events]
                drops = drops if events[0] else [*drops, too_large("")]
        built: list[RumEvent] = [event for event in events if event] if drops else events  # type: ignore[assignment]
        return Outcome(view, identity, rule, session.key, built, None if drafts else left_out, drops)

    def _key_of(self, resolution: Resolution, identity: Identity) -> BatchKey:
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
        if self._config.session_start == "never" or identity.is_joined:
            return False
        if identity.is_minted:
            return bool(drafts) or view.attributes.get(SESSION_MINTED) is True
        return bool(drafts) and self._config.session_start == "auto"

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes in the ledger, and log losses."""
        self._ledger.accept(Tally.of([event.record for outcome in outcomes for event in outcome.events]))
        for outcome in outcomes:
            if outcome.left_out and outcome.view:
                self._ledger.filter(kind_of(outcome.view))
            for drop in outcome.drops:
                tally = Tally.of([drop.record])
                self._ledger.accept(tally)
                self._ledger.drop(drop.reason, [tally])
                if drop.fix:
                    self._log.add_loss(drop.reason, 1, drop.fix)

    def _provisional_events(
        self, application: Application, final: set[int], read: Read, now: Moment
    ) -> dict[int, Events]:
        """Return the provisional events of what was read and is pending now, by handle."""
        provisional: dict[int, Events] = {}
        for view, page in read:
            if id(view) in final:
                continue
            try:
                resolution = self._app_monitors.of(view.resource)
                identity = application.identities.provisional(view, page, now)
                if resolution is None or not (rate := application.sampler.decide(identity).rate):
                    continue
                # Mapped once, because the mapper remembers what it has mapped.
                self._provisional[id(view)] = application.mapper.without_errors(view)
                _, drafts, _ = application.mapper.with_errors(view, self._provisional[id(view)], is_provisional=True)
                events = self._builder.events(view, drafts, identity, resolution, now.epoch_ns, rate)
                key = self._key_of(resolution, identity)
                provisional[id(view)] = {key: [event for event in events if event]}
            except Exception:  # noqa: BLE001, S112 - it fails again when the span is resolved, and is counted then
                continue
        return provisional

    def _log_other_clock(self, view: View) -> None:
        """Log that a time was read as seconds, milliseconds or microseconds."""
        self._log.add(
            "clock unit",
            "the times of %r are seconds, milliseconds or microseconds since 1970, not nanoseconds. They are read as "
            "such. To fix: send nanoseconds.",
            view.name[:100],
        )
