"""The sessions that get a `session_start_event`: each once in a process, and none that another program starts."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.config import Config
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.rum.event import RumEvent
from tests.logs import make_log
from tests.spans import APP_MONITOR_ID, START_NS, make_config, make_span

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
PROCESS = "00000000-0000-4000-8000-000000000001"
START = PREFIX + "session_start_event"
NAMED = {"session.id": A}
PAGE = {
    "http.request.method": "GET",
    "http.route": "/cart",
    "http.response.status_code": 200,
    "user_agent.original": "Mozilla/5.0",
}
BY_BROWSER = {"rum.session.joined": "browser"}
BY_SERVER = {"rum.session.joined": "server"}

Record = ReadableSpan | ReadableLogRecord


class Process:
    """A process that makes events of records, given one after the other."""

    def __init__(self, **settings: Any) -> None:
        ids = (f"00000000-0000-4000-8000-{number:012}" for number in itertools.count(1))
        self.ledger, self.log = Ledger(), RateLimitedLog()
        config = make_config(**{"session_start": "auto", **settings})
        self._converter = Converter(config, new_id=lambda: next(ids), ledger=self.ledger, log=self.log)
        self.events: list[tuple[str, RumEvent]] = []

    def add(self, *records: Record) -> Process:
        """Convert records and what is pending."""
        now = Moment(START_NS, 0)
        for record in records:
            convert: Any = self._converter.spans if isinstance(record, ReadableSpan) else self._converter.log_records
            self._keep(convert([record], now))
        self._keep(self._converter.close(now))
        return self

    def _keep(self, converted: Any) -> None:
        self.events += [(key.session_id, event) for key, events in converted.events.items() for event in events]

    @property
    def starts(self) -> list[str]:
        return [session for session, event in self.events if event.type == START]

    @property
    def types(self) -> list[str]:
        return [event.type.removeprefix(PREFIX) for _, event in self.events]


def test_auto_is_the_default() -> None:
    """A server that names sessions is counted without a setting."""
    assert Config.read({"app_monitor_id": APP_MONITOR_ID}, {}).session_start == "auto"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("auto", [A, B, PROCESS]), ("minted", [B, PROCESS]), ("never", [])],
)
def test_the_setting_chooses_the_sessions_that_are_started(mode: str, expected: list[str]) -> None:
    """Each once: the one that the application named, the one that this process created, and the process session."""
    minted = {"session.id": B, "rum.session.minted": True}
    found = Process(session_start=mode).add(*(make_span("work", attributes) for attributes in (NAMED, minted, {}) * 3))
    assert found.starts == expected
    assert len(found.events) == 9 + len(expected)


def test_the_start_is_the_first_event_and_its_id_depends_on_the_session_alone() -> None:
    """So all processes of a server send the same event."""
    one = Process().add(make_span("one", NAMED), make_span("two", NAMED))
    other = Process().add(make_span("other", {**NAMED, "user.id": "ann"}, kind=SpanKind.SERVER))
    assert (one.types[0], other.types[0]) == ("session_start_event", "session_start_event")
    assert one.events[0][1].id == other.events[0][1].id
    assert one.events[0][1].id != Process().add(make_span("one", {"session.id": B})).events[0][1].id


@pytest.mark.parametrize("joined", [BY_BROWSER, BY_SERVER])
def test_a_joined_session_is_not_started(joined: dict[str, str]) -> None:
    """Nor by what is below the request, whether it names the session or inherits it."""
    request = make_span("GET /cart", {**NAMED, **joined, **PAGE}, kind=SpanKind.SERVER)
    child = make_span("child", parent=request)
    naming = make_span("naming", NAMED, parent=request)
    log = make_log("order", span=request)
    found = Process().add(request, child, naming, log)
    assert {"child", "naming", "order"} <= set(found.types)
    assert found.starts == []
    assert {session for session, _ in found.events} == {A}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_session_that_the_telemetry_starts_is_started_once(order: tuple[int, ...]) -> None:
    """In whatever order its `session.start` and its spans arrive, and if it arrives twice."""
    records: list[Record] = [
        make_log("session.start", NAMED),
        make_span("work", NAMED),
        make_log("session.start", NAMED),
    ]
    found = Process().add(*(records[index] for index in order))
    assert found.starts == [A]
    assert sorted(found.types) == ["session_start_event", "work"]


def test_never_keeps_the_start_of_the_telemetry() -> None:
    """The setting is about the events that the exporter adds."""
    assert Process(session_start="never").add(make_log("session.start", NAMED)).starts == [A]


def test_an_issued_session_starts_although_its_first_request_is_no_event() -> None:
    """The next requests have the cookie, and the processes that serve them do not start it."""
    minted = {"session.id": A, "rum.session.minted": True, "rum.event.type": "none"}
    assert Process().add(make_span("POST /", minted, kind=SpanKind.SERVER)).starts == [A]
    assert Process().add(make_span("work", {**NAMED, "rum.event.type": "none"})).events == []
    assert Process().add(make_span("work", {"rum.event.type": "none"})).events == []


def test_a_session_that_is_not_recorded_is_not_started() -> None:
    """Nothing of it is sent."""
    minted = {"session.id": A, "rum.session.minted": True, "rum.session.sampled": False}
    assert Process().add(make_span("work", minted)).events == []


def test_pages_of_a_browser_with_the_client_are_left_to_it() -> None:
    """Failures, errors and own spans are sent; a session of an issued cookie has its pages from the server."""
    kind = SpanKind.SERVER
    page = make_span("GET /cart", {**NAMED, **BY_BROWSER, **PAGE}, kind=kind)
    assert Process().add(page).types == []
    assert Process(page_views="all").add(page).types == []
    assert Process(http_events="all").add(page).types == ["http_event"]
    failed = make_span("GET /cart", {**NAMED, **BY_BROWSER, **PAGE, "http.response.status_code": 500}, kind=kind)
    assert Process().add(failed).types == ["http_event"]
    issued = make_span("GET /cart", {**NAMED, **BY_SERVER, **PAGE}, kind=kind)
    assert Process().add(issued).types == ["page_view_event", "performance_navigation_event"]


def test_advice_about_missing_sessions_knows_the_middleware(caplog: pytest.LogCaptureFixture) -> None:
    """Two kinds, once each; none for programs that get no cookies, and none if the value is nonsense."""
    process = Process()
    for missing in (None, "no cookie", "not issued", ["no cookie"], 7):
        attributes = PAGE if missing is None else {**PAGE, "rum.session.missing": missing}
        process.add(*(make_span("GET /", attributes, kind=SpanKind.SERVER) for _ in range(2)))
    process.add(make_span("GET /", {**PAGE, **NAMED}, kind=SpanKind.SERVER))
    with caplog.at_level(logging.WARNING):
        process.log.write()
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert "add RumSessionMiddleware" in texts[0]
    assert "issue_cookies=True, or session=" in texts[1]
    assert "add RumSessionMiddleware" not in texts[1]
