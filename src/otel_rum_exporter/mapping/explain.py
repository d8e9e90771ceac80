"""Explain the events of each span and log record: what `otel-rum explain` prints.

The records go through the exporter's own converter, so an explanation never differs from what is sent.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson
from opentelemetry.trace import SpanKind

from .._log import RateLimitedLog
from ..config import Config, variable
from ..ledger import DropReason, Ledger
from ..otlp import DecodedLogRecord, DecodedSpan, DecodeResult
from ..rum.event import RumEvent
from ..rum.ids import NIL_UUID
from ..rum.price import PRICE_DATE, PRICE_PAGE, price_in_words, usd
from ..rum.truncation import cut
from .converter import Converter
from .event_types import PREFIX
from .events import http_event, page_view
from .events.session_start import SESSION_START_EVENT
from .identity import Moment
from .mapper import Mapper
from .outcome import Drop, Outcome
from .span_view import SpanView

PLACEHOLDER_APP_MONITOR_ID = "00000000-0000-4000-8000-000000000000"
"""Used if no app monitor is set; the mapping does not depend on it."""

_SESSION_ID = "00000000-0000-4000-8000-{:012}"

_MINTED = f"Session ids like {_SESSION_ID.format(1)} are placeholders for random ids: the telemetry has no session."
_NO_MONITOR = (
    f"{variable('app_monitor_id')} is not set. It keys the hash of session and user ids that are no UUIDs, so RUM will "
    "show other ids than these."
)

_OMITTED = frozenset(
    (
        *("version", "name", "kind", "time", "startTime", "otel"),
        *("traceId", "spanId", "parentSpanId", "trace_id", "segment_id"),
    )
)
"""Members of an event's details that a summary omits."""

_UNREADABLE = Outcome(None, drops=(Drop(DropReason.UNMAPPABLE, "", ""),))

_VERSION_AT = 12
"""The index of the version in the digits of a UUID."""

_SUMMARY_CHARS = 120
_VALUE_CHARS = 40
NS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A span or log record, the rule that applies to it, and its events.

    `kind` is a span's; None for a log record. `session_id`, `user_id` and `page_id` are those that RUM shows; None if
    unknown. `left_out` is why there are no events, or why one was lost; None otherwise. `no_page` is why a GET request
    served is no page view; None otherwise.
    """

    name: str
    kind: str | None
    rule: str
    session_id: str | None
    user_id: str | None
    page_id: str | None
    events: tuple[RumEvent, ...]
    left_out: str | None
    no_page: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explained records in the order of their times, what could not be read, and notes."""

    records: tuple[Explained, ...]
    unread: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def totals(self) -> Counter[str]:
        """The number of events by type."""
        return Counter(event.type for record in self.records for event in record.events)


def config_of(environment: Mapping[str, str]) -> Config:
    """Return the configuration of the environment, with a placeholder if no app monitor is set.

    Raises:
        ConfigError: as `Config.read` does.
    """
    is_set = environment.get(variable("app_monitor_id"), "").strip()
    return Config.read({} if is_set else {"app_monitor_id": PLACEHOLDER_APP_MONITOR_ID}, environment)


def explain(decoded: DecodeResult, config: Config, now_ns: int) -> Explanation:
    """Explain decoded records as if one process exported them now, spans first."""
    log, now, minted = _Notes(), Moment(now_ns, 0), _SessionIds()
    converter = Converter(config, new_id=minted.new, ledger=Ledger(), log=log)
    outcomes: dict[int, deque[Outcome]] = defaultdict(deque)
    for converted in (
        converter.spans(decoded.spans, now),
        converter.log_records(decoded.log_records, now),
        converter.close(now),
    ):
        for outcome in converted.outcomes:
            if outcome.view is not None:
                outcomes[id(outcome.view.source)].append(outcome)
    if minted.count:
        log.add("minted", _MINTED)
    mapper = Mapper(config)
    explained = tuple(
        _explained(outcomes[id(record)].popleft() if outcomes[id(record)] else _UNREADABLE, config, mapper)
        for record in sorted(decoded.records, key=_time_ns)
    )
    if (
        config.app_monitor_id == PLACEHOLDER_APP_MONITOR_ID
        and not config.id_hash_key
        and _has_hash(explained, decoded.records)
    ):
        log.add("no monitor", _NO_MONITOR)
    return Explanation(explained, tuple(map(str, decoded.failures)), tuple(log.notes.values()))


def text_lines(explanation: Explanation) -> Iterator[str]:
    """Yield an explanation as lines for a terminal; all are printable, whatever the telemetry contains."""
    for record in explanation.records:
        yield _printable(f"{record.kind or 'LOG'} {record.name or '(no name)'}: {record.rule}")
        if record.session_id:
            user = f"user {record.user_id}" if record.user_id else "no user"
            page = f"page {record.page_id}" if record.page_id else "no page"
            yield _printable(f"    session {record.session_id}, {user}, {page}")
        is_start_alone = bool(record.left_out) and [event.type for event in record.events] == [SESSION_START_EVENT]
        if is_start_alone:
            yield f"    -> session_start_event, as the first record of its session; no other event: {record.left_out}"
        for event in () if is_start_alone else record.events:
            yield _printable(f"    -> {event.type.removeprefix(PREFIX)}  {summary(event)}".rstrip())
        if record.left_out and not is_start_alone:
            yield f"    left out: {record.left_out}"
        if record.no_page:
            yield _printable(f"    no page view: {record.no_page}")
    yield from (_printable(f"not read: {unread}") for unread in explanation.unread)
    yield from (_printable(f"note: {note}") for note in explanation.notes)
    spans = sum(record.kind is not None for record in explanation.records)
    left_out = sum(record.left_out is not None for record in explanation.records)
    yield (
        f"{counted(spans, 'span')} and {counted(len(explanation.records) - spans, 'log record')}: "
        f"{counted(explanation.totals.total(), 'event')}, {left_out} left out, {len(explanation.unread)} not read"
    )
    for kind, count in explanation.totals.most_common():
        yield _printable(f"{count:>6}  {kind.removeprefix(PREFIX)}")
    yield f"{price_in_words(explanation.totals.total())} at list price ({PRICE_DATE}, {PRICE_PAGE})"


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON values; an event's metadata is merged with its session's, as RUM does."""
    records = [
        {
            **{name: getattr(record, name) for name in ("name", "kind", "rule", "session_id", "user_id", "page_id")},
            "left_out": record.left_out,
            "no_page": record.no_page,
            "events": [_event_as_json(event) for event in record.events],
        }
        for record in explanation.records
    ]
    return {
        "records": records,
        "unread": explanation.unread,
        "notes": explanation.notes,
        "totals": dict(explanation.totals.most_common()),
        "usd": usd(explanation.totals.total()),
    }


def _event_as_json(event: RumEvent) -> dict[str, Any]:
    members = event.members
    return {
        "id": event.id,
        "type": event.type,
        "timestamp": members["timestamp"],
        "details": orjson.loads(members["details"]),
        "metadata": {**orjson.loads(event.session_metadata), **orjson.loads(members["metadata"])},
    }


def summary(event: RumEvent) -> str:
    """Return the main details of an event on one line of at most `_SUMMARY_CHARS`."""
    values = (f"{path}={cut(value, _VALUE_CHARS)}" for path, value in _leaves(orjson.loads(event.members["details"])))
    return cut(_printable(" ".join(values)), _SUMMARY_CHARS)


def _leaves(details: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in details.items():
        if name in _OMITTED:
            continue
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value if isinstance(value, str) else orjson.dumps(value).decode()


def _printable(line: str) -> str:
    """Return a line with control characters escaped."""
    return line if line.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class _SessionIds:
    """Placeholders for the random ids of new sessions."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return _SESSION_ID.format(self.count)


class _Notes(RateLimitedLog):
    """Keep what the exporter would log."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, str] = {}

    def add(self, kind: str, message: str, *values: object, is_once: bool = False) -> None:
        del is_once
        self.notes.setdefault(kind, message % values if values else message)


def _explained(outcome: Outcome, config: Config, mapper: Mapper) -> Explained:
    view, identity = outcome.view, outcome.identity
    drop = next(iter(outcome.drops), None)
    rule = mapper.rule_of(view) if outcome.rule is None and view and identity else outcome.rule
    return Explained(
        name=view.name if view else "",
        kind=view.kind.name if view and view.kind else None,
        rule=rule.name if rule else "no rule",
        session_id=identity.session_id if identity else None,
        user_id=identity.user_id if identity and identity.user_id != NIL_UUID else None,
        page_id=identity.metadata.get("pageId") if identity else None,
        events=tuple(outcome.events),
        left_out=drop.reason.value if drop else outcome.left_out,
        no_page=_no_page(outcome, config),
    )


def _time_ns(record: DecodedSpan | DecodedLogRecord) -> int:
    """Return the start of a span or the time of a log record, so that an error follows the page that it is on."""
    if isinstance(record, DecodedSpan):
        return record.start_time or 0
    return record.log_record.timestamp or record.log_record.observed_timestamp or 0


def _has_hash(explained: Iterable[Explained], records: Iterable[DecodedSpan | DecodedLogRecord]) -> bool:
    """Return whether a session or user id is a hash: a UUID of version 8 that is no attribute's value."""
    ids = {_digits(each) for record in explained for each in (record.session_id, record.user_id) if each}
    sent = {_digits(value) for record in records for value in _values(record) if isinstance(value, str)}
    return any(each[_VERSION_AT] == "8" for each in ids - sent)


def _digits(value: str) -> str:
    return value.replace("-", "").lower()


def _values(record: DecodedSpan | DecodedLogRecord) -> Iterator[Any]:
    own = record.attributes if isinstance(record, DecodedSpan) else record.log_record.attributes
    return chain(own.values(), record.resource.attributes.values())


def _no_page(outcome: Outcome, config: Config) -> str | None:
    """Return why a GET request served is no page view, if one could have expected it."""
    view = outcome.view
    if not isinstance(view, SpanView) or view.kind is not SpanKind.SERVER or http_event.method(view) != "GET":
        return None
    return None if outcome.rule is None else page_view.why_no_page(view, config)
