"""Spans and log records to RUM events, ready for their batches: identity, mapping, metadata and encoding in one walk.

One bad record never costs another: what cannot be read or mapped is dropped alone, and counted.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from opentelemetry.trace import SpanKind

from . import metadata
from .batch import AppMonitor, BatchKey
from .config import RESOURCE_APP_MONITOR_ID, Config
from .events import override, session, web_vital
from .events.mapper import Mapper
from .events.rum_event import Draft, Record, RumEvent, encode, event_id
from .identity import Identities, Identity, Moment
from .log_record import LogRecord, LogView
from .sampling import is_sampled
from .setting import MAX_METADATA_ATTRIBUTES, UUID
from .span import Span, SpanView
from .telemetry import DropReason, Ledger, Notices, Tally
from .view import EARLIEST_EPOCH_NS, Resource, View, text

V = TypeVar("V", bound=View)
Events = Mapping[BatchKey, Sequence[RumEvent]]

MAX_RESOURCES = 1000
MAX_SESSIONS = 10_000
LATEST_AHEAD_NS = 3600 * 1_000_000_000


class Conversion:
    """Convert telemetry to events. Not thread-safe: its owner calls it under a lock."""

    def __init__(self, config: Config, *, new_id: Callable[[], str], ledger: Ledger, notices: Notices) -> None:
        self._config = config
        self._ledger = ledger
        self._notices = notices
        self._identities = Identities(new_id=new_id, hash_key=_hash_key(config), has_enduser_id=config.enduser_id)
        self._mapper = Mapper(self._with_policy_guarded(config))
        self._resources: dict[int, tuple[Resource, AppMonitor | None, str]] = {}
        self._sessions_started: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._is_server = False

    def spans(self, spans: Sequence[Span], now: Moment) -> Events:
        """Return the events of finished spans, and of what waited for them."""
        return self._events(self._identities.assign(self._read(SpanView.of, spans, "span"), now), now)

    def log_records(self, records: Sequence[LogRecord], now: Moment) -> Events:
        """Return the events of log records that need not wait for their span."""
        read = self._read(LogView.of, records, "log")
        web_vital.supersede(view for view, _ in read)
        return self._events(self._identities.assign(read, now), now)

    def release(self, now: Moment) -> Events:
        """Return the events of what waited long enough for its parents."""
        return self._events(self._identities.release(now), now)

    def close(self, now: Moment) -> Events:
        """Return the events of all that waits; from now on nothing does."""
        return self._events(self._identities.close(now), now)

    def next_release_seconds(self, now: Moment) -> float | None:
        """Return the time until `release` will have something to return; None when nothing waits."""
        return self._identities.next_release_seconds(now)

    def _read(
        self, view_of: Callable[[Any], V], records: Sequence[Any], kind: Record
    ) -> list[tuple[V, dict[str, Any]]]:
        read = []
        for record in records:
            try:
                view = view_of(record)
                read.append((view, metadata.of_trace(view)))
            except Exception as error:  # noqa: BLE001 - one bad record must not cost another
                self._unmappable(getattr(record, "name", ""), error, kind)
        if not self._is_server and any(view.kind is SpanKind.SERVER for view, _ in read):
            self._is_server = True
            self._resources.clear()
        return read

    def _events(self, settled: Sequence[tuple[View, Identity]], now: Moment) -> Events:
        events: dict[BatchKey, list[RumEvent]] = defaultdict(list)
        for view, identity in settled:
            try:
                self._convert(view, identity, now.epoch_ns, events)
            except Exception as error:  # noqa: BLE001 - one bad record must not cost another
                self._unmappable(view.name, error, _kind(view))
        self._ledger.waiting = self._identities.waiting
        self._ledger.accept(Tally.of(event.record for made in events.values() for event in made))
        return events

    def _convert(self, view: View, identity: Identity, now_ns: int, events: dict[BatchKey, list[RumEvent]]) -> None:
        monitor, shared = self._resource(view.resource)
        if monitor is None:
            self._drop(
                DropReason.NO_APP_MONITOR,
                f"set OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID, or the resource attribute {RESOURCE_APP_MONITOR_ID}",
                _kind(view),
            )
            return
        if not self._is_recorded(identity):
            self._ledger.filter(_kind(view))
            return
        fault = override.fault(view)
        if fault:
            self._notices.warn(
                "override",
                "the event that %r tells by rum.event.type is not sent, as RUM would drop it: %s. It is mapped as if "
                "nothing had been told. To do: mend it; docs/mapping.md has the fields.",
                view.name[:100],
                fault,
            )
        drafts = self._mapper.drafts(view)
        if not drafts:
            self._ledger.filter(_kind(view))
            return
        key = BatchKey(monitor, identity.session_id, identity.user_id)
        own = {**identity.metadata, **metadata.custom(view.attributes, self._config), **self._remarks(view)}
        made = [
            (event_id(monitor.id, *view.id_parts, draft.type, str(index)), draft) for index, draft in enumerate(drafts)
        ]
        if identity.is_minted and (monitor.id, identity.session_id) not in self._sessions_started:
            self._sessions_started[monitor.id, identity.session_id] = None
            if len(self._sessions_started) > MAX_SESSIONS:
                self._sessions_started.popitem(last=False)
            start = event_id(monitor.id, identity.session_id, "session_start")
            made.insert(0, (start, session.session_start(view.start_ns)))
            self._advise(view)
        record = _kind(view)
        for made_id, draft in made:
            event = encode(_timely(draft, now_ns), id=made_id, metadata=own, session_metadata=shared, record=record)
            if event is None:
                self._drop(
                    DropReason.TOO_LARGE, "shorten the resource attributes that the settings carry as metadata", record
                )
            else:
                events[key].append(event)
            record = ""

    def _remarks(self, view: View) -> dict[str, Any]:
        """Return custom metadata that nobody asked for, as far as RUM has room for it."""
        found: dict[str, Any] = metadata.losses(view) if isinstance(view, SpanView) else {}
        previous = session.previous(view)
        if previous:
            found["session_previous_id"] = self._identities.uuid_of_session(previous)
        room = MAX_METADATA_ATTRIBUTES - len(self._config.metadata_attributes)
        return dict(itertools.islice(found.items(), room)) if found else found

    def _is_recorded(self, identity: Identity) -> bool:
        """Say whether a session is sent: as whoever began it decided, or else by the settings' share."""
        if identity.is_sampled is not None:
            return identity.is_sampled
        return is_sampled(identity.session_id, self._config.session_sample_rate)

    def _with_policy_guarded(self, config: Config) -> Config:
        """Return settings whose function for pages cannot cost a span; where it fails, the page is guessed."""
        is_page = config.page_views
        if not callable(is_page):
            return config

        def guarded(span: Span) -> bool | None:
            try:
                return is_page(span)
            except Exception as error:  # noqa: BLE001 - telemetry must not depend on it
                self._notices.warn(
                    "page_views",
                    "the function given as page_views failed: %r. What is a page is guessed instead. To do: repair it.",
                    error,
                )
                return None

        return replace(config, page_views=guarded)

    def _advise(self, view: View) -> None:
        """Tell a server without sessions, once, how to have some."""
        if isinstance(view, SpanView) and view.span.dropped_attributes:
            self._notices.warn(
                "lost session",
                "%r has no session, and had more attributes than the SDK keeps: the oldest are lost, and the session "
                "may be among them. To do: set OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT higher.",
                view.name[:100],
            )
        elif view.kind is SpanKind.SERVER:
            self._notices.warn(
                "no session",
                "a request served carries no session, so all users share the session of this process. To do: add "
                "RumSessionMiddleware, or set the span attribute session.id on each request's span to an id that logs "
                "nobody in.",
                is_once=True,
            )

    def _resource(self, resource: Resource) -> tuple[AppMonitor | None, str]:
        known = self._resources.get(id(resource))
        if known is None or known[0] is not resource:
            if len(self._resources) >= MAX_RESOURCES:
                self._resources.clear()
            shared = orjson.dumps(metadata.of_resource(resource.attributes, self._config, is_server=self._is_server))
            known = self._resources[id(resource)] = (resource, self._app_monitor(resource), shared.decode())
        return known[1], known[2]

    def _app_monitor(self, resource: Resource) -> AppMonitor | None:
        attributes = resource.attributes
        told = text(attributes, RESOURCE_APP_MONITOR_ID)
        monitor_id = told if told and UUID.fullmatch(told) else self._config.app_monitor_id
        if monitor_id is None:
            return None
        return AppMonitor(
            id=monitor_id,
            name=self._config.app_monitor_name,
            version=text(attributes, "service.version", "app.build_id"),
            alias=text(attributes, "aws.rum.appmonitor.alias") or self._config.alias,
        )

    def _unmappable(self, name: object, error: Exception, record: Record) -> None:
        self._drop(DropReason.UNMAPPABLE, f"please report this: {name!r:.100} gave {error!r:.200}", record)

    def _drop(self, reason: DropReason, advice: str, record: Record) -> None:
        tally = Tally.of([record])
        self._ledger.accept(tally)
        self._ledger.drop(reason, [tally])
        self._notices.warn_of_loss(reason, 1, advice)


def _timely(draft: Draft, now_ns: int) -> Draft:
    """Return a draft with a time that can be true."""
    if EARLIEST_EPOCH_NS <= draft.timestamp_ns <= now_ns + LATEST_AHEAD_NS:
        return draft
    return Draft(draft.type, now_ns, draft.details)


def _kind(view: View) -> Record:
    return "span" if isinstance(view, SpanView) else "log"


def _hash_key(config: Config) -> bytes:
    return (config.id_hash_key or config.app_monitor_id or "otel-rum-exporter").encode()
