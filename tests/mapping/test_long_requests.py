"""Requests that last longer than their children wait: streams, websockets, long polls, slow reports.

A session that a person had is named by the request, which has not ended when its children are sent.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.mapping.outcome import Converted
from tests.logs import make_log
from tests.spans import START_NS, make_config, make_span

A = "11111111-1111-4111-8111-111111111111"
PROCESS = "00000000-0000-4000-8000-000000000001"
NAMED = {"session.id": A}
SERVED = {"http.request.method": "GET", "http.route": "/report", "http.response.status_code": 500}
SECOND_NS = 1_000_000_000


class Process:
    """A process in which time passes, and the events it has sent."""

    def __init__(self, *, is_server: bool = True, **settings: Any) -> None:
        ids = (f"00000000-0000-4000-8000-{number:012}" for number in itertools.count(1))
        config = make_config(**{"session_start": "auto", **settings})
        self.converter = Converter(config, new_id=lambda: next(ids), ledger=Ledger(), log=RateLimitedLog())
        self.seconds = 0.0
        self.sent: list[tuple[str, str]] = []
        if is_server:
            self.add(served(**NAMED))
            self.sent.clear()

    def add(self, *records: ReadableSpan | ReadableLogRecord, seconds: float = 0) -> Process:
        """Convert records, each as a batch of its own, and let time pass."""
        for record in records:
            convert: Any = self.converter.spans if isinstance(record, ReadableSpan) else self.converter.log_records
            self._keep(convert([record], self.now))
        self.seconds += seconds
        self._keep(self.converter.expire(self.now))
        return self

    def close(self) -> Process:
        self._keep(self.converter.close(self.now))
        return self

    @property
    def now(self) -> Moment:
        return Moment(START_NS, int(self.seconds * SECOND_NS))

    @property
    def starts(self) -> list[str]:
        """The sessions that RUM counts."""
        return [session for session, name in self.sent if name == "session_start_event"]

    @property
    def sessions(self) -> dict[str, str]:
        """The session of each event by its type."""
        return {name: session for session, name in self.sent}

    def _keep(self, converted: Converted) -> None:
        self.sent += [
            (key.session_id, kind.removeprefix(PREFIX))
            for key, events in converted.events.items()
            for kind, *_ in events
        ]


def served(**attributes: str) -> ReadableSpan:
    """Make the span of a request, which fails, so that it is an event."""
    return make_span("GET /report", {**SERVED, **attributes}, kind=SpanKind.SERVER)


@pytest.mark.parametrize("mode", ["auto", "minted"])
def test_children_of_a_long_request_are_sent_and_start_no_session(mode: str) -> None:
    """Before and after their wait, and whatever is below them: no person had the process session."""
    process, request = Process(session_start=mode), served(**NAMED)
    early = make_span("early", parent=request)
    process.add(make_span("early_step", parent=early), early, make_log("early_line", span=request), seconds=30)
    late = make_span("late", parent=request)
    process.add(make_log("late_line", span=request), late, make_span("late_step", {"rows": 7}, parent=late))
    process.add(request)
    assert set(process.sessions) == {
        *("early", "early_step", "early_line", "late", "late_step", "late_line", "http_event")
    }
    assert process.starts == []
    assert process.sessions["http_event"] == A
    assert process.sessions["late"] == process.sessions["early"] == PROCESS


def test_children_of_requests_that_the_end_of_the_process_cuts_off_start_no_session() -> None:
    """The span of such a request is never exported."""
    process = Process().add(make_span("step", parent=served(**NAMED))).close()
    assert process.sent == [(PROCESS, "step")]


def test_a_child_of_a_long_request_with_a_session_of_its_own_starts_it() -> None:
    """`RumSessionProcessor` sets it when the child starts."""
    other = "22222222-2222-4222-8222-222222222222"
    process = Process().add(make_span("step", {"session.id": other}, parent=served()), seconds=30)
    assert process.starts == [other]


def test_a_child_of_a_long_request_is_in_the_session_of_its_resource() -> None:
    """As of a kiosk, which has one user."""
    kiosk = {"session.id": "22222222-2222-4222-8222-222222222222"}
    process = Process().add(make_span("step", parent=served(), resource=kiosk), seconds=30)
    assert process.starts == [kiosk["session.id"]]


@pytest.mark.parametrize("span", [served(), make_span("job")])
def test_a_request_or_a_job_without_a_session_starts_the_process_session(span: ReadableSpan) -> None:
    """Also after children of a long request were sent in it."""
    process = Process().add(make_span("step", parent=served()), seconds=30).add(span)
    assert process.starts == [PROCESS]


def test_a_request_below_a_span_that_never_ends_starts_the_process_session() -> None:
    """As one without that span: a command that runs a server encloses all requests."""
    command = make_span("command")
    request = make_span("GET /", SERVED, parent=command, scope="opentelemetry.instrumentation.asgi")
    assert Process().add(request, seconds=6).starts == [PROCESS]


def test_the_main_loop_of_a_program_with_one_user_does_not_cost_the_session_its_start() -> None:
    """Its span ends with the program."""
    process = Process(is_server=False).add(make_span("click", parent=make_span("main loop")), seconds=30)
    assert process.starts == [PROCESS]


def test_jobs_below_a_span_that_never_ends_keep_their_sessions_apart() -> None:
    """One without a session does not get the one of the job before it."""
    loop = make_span("loop")
    process = Process().add(make_span("first", NAMED, parent=loop), seconds=30)
    process.add(make_span("second", parent=loop))
    assert process.sessions == {"first": A, "second": PROCESS}
