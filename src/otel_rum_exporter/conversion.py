"""Spans and log records to RUM events, ready for their batches: identity, mapping, metadata and encoding in one walk.

One bad record never costs another: what cannot be read or mapped is dropped alone, and counted.
"""

from __future__ import annotations

import itertools
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import orjson
from opentelemetry.trace import SpanKind

from . import metadata
from .batch import AppMonitor, BatchKey
from .config import RESOURCE_APP_MONITOR_ID, Config
from .events import override, session, web_vital
from .events.mapper import Mapper
from .events.rum_event import Draft, Record, RumEvent, encode, event_id, id_within_span
from .identity import Identities, Identity, Moment
from .log_record import LogRecord, LogView
from .sampling import is_sampled
from .setting import MAX_METADATA_ATTRIBUTES, UUID
from .span import Span, SpanView
from .telemetry import DropReason, Ledger, Notices, Tally
from .view import EARLIEST_EPOCH_NS, Resource, View, text

V = TypeVar("V", bound=View)
Events = Mapping[BatchKey, Sequence[RumEvent]]


class Converted(NamedTuple):
    """Events ready for their batches.

    `held` has the events of each span that waits from now on, as they would be if its parent never came, by a handle;
    `settled` has the handles of those held that need not be any more, since theirs are among the `events`.
    """

    events: Events
    held: Mapping[int, Events]
    settled: Sequence[int]


MAX_RESOURCES = 1000
MAX_SESSIONS = 10_000
LATEST_AHEAD_NS = 3600 * 1_000_000_000

RUM_PLATFORM = "aws_rum"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}")


class Conversion:
    """Convert telemetry to events. Not thread-safe: its owner calls it under a lock.

    With `holds`, spans that wait for their parents have events already, for a store that survives the process.
    """

    def __init__(
        self, config: Config, *, new_id: Callable[[], str], ledger: Ledger, notices: Notices, holds: bool = False
    ) -> None:
        self._config = config
        self._holds = holds
        self._held: dict[int, list[Draft]] = {}
        self._ledger = ledger
        self._notices = notices
        self._identities = Identities(new_id=new_id, hash_key=_hash_key(config), has_enduser_id=config.enduser_id)
        self._mapper = Mapper(self._with_policy_guarded(config))
        self._resources: dict[int, tuple[Resource, AppMonitor | None, str]] = {}
        self._sessions_started: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._servers: set[tuple[str | None, str | None]] = set()

    def spans(self, spans: Sequence[Span], now: Moment) -> Converted:
        """Return the events of finished spans, and of what waited for them."""
        read = self._read(SpanView.of, spans, "span")
        return self._converted(self._identities.assign(read, now), now, read)

    def log_records(self, records: Sequence[LogRecord], now: Moment) -> Converted:
        """Return the events of log records that need not wait for their span."""
        read = self._read(LogView.of, records, "log")
        web_vital.supersede(view for view, _ in read)
        return self._converted(self._identities.assign(read, now), now, read)

    def release(self, now: Moment) -> Converted:
        """Return the events of what waited long enough for its parents."""
        return self._converted(self._identities.release(now), now)

    def close(self, now: Moment) -> Converted:
        """Return the events of all that waits; from now on nothing does."""
        return self._converted(self._identities.close(now), now)

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
        for resource in {id(view.resource): view.resource for view, _ in read if view.kind is SpanKind.SERVER}.values():
            origin = _origin(resource)
            if origin not in self._servers and len(self._servers) < MAX_RESOURCES:
                self._servers.add(origin)
                self._resources.clear()
        return read

    def _converted(
        self,
        settled: Sequence[tuple[View, Identity]],
        now: Moment,
        read: Sequence[tuple[View, Mapping[str, Any]]] = (),
    ) -> Converted:
        events: dict[BatchKey, list[RumEvent]] = defaultdict(list)
        for view, identity in settled:
            try:
                self._convert(view, identity, now.epoch_ns, events)
            except Exception as error:  # noqa: BLE001 - one bad record must not cost another
                self._unmappable(view.name, error, _kind(view))
        released = [id(view) for view, _ in settled if self._held.pop(id(view), None) is not None] if self._held else []
        self._ledger.waiting = self._identities.waiting
        self._ledger.accept(Tally.of(event.record for made in events.values() for event in made))
        return Converted(events, self._hold(settled, read, now) if self._holds else {}, released)

    def _hold(
        self,
        settled: Sequence[tuple[View, Identity]],
        read: Sequence[tuple[View, Mapping[str, Any]]],
        now: Moment,
    ) -> dict[int, Events]:
        """Return the events of what was read and waits, by a handle."""
        held: dict[int, Events] = {}
        gone = {id(view) for view, _ in settled}
        for view, said in read:
            if id(view) in gone:
                continue
            try:
                monitor, shared = self._resource(view.resource)
                identity = self._identities.foresee(view, said, now)
                if monitor is None or not self._is_recorded(identity):
                    continue
                # Mapped once, since the mapping remembers what it has told.
                drafts = self._held[id(view)] = self._drafts(view)
                made = self._encoded(view, _named(monitor, view, drafts), identity, shared, now.epoch_ns)
                held[id(view)] = {
                    BatchKey(monitor, identity.session_id, identity.user_id): [event for event in made if event]
                }
            except Exception:  # noqa: BLE001, S112 - it is told when the span is settled, which fails in the same way
                continue
        return held

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
        drafts = self._held.get(id(view))
        drafts = self._drafts(view) if drafts is None else drafts
        if not drafts:
            self._ledger.filter(_kind(view))
            return
        named = _named(monitor, view, drafts)
        if identity.is_minted and (monitor.id, identity.session_id) not in self._sessions_started:
            named.insert(0, self._session_start(monitor, identity, view))
        key = BatchKey(monitor, identity.session_id, identity.user_id)
        for index, event in enumerate(self._encoded(view, named, identity, shared, now_ns)):
            if event is None:
                advice = "shorten the resource attributes that the settings carry as metadata"
                self._drop(DropReason.TOO_LARGE, advice, "" if index else _kind(view))
            else:
                events[key].append(event)

    def _drafts(self, view: View) -> list[Draft]:
        """Return what the mapping makes of a span or log record."""
        fault = override.fault(view)
        if fault:
            self._notices.warn(
                "override",
                "the event that %r tells by rum.event.type is not sent, as RUM would drop it: %s. It is mapped as if "
                "nothing had been told. To do: mend it; docs/mapping.md has the fields.",
                view.name[:100],
                fault,
            )
        return self._mapper.drafts(view)

    def _encoded(
        self, view: View, named: Sequence[tuple[str, Draft]], identity: Identity, shared: str, now_ns: int
    ) -> list[RumEvent | None]:
        """Return the event of each draft; None for one that is too large."""
        more = {**metadata.custom(view.attributes, self._config), **self._remarks(view)}
        own = {**identity.metadata, **more} if more else identity.metadata
        made = []
        record = _kind(view)
        for made_id, draft in named:
            made.append(
                encode(_timely(draft, now_ns), id=made_id, metadata=own, session_metadata=shared, record=record)
            )
            record = ""
        return made

    def _session_start(self, monitor: AppMonitor, identity: Identity, view: View) -> tuple[str, Draft]:
        """Return the event that opens a session which this process made."""
        self._sessions_started[monitor.id, identity.session_id] = None
        if len(self._sessions_started) > MAX_SESSIONS:
            self._sessions_started.popitem(last=False)
        self._advise(view)
        return event_id(monitor.id, identity.session_id, "session_start"), session.session_start(view.start_ns)

    def _remarks(self, view: View) -> dict[str, Any]:
        """Return custom metadata that nobody asked for, as far as RUM has room for it."""
        if isinstance(view, SpanView):
            found: dict[str, Any] = metadata.losses(view)
        else:
            previous = session.previous(view)
            found = {"session_previous_id": self._identities.uuid_of_session(previous)} if previous else {}
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
            is_server = _origin(resource) in self._servers
            shared = orjson.dumps(metadata.of_resource(resource.attributes, self._config, is_server=is_server))
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
            region=None if self._config.region else _region(attributes),
        )

    def _unmappable(self, name: object, error: Exception, record: Record) -> None:
        self._drop(DropReason.UNMAPPABLE, f"please report this: {name!r:.100} gave {error!r:.200}", record)

    def _drop(self, reason: DropReason, advice: str, record: Record) -> None:
        tally = Tally.of([record])
        self._ledger.accept(tally)
        self._ledger.drop(reason, [tally])
        self._notices.warn_of_loss(reason, 1, advice)


def _named(monitor: AppMonitor, view: View, drafts: Sequence[Draft]) -> list[tuple[str, Draft]]:
    """Return drafts with the ids that their events have in every process."""
    if isinstance(view, SpanView):
        return [(id_within_span(view.trace_id, view.span_id, index), draft) for index, draft in enumerate(drafts)]
    parts = view.id_parts
    return [(event_id(monitor.id, *parts, draft.type, str(index)), draft) for index, draft in enumerate(drafts)]


def _origin(resource: Resource) -> tuple[str | None, str | None]:
    """Return what tells a program from others: its spans and its log records may come with equal resources."""
    return text(resource.attributes, "service.name"), text(resource.attributes, "telemetry.sdk.language")


def _timely(draft: Draft, now_ns: int) -> Draft:
    """Return a draft with a time that can be true."""
    if EARLIEST_EPOCH_NS <= draft.timestamp_ns <= now_ns + LATEST_AHEAD_NS:
        return draft
    return Draft(draft.type, now_ns, draft.details)


def _kind(view: View) -> Record:
    return "span" if isinstance(view, SpanView) else "log"


def _region(attributes: Mapping[str, Any]) -> str | None:
    """Return the app monitor's region, which AWS's mobile SDKs tell; that of a server is where the server is."""
    told = text(attributes, "cloud.region") if text(attributes, "cloud.platform") == RUM_PLATFORM else None
    return told if told and _REGION.fullmatch(told) else None


def _hash_key(config: Config) -> bytes:
    return (config.id_hash_key or config.app_monitor_id or "otel-rum-exporter").encode()
