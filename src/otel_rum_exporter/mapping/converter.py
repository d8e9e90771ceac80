"""Spans and log records to RUM events, ready for their batches: whose they are, what they become, and their envelopes.

One bad record never costs another: what cannot be read or mapped is dropped alone, and counted.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from opentelemetry.trace import SpanKind

from .._attributes import EVENT_TYPE
from .._log import RateLimitedLog
from ..config import RESOURCE_APP_MONITOR_ID, Config
from ..ledger import DropReason, Ledger, Record, Tally
from ..rum.batch import BatchKey, Events
from ..rum.event import EventDraft, RumEvent
from . import metadata, override
from .app_monitor import Origins
from .event_builder import Envelopes
from .events import web_vital
from .identity import Identities, Identity, Moment
from .log_view import LogRecord, LogView
from .mapper import Mapper
from .record_view import View
from .sampling import is_sampled
from .span_view import Span, SpanView

V = TypeVar("V", bound=View)


class Converted(NamedTuple):
    """Events ready for their batches.

    `held` has the events of each span that waits from now on, as they would be if its parent never came, by a handle;
    `settled` has the handles of those held that need not be any more, since theirs are among the `events`.
    """

    events: Events
    held: Mapping[int, Events]
    settled: Sequence[int]


MAX_SESSIONS = 10_000


class Conversion:
    """Convert telemetry to events. Not thread-safe: its owner calls it under a lock.

    With `holds`, spans that wait for their parents have events already, for a store that survives the process.
    """

    def __init__(
        self, config: Config, *, new_id: Callable[[], str], ledger: Ledger, log: RateLimitedLog, holds: bool = False
    ) -> None:
        self._config = config
        self._holds = holds
        self._held: dict[int, list[EventDraft]] = {}
        self._ledger = ledger
        self._log = log
        self._identities = Identities(new_id=new_id, hash_key=_hash_key(config), has_enduser_id=config.enduser_id)
        self._mapper = Mapper(self._with_policy_guarded(config))
        self._origins = Origins(config)
        self._envelopes = Envelopes(config, self._identities.uuid_of_session)
        self._sessions_started: OrderedDict[tuple[str, str], None] = OrderedDict()

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
            self._origins.serves(resource)
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
        self._ledger.pending = self._identities.waiting
        self._ledger.accept(Tally.of([event.record for made in events.values() for event in made]))
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
                origin = self._origins.of(view.resource)
                identity = self._identities.foresee(view, said, now)
                if origin is None or not self._is_recorded(identity):
                    continue
                # Mapped once, since the mapping remembers what it has told.
                drafts = self._held[id(view)] = self._drafts(view)
                made = self._envelopes.events(view, drafts, identity, origin, now.epoch_ns)
                key = BatchKey(origin.monitor, identity.session_id, identity.user_id)
                held[id(view)] = {key: [event for event in made if event]}
            except Exception:  # noqa: BLE001, S112 - it is told when the span is settled, which fails in the same way
                continue
        return held

    def _convert(self, view: View, identity: Identity, now_ns: int, events: dict[BatchKey, list[RumEvent]]) -> None:
        origin = self._origins.of(view.resource)
        if origin is None:
            self._drop(
                DropReason.NO_APP_MONITOR,
                f"set OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID, or the resource attribute {RESOURCE_APP_MONITOR_ID}",
                _kind(view),
            )
            return
        drafts: Sequence[EventDraft] = ()
        if self._is_recorded(identity):
            known = self._held.get(id(view)) if self._held else None
            drafts = self._drafts(view) if known is None else known
        if not drafts:
            self._ledger.filter(_kind(view))
            return
        of_session = events[BatchKey(origin.monitor, identity.session_id, identity.user_id)]
        if identity.is_minted and (origin.monitor.id, identity.session_id) not in self._sessions_started:
            self._remember_session(origin.monitor.id, identity.session_id)
            self._advise(view)
            start = self._envelopes.session_start(view, identity, origin, now_ns)
            if start is None:
                self._drop_too_large("")
            else:
                of_session.append(start)
        for index, event in enumerate(self._envelopes.events(view, drafts, identity, origin, now_ns)):
            if event is None:
                self._drop_too_large("" if index else _kind(view))
            else:
                of_session.append(event)

    def _drafts(self, view: View) -> list[EventDraft]:
        """Return what the mapping makes of a span or log record."""
        fault = override.fault(view) if EVENT_TYPE in view.attributes else None
        if fault:
            self._log.add(
                "override",
                "the event that %r tells by rum.event.type is not sent, as RUM would drop it: %s. It is mapped as if "
                "nothing had been told. To do: mend it; docs/mapping.md has the fields.",
                view.name[:100],
                fault,
            )
        return self._mapper.drafts(view)

    def _remember_session(self, monitor_id: str, session_id: str) -> None:
        self._sessions_started[monitor_id, session_id] = None
        if len(self._sessions_started) > MAX_SESSIONS:
            self._sessions_started.popitem(last=False)

    def _is_recorded(self, identity: Identity) -> bool:
        """Say whether a session is sent: as whoever began it decided, or else by the settings' share."""
        if identity.is_sampled is not None:
            return identity.is_sampled
        rate = self._config.session_sample_rate
        return rate >= 1 or is_sampled(identity.session_id, rate)

    def _with_policy_guarded(self, config: Config) -> Config:
        """Return settings whose function for pages cannot cost a span; where it fails, the page is guessed."""
        is_page = config.page_views
        if not callable(is_page):
            return config

        def guarded(span: Span) -> bool | None:
            try:
                return is_page(span)
            except Exception as error:  # noqa: BLE001 - telemetry must not depend on it
                self._log.add(
                    "page_views",
                    "the function given as page_views failed: %r. What is a page is guessed instead. To do: repair it.",
                    error,
                )
                return None

        return replace(config, page_views=guarded)

    def _advise(self, view: View) -> None:
        """Tell a server without sessions, once, how to have some."""
        if isinstance(view, SpanView) and view.dropped is not None and view.dropped.attributes:
            self._log.add(
                "lost session",
                "%r has no session, and had more attributes than the SDK keeps: the oldest are lost, and the session "
                "may be among them. To do: set OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT higher.",
                view.name[:100],
            )
        elif view.kind is SpanKind.SERVER:
            self._log.add(
                "no session",
                "a request served carries no session, so all users share the session of this process. To do: add "
                "RumSessionMiddleware, or set the span attribute session.id on each request's span to an id that logs "
                "nobody in.",
                is_once=True,
            )

    def _unmappable(self, name: object, error: Exception, record: Record) -> None:
        self._drop(DropReason.UNMAPPABLE, f"please report this: {name!r:.100} gave {error!r:.200}", record)

    def _drop_too_large(self, record: Record) -> None:
        advice = "shorten the resource attributes that the settings carry as metadata"
        self._drop(DropReason.TOO_LARGE, advice, record)

    def _drop(self, reason: DropReason, advice: str, record: Record) -> None:
        tally = Tally.of([record])
        self._ledger.accept(tally)
        self._ledger.drop(reason, [tally])
        self._log.add_loss(reason, 1, advice)


def _kind(view: View) -> Record:
    return "span" if view.key else "log"


def _hash_key(config: Config) -> bytes:
    return (config.id_hash_key or config.app_monitor_id or "otel-rum-exporter").encode()
