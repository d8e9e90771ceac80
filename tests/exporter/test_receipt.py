"""Receipts: each settles exactly once, after the last event of its records."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_rum_exporter._receipt import Receipt
from otel_rum_exporter.exporter.pipeline import Pipeline
from otel_rum_exporter.ledger import DropReason
from tests.spans import make_config, make_span
from tests.waiting import wait_until


class Client:
    """RUM as a client: answers as planned, then accepts everything."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def put_rum_events(self, **request: Any) -> dict[str, Any]:
        """Answer one request."""
        assert request
        code = self.answers.pop(0) if self.answers else ""
        if code:
            status = {"ValidationException": 400, "ResourceNotFoundException": 404}.get(code, 500)
            raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutRumEvents")
        return {}


class Run:
    """A pipeline with a client, and the names of the receipts that settled."""

    def __init__(self, client: Client, **settings: Any) -> None:
        self.pipeline = Pipeline(make_config(max_requests_per_second=0, **settings), client)
        self.settled: list[str] = []
        self.receipts: dict[str, Receipt] = {}

    def add(self, name: str, *spans: ReadableSpan) -> None:
        """Add spans with a new receipt, and release it as a source does."""
        receipt = self.receipts[name] = Receipt(lambda: self._note(name))
        self.pipeline.add_spans(spans, receipt)
        receipt.release()

    def flush(self, settles: int) -> list[str]:
        """Deliver what is queued, wait for a number of receipts, and return what has settled."""
        assert self.pipeline.flush(30.0)
        wait_until(lambda: len(self.settled) >= settles)
        return sorted(self.settled)

    def _note(self, name: str) -> None:
        """Use the pipeline from another thread, which blocks if this one holds a lock of it."""
        thread = threading.Thread(target=self.pipeline.add_spans, args=([],))
        thread.start()
        thread.join(10.0)
        assert not thread.is_alive()
        self.settled.append(name)


def a_span(session: str = "one", **named: Any) -> ReadableSpan:
    """Return a span of a session."""
    return make_span(attributes={"session.id": session}, **named)


@pytest.fixture
def run() -> Iterator[Run]:
    """Return a pipeline whose RUM accepts everything."""
    started = Run(Client())
    yield started
    started.pipeline.close(1.0)


def test_records_of_many_sessions_settle_their_receipt_once(run: Run) -> None:
    """Each session is a request of its own."""
    run.add("many", *[a_span(str(number % 7)) for number in range(300)])
    run.add("one", a_span())
    assert run.flush(2) == ["many", "one"]


def test_records_without_events_settle_at_once(run: Run) -> None:
    """They cannot be read, are filtered or not sampled, or there are none."""
    run.add("none")
    run.add("unreadable", object())  # type: ignore[arg-type]
    run.add("filtered", make_span(attributes={"session.id": "s", "db.system": "mysql"}, kind=SpanKind.CLIENT))
    assert run.settled == ["none", "unreadable", "filtered"]
    unsampled = Run(Client(), session_sample_rate=0)
    unsampled.add("unsampled", a_span())
    assert unsampled.settled == ["unsampled"]
    unsampled.pipeline.close(1.0)


def test_a_pending_span_holds_its_receipt_until_its_events_are_delivered(run: Run) -> None:
    """It waits for its parent, which comes with another receipt."""
    parent = a_span()
    run.add("child", make_span(parent=parent))
    assert run.flush(0) == []
    run.add("parent", parent)
    assert run.flush(2) == ["child", "parent"]


def test_the_halves_of_a_rejected_batch_hold_its_receipts() -> None:
    """RUM rejects the batch of two records, then one of them."""
    run = Run(Client("ValidationException", "ValidationException"))
    with run.pipeline._delivery.lock:  # so that the records are one batch
        run.add("first", a_span())
        run.add("second", a_span())
    assert run.flush(2) == ["first", "second"]
    assert run.pipeline.ledger.snapshot().dropped[DropReason.REFUSED] == 1
    run.pipeline.close(1.0)


def test_a_receipt_has_the_reason_of_a_loss() -> None:
    """The events that are left when the pipeline closes are lost, and counted."""
    run = Run(Client(*["ResourceNotFoundException"] * 5))
    run.add("lost", a_span())
    run.pipeline.close(0.1)
    assert run.settled == ["lost"]
    assert run.receipts["lost"].dropped == {DropReason.SHUTDOWN}


def test_an_evicted_event_settles_its_receipt() -> None:
    """The queue has no room for it."""
    run = Run(Client(*["ResourceNotFoundException"] * 50), max_memory_bytes=1_048_576)
    for number in range(90):
        run.add(str(number), *[a_span(str(number), name=f"{index}" + "x" * 200) for index in range(50)])
    evicted = [name for name, receipt in run.receipts.items() if receipt.dropped == {DropReason.QUEUE_FULL}]
    assert evicted
    assert sorted(run.settled) == sorted(evicted)
    run.pipeline.close(0.0)
    assert sorted(run.settled) == sorted(run.receipts)


def test_with_a_spool_a_receipt_settles_on_disk(tmp_path: Path) -> None:
    """RUM need not respond."""
    run = Run(Client(*["ResourceNotFoundException"] * 5), spool_directory=str(tmp_path))
    run.add("stored", *[a_span(str(number)) for number in range(3)])
    assert run.settled == ["stored"]
    run.pipeline.close(0.1)
    assert run.settled == ["stored"]


def test_a_receipt_that_its_source_keeps_never_settles(run: Run) -> None:
    """The records were not accepted, and the source sends them again."""
    receipt = Receipt(lambda: run.settled.append("kept"))
    run.pipeline.add_spans([a_span()], receipt)
    assert run.flush(0) == []
    receipt.release()
    assert run.settled == ["kept"]
