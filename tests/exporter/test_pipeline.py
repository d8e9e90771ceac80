"""The pipeline, whatever interrupts it, and however it ends."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from botocore.exceptions import ClientError
from opentelemetry.sdk.trace import ReadableSpan

import otel_rum_exporter
from otel_rum_exporter.exporter.pipeline import Pipeline, QueueFullError
from otel_rum_exporter.exporter.registry import SharedPipeline
from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.mapping import pending
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.outcome import Converted
from tests.logs import make_log
from tests.spans import make_config, make_span

LONG_SECONDS = 100.0
PACKAGE = str(Path(otel_rum_exporter.__file__).parent)


class Client:
    """Accepts everything."""

    def put_rum_events(self, **_: Any) -> dict[str, Any]:
        return {}


EXPORTS, STEPS_BETWEEN = 200, 4001


class Interrupted:
    """A shared pipeline, and a profiler that exports spans between the steps of the package's own code."""

    def __init__(self, tmp_path: Path | None) -> None:
        spool = {"spool_directory": str(tmp_path)} if tmp_path else {}
        self.shared = SharedPipeline(make_config(max_requests_per_second=0, **spool), Client())
        self.given = 0
        self._steps = 0

    def export(self) -> None:
        self.given += 1
        self.shared.export(one_span(str(self.given % 10)))

    def interrupt(self, frame: FrameType, _event: str, _: object) -> None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            self._steps += 1
            # One export takes more than a thousand steps: interrupting each of them would never end.
            if self._steps % STEPS_BETWEEN == 0:
                self.export()


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what must happen; only a failure takes long."""
    deadline = time.monotonic() + LONG_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def one_span(session: str = "one") -> Callable[[Pipeline], None]:
    """Return the step that adds a span."""
    span = make_span(attributes={"session.id": session})
    return lambda pipeline: pipeline.add_spans([span])


@pytest.fixture
def _one_conversion_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a conversion begins within another one, which would see half of its change."""
    spans, converting = Converter.spans, threading.Lock()

    def checked(*given: Any) -> Converted:
        assert converting.acquire(blocking=False)
        try:
            return spans(*given)
        finally:
            converting.release()

    monkeypatch.setattr(Converter, "spans", checked)


@pytest.mark.usefixtures("_one_conversion_at_a_time")
@pytest.mark.parametrize("is_spooled", [False, True])
def test_a_signal_handler_or_finalizer_may_export_at_any_moment(*, is_spooled: bool, tmp_path: Path) -> None:
    """Python runs them between any two steps, also within a change; another thread exports meanwhile."""
    interrupted = Interrupted(tmp_path if is_spooled else None)
    failures: list[BaseException] = []
    is_over = threading.Event()

    def export() -> None:
        sys.setprofile(interrupted.interrupt)
        try:
            for _ in range(EXPORTS):
                interrupted.export()
        except BaseException as error:  # noqa: BLE001 - reported by the assertion below
            failures.append(error)
        finally:
            sys.setprofile(None)
            is_over.set()

    def export_beside() -> None:
        while not is_over.is_set():
            interrupted.shared.export(one_span("beside"))

    threads = [threading.Thread(target=target, daemon=True) for target in (export, export_beside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_SECONDS)
        assert not thread.is_alive()
    interrupted.shared.leave(LONG_SECONDS)
    ledger = interrupted.shared.ledger
    assert (failures, ledger.stored, ledger.dropped) == ([], 0, {})
    assert ledger.delivered > interrupted.given > EXPORTS + EXPORTS // 10


def test_spans_that_a_finalizer_ends_in_a_delivery_thread_are_delivered() -> None:
    """Also when the thread is about to sleep: nothing else happens afterwards that would wake it."""
    shared, given, steps = SharedPipeline(make_config(max_requests_per_second=0), Client()), [0], itertools.count(1)

    def export() -> None:
        given[0] += 1
        shared.export(one_span())

    def interrupt(frame: FrameType, _event: str, _: object) -> None:
        if frame.f_code.co_filename.startswith(PACKAGE) and next(steps) % 37 == 0 and given[0] < 200:
            export()

    threading.setprofile(interrupt)
    try:
        export()
        wait_until(lambda: shared.ledger.delivered == given[0] == 200)
    finally:
        threading.setprofile(None)
        shared.leave(LONG_SECONDS)


def test_a_span_that_a_signal_handler_ends_while_the_ledger_is_read_is_delivered() -> None:
    """At each of the steps that it takes; nothing else happens afterwards that would deliver the span."""
    shared = SharedPipeline(make_config(max_requests_per_second=0), Client())
    shared.export(one_span())
    for chosen in itertools.count():
        steps = itertools.count()

        def interrupt(
            frame: FrameType, _event: str, _: object, chosen: int = chosen, steps: Iterator[int] = steps
        ) -> None:
            if frame.f_code.co_filename.startswith(PACKAGE) and next(steps) == chosen:
                shared.export(one_span())

        sys.setprofile(interrupt)
        shared.ledger  # noqa: B018 - is read for the interruption
        sys.setprofile(None)
        wait_until(lambda: shared.ledger.stored == 0)
        if next(steps) <= chosen:
            break
    assert shared.ledger.delivered == chosen + 1 > 10
    shared.leave(LONG_SECONDS)


DELETED, ALIVE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


class ClientOfTwo:
    """Refuses one of two app monitors, and counts the events of the other."""

    def __init__(self) -> None:
        self.delivered = 0

    def put_rum_events(self, **parameters: Any) -> dict[str, Any]:
        if parameters["Id"] == DELETED:
            error = {"Code": "ResourceNotFoundException", "Message": "no such app monitor"}
            raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 404}}, "PutRumEvents")
        self.delivered += len(parameters["RumEvents"])
        return {}


def test_an_app_monitor_that_rum_refuses_does_not_close_the_pipeline_for_others() -> None:
    """4,700 spans for a deleted one, and then 74 of 74 requests for another were refused."""
    client = ClientOfTwo()
    pipeline = Pipeline(make_config(max_memory_bytes=1_048_576, max_requests_per_second=0), client)

    def span(monitor: str, number: int) -> ReadableSpan:
        resource = {"aws.rum.appmonitor.id": monitor}
        return make_span(f"work {number}", attributes={"session.id": str(number)}, resource=resource)

    try:
        for number in range(4700):
            try:
                pipeline.accept_spans([span(DELETED, number)])
            except QueueFullError:
                break
        else:
            pytest.fail("the room of the refused app monitor is limited")
        wait_until(lambda: pipeline.has_room)
        for number in range(74):
            pipeline.accept_spans([span(ALIVE, number), span(DELETED, number)])
            pipeline.accept_spans([span(ALIVE, 1000 + number)])
            with pytest.raises(QueueFullError):
                pipeline.accept_spans([span(DELETED, number)])
        wait_until(lambda: client.delivered >= 2 * 74)
    finally:
        pipeline.close(0.0)


def test_a_message_of_spans_and_log_records_has_room_for_all_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its spans would be accepted again with each attempt."""
    pipeline = Pipeline(make_config(), Client())
    full = iter([False, True])
    monkeypatch.setattr(pipeline._delivery, "is_full", lambda _: next(full))
    records = ([make_span(attributes={"session.id": "s"})], [make_log("clicked", {"session.id": "s"})])
    try:
        pipeline.accept(*records)
        accepted = pipeline.ledger.accepted
        assert accepted >= 2
        with pytest.raises(QueueFullError):
            pipeline.accept(*records)
        assert pipeline.ledger.accepted == accepted
    finally:
        pipeline.close(1.0)


def test_a_long_message_is_converted_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of 5 MB took 550 MB of memory, and others waited four seconds. A parent may be in a later step."""
    monkeypatch.setattr("otel_rum_exporter.exporter.pipeline.STEP_RECORDS", 2)
    pipeline = Pipeline(make_config(session_start="never"), Client())
    steps: list[int] = []

    def spans(*arguments: Any) -> Converted:
        steps.append(len(arguments[1]))
        return original(*arguments)

    original = Converter.spans
    monkeypatch.setattr(Converter, "spans", spans)
    parent = make_span("parent", {"session.id": "s"})
    try:
        pipeline.accept_spans([*(make_span(f"child {number}", parent=parent) for number in range(4)), parent])
        wait_until(lambda: pipeline.ledger.delivered == 5)
    finally:
        pipeline.close(1.0)
    assert steps == [2, 2, 1]


def test_a_span_whose_parent_never_ends_is_delivered_without_another_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was delivered before. A request below it waits for a shorter time than other spans."""
    monkeypatch.setattr(pending, "MAX_REQUEST_PENDING_NS", 1_000_000)
    one = Pipeline(make_config(session_start="never"), Client())
    never_ends = make_span("main")
    served = {"session.id": "s", "http.method": "POST", "http.route": "/orders"}
    one.add_spans([make_span("job", {"session.id": "s"}, parent=never_ends)])
    one.add_spans([make_span("POST", served, parent=never_ends, scope="opentelemetry.instrumentation.flask")])
    wait_until(lambda: one.ledger.delivered == 2)
    one.close(1.0)


def test_a_closed_pipeline_counts_what_comes_too_late_as_dropped() -> None:
    """A sender that can send again learns that nothing was stored."""
    pipeline = Pipeline(make_config(), Client())
    pipeline.close(1.0)
    pipeline.add_spans([make_span(attributes={"session.id": "one"})])
    pipeline.wait(1.0)
    assert pipeline.ledger.dropped == {DropReason.SHUTDOWN: 1}
    with pytest.raises(QueueFullError):
        pipeline.accept_spans([make_span()])
    assert pipeline.ledger.stored == 0


def test_a_closed_pipeline_has_no_pending_records() -> None:
    """A span whose parent is unknown is converted at once, and counted."""
    pipeline = Pipeline(make_config(), Client())
    pipeline.add_spans([make_span(parent=make_span())])
    assert pipeline.ledger.pending == 1
    pipeline.close(0.0)
    pipeline.add_spans([make_span(parent=make_span())])
    assert pipeline.ledger.pending == 0
    assert pipeline.ledger.stored == 0
    assert pipeline.ledger.dropped[DropReason.SHUTDOWN] + pipeline.ledger.delivered == pipeline.ledger.accepted > 1


def test_a_load_above_the_budget_is_sampled_and_a_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """By whole sessions, from the second batch on; the ledger has the rest under a reason of its own."""
    pipeline = Pipeline(make_config(max_events_per_second=1, max_requests_per_second=0), Client())
    batches = [[make_span(attributes={"session.id": f"{batch} {one}"}) for one in range(300)] for batch in range(2)]
    for spans in batches:
        pipeline.add_spans(spans)
    assert pipeline.flush(LONG_SECONDS)
    ledger = pipeline.ledger.snapshot()
    pipeline.close(0.0)
    assert ledger.accepted == 600 == ledger.delivered + ledger.dropped[DropReason.OVER_BUDGET]
    assert 300 > ledger.dropped[DropReason.OVER_BUDGET] > 200
    (line,) = [line for line in caplog.messages if "of new sessions are sent" in line]
    assert "OTEL_EXPORTER_AWS_RUM_MAX_EVENTS_PER_SECOND" in line
    assert "L-35851224" in line


def test_without_a_budget_a_light_load_is_sent_whole() -> None:
    """RUM takes what arrives."""
    pipeline = Pipeline(make_config(max_requests_per_second=0), Client())
    for batch in range(20):
        pipeline.add_spans([make_span(attributes={"session.id": f"{batch} {one}"}) for one in range(20)])
    assert pipeline.flush(LONG_SECONDS)
    pipeline.close(0.0)
    assert (pipeline.ledger.delivered, pipeline.ledger.dropped) == (400, {})
