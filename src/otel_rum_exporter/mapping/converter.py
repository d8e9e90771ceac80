"""Spans and log records to RUM events: one outcome for each record.

A record that cannot be read or mapped is dropped alone, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from .._log import RateLimitedLog
from .._receipt import Receipt
from ..config import Config
from ..ledger import Ledger, Record, Tally
from ..rum.batch import BatchKey, Events
from ..rum.event import EventMembers
from . import metadata
from .app_monitor import AppMonitorResolver
from .application import Application, Applications, Session
from .events import web_vital
from .guarded_page_views import with_guarded_page_views
from .identity import Moment, Resolved
from .identity_attributes import IdentityReader
from .log_view import LogRecord, LogView
from .mapper import Mapped
from .outcome import Converted, Outcome, kind_of, unmappable
from .outcome_builder import OutcomeBuilder
from .record_view import SERVER, Resource, View
from .redaction import Redactor
from .sampling import Sampling
from .span_view import Span, span_reader

Read = Mapping[str | None, list[tuple[View, Mapping[str, Any]]]]
"""Views with their page metadata, by the key of their application."""


class Converter:
    """Convert telemetry to events. Not thread-safe: its owner calls it under a lock.

    With `is_durable`, pending spans have provisional events, for a store that survives the process. With
    `keeps_outcomes`, the outcome of each record is in what is returned. `new_id` returns a new session id.
    """

    def __init__(
        self,
        config: Config,
        *,
        new_id: Callable[[], str],
        ledger: Ledger,
        log: RateLimitedLog,
        is_durable: bool = False,
        keeps_outcomes: bool = True,
    ) -> None:
        self._redactor = Redactor.of(config.redaction)
        self._is_durable = is_durable
        self._keeps_outcomes = keeps_outcomes
        self._is_closed = False
        self._provisional: dict[int, Mapped] = {}
        self._ledger = ledger
        self._log = log
        hash_key = (config.id_hash_key or config.app_monitor_id or "otel-rum-exporter").encode()
        reader = IdentityReader(hash_key=hash_key, has_enduser_id=config.enduser_id)
        guarded = with_guarded_page_views(config, log)
        self.sampling = Sampling(config)
        self._applications = Applications(partial(Application, guarded, reader, new_id, self.sampling))
        self._app_monitors = AppMonitorResolver(config)
        self._builder = OutcomeBuilder(
            config,
            self.sampling,
            resolve=self._app_monitors.of,
            session_uuid=partial(reader.uuid, "session"),
            log=log,
        )

    def spans(self, spans: Iterable[Span], now: Moment, receipt: Receipt | None = None) -> Converted:
        """Convert finished spans, and the pending spans below them."""
        read, failed = self._read(span_reader(self._redactor, receipt), spans, "span", receipt)
        return self._finish(now, read, failed)

    def log_records(self, records: Iterable[LogRecord], now: Moment, receipt: Receipt | None = None) -> Converted:
        """Convert log records that need not wait for their span."""
        view_of = partial(LogView.of, redactor=self._redactor, receipt=receipt)
        read, failed = self._read(view_of, records, "log", receipt)
        for group in read.values():
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
        view_of: Callable[[Any], View],
        records: Iterable[Any],
        kind: Record,
        receipt: Receipt | None,
    ) -> tuple[Read, list[Outcome]]:
        """Return the views of records, and the outcomes of those that cannot be read."""
        read: dict[str | None, list[tuple[View, Mapping[str, Any]]]] = {}
        failed: list[Outcome] = []
        of_trace, resource, server, group = metadata.of_trace, None, None, []
        for record in records:
            try:
                view = view_of(record)
                page = of_trace(view)
                if view.resource is not resource:
                    group = read.setdefault(self._key(view.resource), [])
                    resource = view.resource
                if view.kind is SERVER and server is not resource:
                    server = resource
                    self._app_monitors.add_server(server)
                if view.has_other_clock:
                    self._log_other_clock(view)
                if receipt is not None:
                    receipt.hold()
                group.append((view, page))
            except Exception as error:  # noqa: BLE001 - one bad record must not cost another
                failed.append(Outcome(None, drops=[unmappable(getattr(record, "name", ""), error, kind)]))
        return read, failed

    def _key(self, resource: Resource) -> str | None:
        """Return the key of the application that a resource belongs to: the id of its app monitor."""
        resolution = self._app_monitors.of(resource)
        return resolution.monitor.id if resolution else None

    def _finish(self, now: Moment, read: Read = MappingProxyType({}), failed: Sequence[Outcome] = ()) -> Converted:
        """Convert the records whose identity is final, count their outcomes, and make events of what is pending."""
        assigned = [(self._applications.of(key), group) for key, group in read.items()]
        resolved = [(application, application.identities.assign(group, now)) for application, group in assigned]
        if not self._is_durable:
            for _, group in assigned:
                group.clear()
        while (oldest := self._applications.remove_oldest()) is not None:
            resolved.append((oldest, oldest.identities.close(now)))
            oldest.caches.close()
        for application in self._applications:
            if application.identities.pending:
                identities = application.identities
                resolved.append((application, identities.close(now) if self._is_closed else identities.expire(now)))
        converted = Converted(keeps_outcomes=self._keeps_outcomes)
        converted.records = len(failed)
        for outcome in failed:
            converted.add(outcome)
        final = {id(view) for _, group in resolved for _, view, _ in group} if self._is_durable else set()
        for application, records in resolved:
            # Views are released one by one: the garbage collector visits all objects that a call keeps.
            self._convert(application, [*records] if self._is_durable else records, now.epoch_ns, converted)
        self._ledger.pending = sum(application.identities.pending for application in self._applications)
        self._count(converted)
        if self._is_durable:
            converted.resolved = [handle for handle in final if self._provisional.pop(handle, None) is not None]
            provisional: dict[int, Events] = {}
            for application, group in assigned:
                provisional.update(self._provisional_events(application, final, group, now))
            converted.provisional = provisional
        return converted

    def _convert(self, application: Application, records: list[Resolved], now_ns: int, converted: Converted) -> None:
        """Convert records with their identities, and remove them from the list."""
        builder, keeps_outcomes, provisional = self._builder, self._keeps_outcomes, self._provisional
        mapped = builder.mapped
        sessions: dict[int, Session] = {}
        last_key: BatchKey | None = None
        group: list[EventMembers] = []
        converted.records += len(records)
        records.reverse()
        while records:
            _, view, identity = records.pop()
            try:
                session = sessions.get(id(identity))
                if session is None or session.resource is not view.resource:
                    session = sessions[id(identity)] = builder.session(application, identity, view.resource)
                before = provisional.get(id(view)) if provisional else None
                convert = mapped if session.decision.rate else builder.not_sampled
                outcome = convert(session, view, now_ns, before)
            except Exception as error:  # noqa: BLE001 - one bad record must not cost another
                outcome = Outcome(view, drops=[unmappable(view.name, error, kind_of(view))])
            _, _, _, key, events, left_out, drops = outcome
            # The usual outcome: events for the same request as those before, and nothing else to count.
            if key is last_key and not (left_out or drops or keeps_outcomes or view.receipt):
                group.extend(events)
            else:
                last_key, group = key if events else None, converted.add(outcome)

    def _count(self, converted: Converted) -> None:
        """Count records and events in the ledger, and log losses."""
        events = converted.events.values()
        self._ledger.accept(Tally.of([record for group in events for _, _, _, record in group]))
        if converted.filtered:
            self._ledger.filter(Tally(0, converted.filtered["span"], converted.filtered["log"]))
        for drop in converted.drops:
            tally = Tally.of([drop.record])
            self._ledger.accept(tally)
            self._ledger.drop(drop.reason, [tally])
            if drop.fix:
                self._log.add_loss(drop.reason, 1, drop.fix)

    def _provisional_events(
        self, application: Application, final: set[int], read: Iterable[tuple[View, Mapping[str, Any]]], now: Moment
    ) -> dict[int, Events]:
        """Return the provisional events of what was read and is pending now, by handle."""
        provisional: dict[int, Events] = {}
        for view, page in read:
            if id(view) in final:
                continue
            try:
                identity = application.identities.provisional(view, page, now)
                session = self._builder.session(application, identity, view.resource)
                if session.key is None or not session.decision.rate:
                    continue
                # Mapped once, because the mapper remembers what it has mapped.
                self._provisional[id(view)] = application.mapper.map(view, has_errors=False)
                _, drafts, _ = application.mapper.with_errors(view, self._provisional[id(view)], is_provisional=True)
                events = self._builder.event_builder.events(view, drafts, session, now.epoch_ns)
                provisional[id(view)] = {session.key: [event for event in events if event]}
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
