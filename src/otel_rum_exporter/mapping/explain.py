"""What becomes of telemetry in RUM, record by record: what `otel-rum explain` prints.

The records go through the exporter's own conversion, watched from outside, so that no explanation differs from what is
sent. Nothing here has a clock or the environment, and nothing is sent.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from .._log import RateLimitedLog
from ..config import Config, variable
from ..ledger import DropReason, Ledger
from ..otlp import Decoded, DecodedSpan
from ..rum.batch import BatchKey
from ..rum.event import RumEvent
from ..rum.ids import NIL_UUID
from ..rum.truncation import cut
from .converter import Conversion
from .event_types import PREFIX
from .events import page_load, web_vital
from .events.js_error import JS_ERROR_EVENT
from .identity import Identity, Moment
from .log_view import LogView
from .mapper import Mapper
from .record_view import View
from .rules import LOG_RULES, SPAN_RULES, Rule
from .span_view import SpanView

MADE_UP_APP_MONITOR_ID = "00000000-0000-4000-8000-000000000000"
"""Stands for the app monitor where none is set: what becomes of a span does not depend on it."""

_SESSION_ID = "00000000-0000-4000-8000-{:012}"

_MINTED = f"Session ids like {_SESSION_ID.format(1)} stand for random ones: the telemetry names no session."
_NO_MONITOR = (
    f"{variable('app_monitor_id')} is not set. Ids of sessions and users that are no UUIDs are hashed with it, so that "
    "RUM will show others than these."
)

_UNTELLING = frozenset(
    (
        *("version", "name", "kind", "time", "startTime", "otel"),
        *("traceId", "spanId", "parentSpanId", "trace_id", "segment_id"),
    )
)
"""Members of an event's details that a summary leaves out."""

_SUMMARY_CHARS = 120
_VALUE_CHARS = 40
NS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A span or log record, the rule that decides over it, and what becomes of it.

    `kind` is a span's, None for a log record. `session_id`, `user_id` and `page_id` are as RUM shows them, None where
    they are not known. `left_out` is why it becomes nothing, None where it becomes something.
    """

    name: str
    kind: str | None
    rule: str
    session_id: str | None
    user_id: str | None
    page_id: str | None
    events: tuple[RumEvent, ...]
    left_out: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that there is to say of what was decoded, in its order."""

    records: tuple[Explained, ...]
    unread: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def totals(self) -> Counter[str]:
        """The number of events by type."""
        return Counter(event.type for record in self.records for event in record.events)


def config_of(environment: Mapping[str, str]) -> Config:
    """Return the configuration of the environment; an app monitor is made up where none is set.

    Raises:
        ConfigError: as `Config.read` does.
    """
    is_set = environment.get(variable("app_monitor_id"), "").strip()
    return Config.read({} if is_set else {"app_monitor_id": MADE_UP_APP_MONITOR_ID}, environment)


def explain(decoded: Decoded, config: Config, now_ns: int) -> Explanation:
    """Explain what would become of everything decoded, were it exported now, by one process, and spans first."""
    log, now = _Remarks(), Moment(now_ns, 0)
    conversion = _Watched(config, log)
    conversion.spans(decoded.spans, now)
    conversion.log_records(decoded.log_records, now)
    conversion.close(now)
    if conversion.has_minted:
        log.add("minted", _MINTED)
    if config.app_monitor_id == MADE_UP_APP_MONITOR_ID and not config.id_hash_key:
        log.add("no monitor", _NO_MONITOR)
    views = [SpanView.of(one) if isinstance(one, DecodedSpan) else LogView.of(one) for one in decoded.records]
    web_vital.supersede(view for view in views if isinstance(view, LogView))
    explained = tuple(_explained(view, conversion.outcomes, config) for view in views)
    return Explanation(explained, tuple(map(str, decoded.faults)), tuple(log.told.values()))


def text_lines(explanation: Explanation) -> Iterator[str]:
    """Yield an explanation as lines for a terminal: whatever stands in the telemetry, they are printable."""
    for record in explanation.records:
        yield _printable(f"{record.kind or 'LOG'} {record.name or '(no name)'}: {record.rule}")
        if record.session_id:
            user = f"user {record.user_id}" if record.user_id else "no user"
            page = f"page {record.page_id}" if record.page_id else "no page"
            yield _printable(f"    session {record.session_id}, {user}, {page}")
        for event in record.events:
            yield _printable(f"    -> {event.type.removeprefix(PREFIX)}  {summary(event)}".rstrip())
        if record.left_out:
            yield f"    left out: {record.left_out}"
    yield from (_printable(f"not read: {unread}") for unread in explanation.unread)
    yield from (_printable(f"note: {note}") for note in explanation.notes)
    spans = sum(record.kind is not None for record in explanation.records)
    left_out = sum(record.left_out is not None for record in explanation.records)
    yield (
        f"{_count(spans, 'span')} and {_count(len(explanation.records) - spans, 'log record')}: "
        f"{_count(explanation.totals.total(), 'event')}, {left_out} left out, {len(explanation.unread)} not read"
    )
    for kind, count in explanation.totals.most_common():
        yield _printable(f"{count:>6}  {kind.removeprefix(PREFIX)}")


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation for machines; an event's metadata is what RUM makes of it and of its session's."""
    records = [
        {
            **{name: getattr(record, name) for name in ("name", "kind", "rule", "session_id", "user_id", "page_id")},
            "left_out": record.left_out,
            "events": [
                {
                    "id": event.id,
                    "type": event.type,
                    "timestamp": event.timestamp_ns / NS_PER_SECOND,
                    "details": orjson.loads(event.details),
                    "metadata": {**orjson.loads(event.session_metadata), **orjson.loads(event.metadata)},
                }
                for event in record.events
            ],
        }
        for record in explanation.records
    ]
    return {
        "records": records,
        "unread": explanation.unread,
        "notes": explanation.notes,
        "totals": dict(explanation.totals.most_common()),
    }


def summary(event: RumEvent) -> str:
    """Return the details of an event on one line: what tells most of it, as far as there is room."""
    told = (f"{path}={cut(value, _VALUE_CHARS)}" for path, value in _leaves(orjson.loads(event.details)))
    return cut(_printable(" ".join(told)), _SUMMARY_CHARS)


def _leaves(details: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in details.items():
        if name in _UNTELLING:
            continue
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value if isinstance(value, str) else orjson.dumps(value).decode()


def _printable(line: str) -> str:
    """Return a line with everything escaped that a terminal would obey."""
    return line if line.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class _Outcome(NamedTuple):
    identity: Identity | None
    events: tuple[RumEvent, ...]
    lost: DropReason | None


class _Remarks(RateLimitedLog):
    """Keep what the exporter would log."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, str] = {}

    def add(self, kind: str, message: str, *values: object, is_once: bool = False) -> None:
        del is_once
        self.told.setdefault(kind, message % values if values else message)


class _Watched(Conversion):
    """A conversion that remembers what became of each record, by what tells it from others."""

    def __init__(self, config: Config, log: RateLimitedLog) -> None:
        super().__init__(config, new_id=self._new_session_id, ledger=Ledger(), log=log)
        self._minted = 0
        self.outcomes: dict[tuple[str, ...], deque[_Outcome]] = defaultdict(deque)

    @property
    def has_minted(self) -> bool:
        return self._minted > 0

    def _new_session_id(self) -> str:
        self._minted += 1
        return _SESSION_ID.format(self._minted)

    def _convert(self, view: View, identity: Identity, now_ns: int, events: dict[BatchKey, list[RumEvent]]) -> None:
        made: dict[BatchKey, list[RumEvent]] = defaultdict(list)
        before = self._ledger.dropped.copy()
        super()._convert(view, identity, now_ns, made)
        lost = next(iter(self._ledger.dropped - before), None)
        self.outcomes[view.id_parts].append(_Outcome(identity, tuple(itertools.chain(*made.values())), lost))
        for key, own in made.items():
            events[key].extend(own)


def _explained(
    view: SpanView | LogView, outcomes: Mapping[tuple[str, ...], deque[_Outcome]], config: Config
) -> Explained:
    told = outcomes.get(view.id_parts)
    identity, events, lost = told.popleft() if told else _Outcome(None, (), DropReason.UNMAPPABLE)
    return Explained(
        name=view.name,
        kind=view.kind.name if view.kind else None,
        rule=_rule(view, config).name if identity else "no rule",
        session_id=identity.session_id if identity else None,
        user_id=identity.user_id if identity and identity.user_id != NIL_UUID else None,
        page_id=identity.metadata.get("pageId") if identity else None,
        events=events,
        left_out=lost.value if lost else None if events else _why_nothing(view, config),
    )


def _rule(view: SpanView | LogView, config: Config) -> Rule[Any]:
    if isinstance(view, SpanView):
        return SPAN_RULES.decide(view, config)
    return LOG_RULES.decide(view, config)


def _why_nothing(view: SpanView | LogView, config: Config) -> str:
    """Return why a record that was mapped becomes no event."""
    if _rule(view, config).is_of_parent:
        return "the event of its parent tells it"
    if isinstance(view, LogView) and view.is_superseded:
        return "a later record corrects it"
    alone = {draft.type for draft in Mapper(config).drafts(view)}
    if not alone:
        is_for_rum = bool(Mapper(Config(app_monitor_id=config.app_monitor_id)).drafts(view))
        return "the settings leave it out" if is_for_rum else "it is not for RUM"
    if alone == {JS_ERROR_EVENT}:
        return "its exception is told by another record already"
    is_told = view.name in page_load.LOAD_RECORDS and config.session_sample_rate == 1
    return "another record tells of its document's load already" if is_told else "its session is not in the sample"
