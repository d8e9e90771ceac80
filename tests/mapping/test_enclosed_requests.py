"""Requests served below a span that encloses the whole process: a command, a main loop, a job that runs a server.

OpenTelemetry's Python instrumentations record them as INTERNAL, and their parent ends with the process or never.
"""

from __future__ import annotations

import itertools
import json
import random
import uuid
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.mapping.outcome import Converted
from otel_rum_exporter.rum.event import RumEvent
from tests.spans import START_NS, exception_event, make_config, make_span

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
FASTAPI = "opentelemetry.instrumentation.fastapi"
OLD = {"http.method": "GET", "http.scheme": "http", "http.target": "/orders/7", "http.route": "/orders/{number}"}
STABLE = {"http.request.method": "GET", "url.scheme": "http", "url.path": "/orders/7"}
SECOND_NS = 1_000_000_000
TRACE = SpanContext(7 << 64, 7 << 32, is_remote=False)
"""The span of the process: no test exports it unless it says so."""


class Process:
    """A converter, and the time of its process."""

    def __init__(self, *, is_durable: bool = False, **settings: Any) -> None:
        ids = (str(uuid.UUID(int=number)) for number in itertools.count(1))
        self.ledger = Ledger()
        self.converter = Converter(
            make_config(session_start="never", **settings),
            new_id=lambda: next(ids),
            ledger=self.ledger,
            log=RateLimitedLog(),
            is_durable=is_durable,
        )
        self.seconds = 0.0

    @property
    def now(self) -> Moment:
        return Moment(START_NS, int(self.seconds * SECOND_NS))

    def export(self, *spans: ReadableSpan) -> list[str]:
        """Convert a batch of spans; return the types of the events."""
        return _types(self.converter.spans(spans, self.now))

    def wait(self, seconds: float) -> list[str]:
        """Let time pass."""
        self.seconds += seconds
        return _types(self.converter.expire(self.now))

    def close(self) -> list[str]:
        return _types(self.converter.close(self.now))

    def sessions(self, *spans: ReadableSpan) -> list[str]:
        """Convert a batch of spans; return the sessions of the events."""
        converted = self.converter.spans(spans, self.now)
        return [key.session_id for key, events in converted.events.items() for _ in events]


def _types(converted: Converted) -> list[str]:
    return [kind.removeprefix(PREFIX) for events in converted.events.values() for kind, *_ in events]


def request(
    attributes: dict[str, Any] | None = None, parent: ReadableSpan | SpanContext | None = TRACE, **more: Any
) -> ReadableSpan:
    """Make the span of a request as an instrumentation does below another span."""
    status = {"http.status_code": 200, **(OLD if attributes is None else attributes)}
    return make_span("GET /orders/{number}", status, parent=parent, **{"scope": FASTAPI, **more})


def test_the_first_request_waits_for_seconds_and_later_ones_do_not() -> None:
    """An outer request would have been exported by then."""
    process = Process()
    assert process.export(request()) == []
    assert process.converter.next_expiry_seconds(process.now) == 6
    assert process.wait(5.9) == []
    assert process.wait(0.1) == ["page_view_event", "performance_navigation_event"]
    assert process.export(request({**OLD, "http.status_code": 500})) == ["http_event"]
    assert process.ledger.pending == 0
    process.seconds += 3600
    assert process.export(request({**STABLE, "http.status_code": 404})) == ["http_event"]


@pytest.mark.parametrize("scope", ["asgi", "wsgi", "flask", "pyramid.callbacks", "sanic"])
@pytest.mark.parametrize("attributes", [OLD, STABLE, {"http.method": "GET", "http.route": "/orders/{number}"}])
def test_each_instrumentation_of_a_server_is_known(scope: str, attributes: dict[str, Any]) -> None:
    """Also those of other projects, in the old and the stable conventions."""
    failed = request({**attributes, "http.status_code": 500}, scope=f"opentelemetry.instrumentation.{scope}")
    process = Process()
    assert process.export(failed) + process.close() == ["http_event"]


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ({}, FASTAPI),
        ({"http.status_code": 200, "asgi.event.type": "http.response.start"}, FASTAPI),
        ({**OLD, "asgi.event.type": "http.response.start"}, FASTAPI),
        ({"http.method": "GET", "http.url": "https://bank.example/"}, FASTAPI),
        ({"http.method": "GET", "http.route": "/", "hapi.type": "router"}, "@opentelemetry/instrumentation-hapi"),
    ],
)
def test_other_steps_of_a_library_are_no_requests(attributes: dict[str, Any], scope: str) -> None:
    """A message of ASGI, a call, a step of a router of another language: nothing, as below a request."""
    process = Process()
    step = make_span("step", attributes, parent=TRACE, scope=scope)
    assert process.export(step) + process.close() == []


def test_a_span_of_the_application_with_the_attributes_of_a_request_is_its_own_event() -> None:
    """Only instrumentations record requests as INTERNAL."""
    process = Process()
    assert process.export(request(scope="shop")) + process.close() == ["GET_orders_number"]


def test_a_request_below_a_span_that_ends_does_not_wait_for_longer() -> None:
    """A script that asks an application in its own process."""
    script = make_span("nightly check")
    process = Process()
    assert process.export(request(parent=script)) == []
    assert process.export(script) == ["nightly_check", "page_view_event", "performance_navigation_event"]


@pytest.mark.parametrize("kind", [SpanKind.SERVER, SpanKind.INTERNAL])
@pytest.mark.parametrize("seconds_between", [0, 2.5])
@pytest.mark.parametrize("is_durable", [False, True])
def test_a_request_within_another_is_part_of_it(kind: SpanKind, seconds_between: float, *, is_durable: bool) -> None:
    """Also below a step between them, whenever each is exported; its exception is one error."""
    outer = request({**OLD, "http.status_code": 500}, kind=kind, parent=TRACE if kind is SpanKind.INTERNAL else None)
    step = make_span("middleware", parent=outer)
    inner = request({**OLD, "http.status_code": 500}, parent=step, events=[exception_event("KeyError", "sku", "stack")])
    process = Process(is_durable=is_durable)
    found = []
    for span in (inner, step, outer):
        found += process.export(span)
        found += process.wait(seconds_between)
    assert sorted(found + process.close()) == ["http_event", "js_error_event", "middleware"]


def test_sessions_are_those_of_each_request() -> None:
    """A request without a session does not get another one's, although both are in one trace."""
    process = Process()
    process.export(request())
    process.wait(6)
    known = request({**OLD, "session.id": A})
    assert set(process.sessions(make_span("work", parent=known), known)) == {A}
    unknown = request()
    of_process = set(process.sessions(make_span("work", parent=unknown), unknown))
    assert len(of_process) == 1
    assert A not in of_process
    aiohttp: dict[str, Any] = {"kind": SpanKind.SERVER, "scope": "opentelemetry.instrumentation.aiohttp_server"}
    assert set(process.sessions(request({**OLD, "session.id": B}, TRACE, **aiohttp))) == {B}
    assert set(process.sessions(request(OLD, TRACE, **aiohttp))) == of_process


def test_the_same_exception_in_two_requests_is_two_errors() -> None:
    """Although both are in one trace. Within a request it is one."""
    process = Process()
    process.export(request())
    process.wait(6)
    failed = {**OLD, "http.status_code": 500}
    raised = [exception_event("KeyError", "sku", 'File "shop.py", line 7, in sell')]
    for _ in range(2):
        span = request(failed, events=raised)
        found = process.export(make_span("sell", parent=span, events=raised), span)
        assert sorted(found) == ["http_event", "js_error_event", "sell"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (0, 2, 3, 1)])
def test_the_same_exception_in_two_pending_requests_is_two_errors_with_a_spool(order: tuple[int, ...]) -> None:
    """A pending span is mapped before its request is known."""
    process = Process(is_durable=True)
    failed = {**OLD, "http.status_code": 500}
    raised = [exception_event("KeyError", "sku", 'File "shop.py", line 7, in sell')]
    requests = [request(failed, events=raised) for _ in range(2)]
    spans = [span for one in requests for span in (make_span("sell", parent=one, events=raised), one)]
    found = [event for index in order for event in process.export(spans[index])]
    found += process.wait(6) + process.close()
    assert sorted(found) == [name for name in ("http_event", "js_error_event", "sell") for _ in requests]


def test_the_stored_errors_of_pending_requests_are_those_of_each_request() -> None:
    """A process that is killed leaves them to the next one."""
    process = Process(is_durable=True)
    failed = {**OLD, "http.status_code": 500}
    raised = [exception_event("KeyError", "sku", 'File "shop.py", line 7, in sell')]
    requests = [request(failed, events=raised) for _ in range(2)]
    spans = [span for one in requests for span in (make_span("sell", parent=one, events=raised), one)]
    stored = process.converter.spans(spans, process.now).provisional
    types = [kind for by_key in stored.values() for events in by_key.values() for kind, *_ in events]
    assert types.count(f"{PREFIX}js_error_event") == 2


def test_a_spool_does_not_change_events_and_sessions() -> None:
    """Whatever the tree of spans, their order and their batches; each event is sent once, and none stays stored."""
    for seed in range(40):
        source = random.Random(seed)
        spans = _tree(source)
        batches = [(span, source.random() < 0.5, source.choice((0, 1, 6.5))) for span in reversed(spans)]
        in_memory, with_spool = (_sent(Process(is_durable=is_durable), batches) for is_durable in (False, True))
        assert in_memory == with_spool, f"seed {seed}"
        assert len(in_memory) == len({event_id for event_id, _ in in_memory}), f"seed {seed}"


def _tree(source: random.Random) -> list[ReadableSpan]:
    """Make requests and steps below a span that never ends."""
    spans: list[ReadableSpan] = []
    for number in range(source.randint(2, 9)):
        candidates: list[ReadableSpan | SpanContext] = [TRACE, *spans]
        parent = source.choice(candidates)
        line = source.randint(1, 4)
        events = [exception_event("KeyError", "sku", f'File "shop.py", line {line}, in sell')] if line < 3 else []
        session = {"session.id": f"session {number}"} if parent is TRACE and source.random() < 0.5 else {}
        attributes = {**OLD, "http.status_code": 500, **session}
        is_request = source.random() < 0.6
        spans.append(
            request(attributes, parent, events=events)
            if is_request
            else make_span("step", parent=parent, events=events)
        )
    return spans


def _sent(process: Process, batches: list[tuple[ReadableSpan, bool, float]]) -> list[tuple[str, str]]:
    """Return the ids and sessions of all events. A span with true ends its batch; then seconds pass."""
    found: list[tuple[str, str]] = []
    stored: set[int] = set()
    batch: list[ReadableSpan] = []

    def add(converted: Converted) -> None:
        found.extend(
            (RumEvent(*event).id, key.session_id) for key, events in converted.events.items() for event in events
        )
        stored.difference_update(converted.resolved)
        stored.update(converted.provisional)

    for span, is_end, seconds in batches:
        batch.append(span)
        if is_end:
            add(process.converter.spans(batch, process.now))
            batch.clear()
        process.seconds += seconds
        add(process.converter.expire(process.now))
    add(process.converter.spans(batch, process.now))
    add(process.converter.close(process.now))
    assert not stored
    return sorted(found)


@pytest.mark.parametrize("is_durable", [False, True])
def test_spans_of_long_requests_do_not_get_the_session_of_another_request(*, is_durable: bool) -> None:
    """Their requests have not ended when their wait ends, and all are in one trace."""
    process = Process(is_durable=is_durable)
    known, unknown = request({**OLD, "session.id": A}), request()
    process.export(make_span("work", {"session.id": A}, parent=known))
    process.export(make_span("work", parent=unknown))
    process.seconds += 30
    sessions = [key.session_id for key in process.converter.expire(process.now).events]
    assert len(sessions) == 2
    assert A in sessions


def test_a_process_sends_what_is_below_a_span_that_never_ends() -> None:
    """After the first 30 seconds, without a wait. At its end nothing is pending."""
    process = Process()
    user = {"session.id": A}
    assert process.export(make_span("job", user, parent=TRACE)) == []
    assert process.wait(29) == []
    assert process.wait(1) == ["job"]
    assert process.export(make_span("job", user, parent=TRACE)) == ["job"]
    other = SpanContext(8 << 64, 8 << 32, is_remote=False)
    assert process.export(make_span("late", user, parent=other)) == []
    assert process.close() == ["late"]
    assert process.ledger.pending == 0


def test_a_span_below_a_pending_one_has_its_session_when_the_wait_ends() -> None:
    """The parent has arrived, and waits itself for a span that never ends."""
    process = Process()
    task = make_span("task", {"session.id": A}, parent=TRACE)
    process.export(make_span("step", parent=task))
    process.seconds += 10
    process.export(task)
    process.seconds += 20
    converted = process.converter.expire(process.now)
    assert [key.session_id for key in converted.events] == [A]
    assert sorted(_types(converted)) == ["step", "task"]


def test_the_custom_event_of_a_request_is_as_that_of_a_server_span() -> None:
    """But for its own ids."""
    details = []
    for kind, parent in ((SpanKind.INTERNAL, TRACE), (SpanKind.SERVER, TRACE)):
        process = Process()
        span = request({**OLD, "http.method": "POST"}, kind=kind, parent=parent)
        process.converter.spans([span], process.now)
        ((event,),) = process.converter.close(process.now).events.values()
        details.append({**json.loads(RumEvent(*event).members["details"]), "spanId": ""})
    assert details[0] == details[1]
