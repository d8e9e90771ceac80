"""The table of questions. Each case changes one thing of a request that RUM is known to accept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from ...config import variable
from .answer import Answer

EVENT_TYPE = "otel_rum_probe"
MINUTE, HOUR, DAY = 60, 3600, 86_400
BURST_EVENTS, BURST_REQUESTS = 200, 100

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Request bodies that differ from a valid one in one thing. The bodies of a burst are sent at the same time."""

    name: str
    bodies: Sequence[Body]
    is_compressed: bool = False
    is_burst: bool = False


@dataclass(frozen=True, slots=True)
class Builder:
    """Build valid bodies. Their events carry `run_id`, so that people find the events of a run."""

    run_id: str
    app_monitor_id: str
    domain: str
    now_seconds: int
    session_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def event(
        self,
        *,
        age_seconds: float = 0,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **members: Any,
    ) -> Body:
        """Return a valid event with changed members. `metadata` is added to the usual metadata."""
        return {
            "id": str(uuid.uuid4()),
            "timestamp": self.now_seconds - age_seconds,
            "type": EVENT_TYPE,
            "details": _text(details if details is not None else {"run": self.run_id}),
            "metadata": _text({"version": "1.0.0", "domain": self.domain, **(metadata or {})}),
            **members,
        }

    def body(self, *events: Body, **members: Any) -> Body:
        """Return a valid request body with changed members."""
        return {
            "BatchId": str(uuid.uuid4()),
            "AppMonitorDetails": {"id": self.app_monitor_id},
            "UserDetails": {"sessionId": self.session_id, "userId": self.session_id},
            "RumEvents": list(events),
            **members,
        }

    def case(self, name: str, *, is_compressed: bool = False, **event: Any) -> Case:
        """Return a case of one event."""
        return Case(name, [self.body(self.event(**event))], is_compressed)


class Question(NamedTuple):
    """A row of the table. `recommend` returns the setting that the answers by case suggest, or None."""

    name: str
    about: str
    cases: Callable[[Builder], Iterator[Case]]
    recommend: Callable[[Mapping[str, Answer]], str | None] = lambda _: None


def _text(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _timestamps(build: Builder) -> Iterator[Case]:
    yield build.case("whole seconds")
    yield build.case("milliseconds", age_seconds=0.125)
    yield build.case("microseconds", age_seconds=0.123456)


def _ages(build: Builder) -> Iterator[Case]:
    ages = {"5 minutes": 5 * MINUTE, "1 hour": HOUR, "3 hours": 3 * HOUR, "1 day": DAY}
    ages |= {f"{days} days": days * DAY for days in (3, 7, 14, 28)}
    for name, age_seconds in ages.items():
        yield build.case(f"{name} old", age_seconds=age_seconds)
    for name, ahead_seconds in {"1 minute": MINUTE, "10 minutes": 10 * MINUTE, "1 hour": HOUR, "1 day": DAY}.items():
        yield build.case(f"{name} in the future", age_seconds=-ahead_seconds)


def _events_per_request(build: Builder) -> Iterator[Case]:
    for count in (100, 200, 500, 1000):
        yield Case(f"{count:,} events", [build.body(*(build.event() for _ in range(count)))])


def _bytes_per_event(build: Builder) -> Iterator[Case]:
    smallest_bytes = len(orjson.dumps(build.event(details={"text": ""})))
    for size_bytes in (5_900, 6_000, 6_144, 6_500, 10_000, 30_000):
        yield build.case(f"{size_bytes:,} bytes", details={"text": "x" * (size_bytes - smallest_bytes)})


def _repeated_ids(build: Builder) -> Iterator[Case]:
    event = build.event()
    yield Case("an event twice in a request", [build.body(event, event)])
    event = build.event()
    yield Case("an event in two requests", [build.body(event), build.body(event)])
    body = build.body(build.event())
    yield Case("a request twice", [body, body])
    body = build.body(build.event())
    yield Case("a BatchId with other events", [body, build.body(build.event(), BatchId=body["BatchId"])])


def _domains(build: Builder) -> Iterator[Case]:
    yield build.case("the app monitor's domain")
    yield build.case("another domain", metadata={"domain": "otel-rum-probe.invalid"})


def _unknown_members(build: Builder) -> Iterator[Case]:
    page = {"version": "1.0.0", "pageId": f"/{build.run_id}"}
    kind = "com.amazon.rum.page_view_event"
    yield build.case("none, in a built-in event", type=kind, details=page)
    yield build.case("in the details of a built-in event", type=kind, details={**page, "unknown": 1})
    yield build.case("in an event", unknown=1)
    yield Case("in a request", [build.body(build.event(), Unknown=1)])


def _compression(build: Builder) -> Iterator[Case]:
    yield build.case("gzip", is_compressed=True, details={"text": "x" * 4000})


def _trace_ids(build: Builder) -> Iterator[Case]:
    request = {
        "version": "1.0.0",
        "request": {"method": "GET", "url": "https://otel-rum-probe.invalid/"},
        "response": {"status": 500, "statusText": build.run_id},
        "segment_id": uuid.uuid4().hex[:16],
    }
    trace_id = uuid.uuid4().hex
    for name, text in {"X-Ray's format": f"1-{trace_id[:8]}-{trace_id[8:]}", "W3C's format": trace_id}.items():
        yield build.case(name, type="com.amazon.rum.http_event", details={**request, "trace_id": text})


def _event_types(build: Builder) -> Iterator[Case]:
    for name, kind in {
        "letters": EVENT_TYPE,
        "dots and dashes": f"{EVENT_TYPE}.a-b",
        "a space": f"{EVENT_TYPE} a",
        "256 characters": EVENT_TYPE.ljust(256, "x"),
        "257 characters": EVENT_TYPE.ljust(257, "x"),
        "com.amazon.rum.unknown": "com.amazon.rum.unknown",
    }.items():
        yield build.case(name, type=kind)


def _custom_attributes(build: Builder) -> Iterator[Case]:
    for count in (10, 11, 20):
        yield build.case(f"{count} attributes", metadata={f"probe{number}": number for number in range(count)})
    yield build.case("a name with a dot", metadata={"probe.name": 1})
    yield build.case("a value of 257 characters", metadata={"probe": "x" * 257})


def _bursts(build: Builder) -> Iterator[Case]:
    half = [[build.event() for _ in range(BURST_EVENTS // 2)] for _ in range(2)]
    yield Case(f"{BURST_EVENTS} events at once", [build.body(*events) for events in half], is_burst=True)
    requests = [build.body(build.event()) for _ in range(BURST_REQUESTS)]
    yield Case(f"{BURST_REQUESTS} requests at once", requests, is_burst=True)


def _if_lost(case: str, setting: str) -> Callable[[Mapping[str, Answer]], str | None]:
    """Return a function that recommends a setting if RUM did not keep every event of a case."""
    return lambda answers: setting if answers[case].kept < answers[case].sent else None


def _of_bursts(answers: Mapping[str, Answer]) -> str | None:
    requests = answers[f"{BURST_REQUESTS} requests at once"]
    if requests.kept < requests.sent:
        return f"{variable('max_requests_per_second')}={max(1, requests.kept)}"
    return None


QUESTIONS = (
    Question("timestamps", "Does RUM keep fractions of a second?", _timestamps),
    Question("ages", "How old, and how far in the future, may an event be?", _ages),
    Question("events per request", "How many events may a request have?", _events_per_request),
    Question("bytes per event", "How large may an event be?", _bytes_per_event),
    Question("repeated ids", "Does RUM recognise events and requests that it already has?", _repeated_ids),
    Question("domains", "Does RUM drop events of other domains?", _domains),
    Question("unknown members", "Does RUM drop events with members that it does not know?", _unknown_members),
    Question(
        "compression",
        "Does RUM accept compressed requests?",
        _compression,
        _if_lost("gzip", f"{variable('compression')}=none"),
    ),
    Question("trace ids", "Which formats of trace ids does RUM keep?", _trace_ids),
    Question(
        "event types",
        "Which types of custom events does RUM keep?",
        _event_types,
        _if_lost("letters", f"{variable('custom_events')}=none, or custom events enabled in the app monitor"),
    ),
    Question("custom attributes", "Which custom attributes does RUM keep?", _custom_attributes),
    Question("bursts", "What happens above 50 events or requests a second?", _bursts, _of_bursts),
)
