"""Handlers report what failed, as their event source expects it."""

from __future__ import annotations

import gzip
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter import ConfigError
from otel_rum_exporter.aws_lambda import invocation, kafka_handler, kinesis_handler, sqs_handler
from otel_rum_exporter.local import LocalRum
from tests.aws_lambda.conftest import Context
from tests.aws_lambda.events import FIRST_NUMBER, Event, kafka_event, kinesis_event, request, spans, sqs_event, text
from tests.otlp.encodings import JSON_SPAN, json_request
from tests.otlp.files import ONE_JSON_SPAN, ONE_LOG_RECORD
from tests.spans import make_span

Handler = Callable[[Event, Context], dict[str, list[dict[str, Any]]]]
POISON = b"not telemetry"
SUCCESS: dict[str, list[Any]] = {"batchItemFailures": []}


def _failures(*identifiers: object) -> dict[str, list[Any]]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def _names(rum: LocalRum) -> list[str]:
    return sorted(str(event.details["name"]) for event in rum.events if "name" in event.details)


def test_kinesis_reports_the_lowest_failed_number(function: LocalRum) -> None:
    """All other records are delivered nevertheless, also those after it."""
    event = kinesis_event([spans("a"), POISON, gzip.compress(spans("b")), POISON, ONE_LOG_RECORD])
    event["Records"].reverse()
    assert kinesis_handler(event, Context()) == _failures(str(FIRST_NUMBER + 1))
    assert _names(function) == ["a", "b", "shown"]
    assert function.dropped == ()


def test_sqs_reports_every_failed_message(function: LocalRum) -> None:
    """A body is OTLP in JSON, or base64."""
    bodies = [text(spans("a")), "{}]", ONE_JSON_SPAN.decode(), "\u20ac", text(POISON), f"{text(spans('b'))}\n", ""]
    event = sqs_event(bodies)
    ids = [event["Records"][at]["messageId"] for at in (1, 3, 4)]
    assert sqs_handler(event, Context()) == _failures(*ids)
    assert _names(function) == ["a", "b", "work"]


@pytest.mark.parametrize("source", ["aws:kafka", "SelfManagedKafka"])
def test_kafka_reports_every_failed_record(function: LocalRum, source: str) -> None:
    """A record is known by partition and offset. A tombstone has no value, and is done."""
    event = kafka_event([[spans("a"), POISON, None], [POISON, spans("b")]], source)
    expected = [{"partition": "otlp_spans-0", "offset": 16}, {"partition": "otlp_spans-1", "offset": 15}]
    assert kafka_handler(event, Context()) == _failures(*expected)
    assert _names(function) == ["a", "b"]


@pytest.mark.parametrize(
    ("handler", "event"),
    [
        (kinesis_handler, kinesis_event([spans("a"), spans("b")])),
        (sqs_handler, sqs_event([text(spans("a")), text(spans("b"))])),
        (kafka_handler, kafka_event([[spans("a"), spans("b")]])),
    ],
)
def test_full_success_is_an_empty_list(function: LocalRum, handler: Handler, event: Event) -> None:
    """An invocation after it does not wait for anything of it."""
    assert handler(event, Context()) == SUCCESS
    assert _names(function) == ["a", "b"]
    assert handler({**event, "Records": [], "records": {}}, Context()) == SUCCESS


@pytest.mark.parametrize(
    ("handler", "event"),
    [
        (kinesis_handler, sqs_event(["{}"])),
        (sqs_handler, kinesis_event([b"{}"])),
        (kafka_handler, sqs_event(["{}"])),
    ],
)
def test_events_of_another_source_are_an_error(function: LocalRum, handler: Handler, event: Event) -> None:
    """The whole batch fails, with a reason in the function's log."""
    with pytest.raises(ValueError, match="does not handle events of"):
        handler(event, Context())


def test_an_empty_identifier_is_an_error(function: LocalRum) -> None:
    """In the response it would fail the batch without a reason."""
    event = sqs_event([text(POISON)])
    event["Records"][0]["messageId"] = ""
    with pytest.raises(ValueError, match="no identifier"):
        sqs_handler(event, Context())


def test_wrong_settings_fail_the_batch(function: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is acknowledged that cannot be delivered."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID", "\u00e9")
    with pytest.raises(ConfigError):
        sqs_handler(sqs_event([text(spans("a"))]), Context())


def test_a_child_in_another_message_inherits_its_session(function: LocalRum) -> None:
    """Children end before their parents, and are resolved at the end of each invocation."""
    for number in range(2):
        parent = make_span(f"parent {number}", {"session.id": f"session {number}"})
        child = make_span(f"child {number}", parent=parent)
        messages = [request(child), request(parent)]
        assert kinesis_handler(kinesis_event(messages), Context()) == SUCCESS
    sessions = {str(event.details.get("name")): event.session_id for event in function.events}
    assert sessions["child 0"] == sessions["parent 0"] != sessions["parent 1"] == sessions["child 1"]


def test_a_child_whose_parent_does_not_come_is_delivered_at_once(function: LocalRum) -> None:
    """Nothing is pending when Lambda freezes the process."""
    child = make_span("child", {"session.id": "s"}, parent=make_span("parent"))
    assert kinesis_handler(kinesis_event([request(child)]), Context()) == SUCCESS
    assert _names(function) == ["child"]


def test_what_is_not_delivered_in_time_fails(function: LocalRum, caplog: pytest.LogCaptureFixture) -> None:
    """It is sent once when it comes again to the same process, and is known by then if it was delivered meanwhile."""
    function.answer(503, times=1_000_000)
    event = sqs_event([text(spans("a")), text(spans("b"))])
    ids = [record["messageId"] for record in event["Records"]]
    assert sqs_handler(event, Context(0.05)) == _failures(*ids)
    assert "2 of 2 messages not delivered in time" in caplog.text
    function.faults = ()
    assert sqs_handler(event, Context()) == SUCCESS
    assert _names(function) == ["a", "b"]


def test_records_after_a_failed_one_are_sent_once(function: LocalRum) -> None:
    """Lambda sends them again with each retry of the failed record."""
    event = kinesis_event([POISON, spans("a"), spans("b")])
    for _ in range(3):
        assert kinesis_handler(event, Context()) == _failures(str(FIRST_NUMBER))
    assert _names(function) == ["a", "b"]


@pytest.mark.parametrize("damaged", ["@@", "\u20ac", None, 5, {"name": "a"}], ids=str)
def test_one_damaged_record_does_not_fail_the_others(function: LocalRum, damaged: Any) -> None:
    """Also a value that is no text, as a schema registry makes it."""
    kinesis, sqs, kafka = (
        kinesis_event([spans("a"), POISON]),
        sqs_event([text(spans("b")), "x"]),
        kafka_event([[spans("c"), POISON]]),
    )
    kinesis["Records"][1]["kinesis"]["data"] = sqs["Records"][1]["body"] = damaged
    kafka["records"]["otlp_spans-0"][1]["value"] = damaged or "@"
    assert kinesis_handler(kinesis, Context()) == _failures(str(FIRST_NUMBER + 1))
    assert sqs_handler(sqs, Context()) == _failures(sqs["Records"][1]["messageId"])
    assert kafka_handler(kafka, Context()) == _failures({"partition": "otlp_spans-0", "offset": 16})
    assert _names(function) == ["a", "b", "c"]


def test_a_lone_surrogate_in_a_body_costs_one_character(function: LocalRum) -> None:
    """A JSON parser accepts it, and UTF-8 does not."""
    body = ONE_JSON_SPAN.decode().replace('"work"', '"work\ud800"')
    assert sqs_handler(sqs_event([body]), Context()) == SUCCESS
    assert _names(function) == ["work?"]


def test_a_message_that_is_twice_in_a_batch_is_sent_once(function: LocalRum) -> None:
    """SQS delivers at least once. Both are done, or both fail."""
    event = sqs_event([text(spans("a")), text(POISON)])
    event["Records"] *= 2
    assert sqs_handler(event, Context()) == _failures(event["Records"][1]["messageId"])
    assert _names(function) == ["a"]


def test_a_malformed_record_costs_only_itself(function: LocalRum, caplog: pytest.LogCaptureFixture) -> None:
    """Its message is done, because no retry can help, and the log says so once for all messages."""
    event = sqs_event([json_request({**JSON_SPAN, "name": name}, {"name": "x"}).decode() for name in ("a", "b")])
    assert sqs_handler(event, Context()) == SUCCESS
    assert _names(function) == ["a", "b"]
    (line,) = (record.getMessage() for record in caplog.records if "rejected" in record.getMessage())
    assert "2 records rejected in 2 messages" in line


def test_a_full_queue_fails_the_rest(function: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message without room is not lost: it arrives again, and is delivered once."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_MAX_MEMORY_BYTES", str(1024 * 1024))
    function.answer(503, times=1_000_000)
    names = [f"span {number:03} {'x' * 100}" for number in range(100)]
    event = sqs_event([text(spans(*names, session=str(number))) for number in range(30)])
    assert len(sqs_handler(event, Context(0.5))["batchItemFailures"]) == 30
    assert len(invocation._deliveries()._known) < 30
    function.faults = ()
    while sqs_handler(event, Context()) != SUCCESS:
        pass
    assert _names(function) == sorted(names * 30)


def test_an_app_monitor_that_rum_refuses_holds_up_no_other(function: LocalRum) -> None:
    """Events of an earlier invocation wait for it; a later one ends when its own are delivered, not at its timeout."""
    function.answer(403, times=1_000_000)
    assert kinesis_handler(kinesis_event([spans("refused")]), Context(0.5)) != SUCCESS
    function.faults = ()
    other = request(make_span("other", {"session.id": "s"}, resource={"aws.rum.appmonitor.id": str(uuid.uuid4())}))
    assert kafka_handler(kafka_event([[other]]), Context(600)) == SUCCESS
    assert _names(function) == ["other"]  # the other's next attempt is in a minute


def test_a_spool_directory_is_ignored(function: LocalRum, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """The disk of an environment ends with it, so that nothing may be acknowledged because it is there."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_SPOOL_DIRECTORY", str(tmp_path / "spool"))
    function.answer(503, times=1)
    event = kinesis_event([spans("a")])
    assert kinesis_handler(event, Context(0.05)) == _failures(str(FIRST_NUMBER))
    assert kinesis_handler(event, Context()) == SUCCESS
    assert not (tmp_path / "spool").exists()


def test_every_record_is_delivered_or_fails(function: LocalRum) -> None:
    """Random batches in an event source mapping: poison reaches the on-failure target, everything else RUM."""
    dice = random.Random(17)
    expected, failed = set[str](), 0
    for batch in range(30):
        messages = []
        for at in range(dice.randint(1, 6)):
            is_poison = dice.random() < 0.2
            messages.append(POISON if is_poison else spans(f"{batch} {at}", session=str(dice.randrange(5))))
            failed += is_poison
            expected |= set() if is_poison else {f"{batch} {at}"}
        event = kinesis_event(messages)
        for record in event["Records"]:
            record["eventID"] = f"{batch} {record['eventID']}"
        failed -= _run_mapping(event)
    assert failed == 0
    assert set(_names(function)) == expected


def _run_mapping(event: Event) -> int:
    """Retry from the lowest failed number; return how many single records were given to the on-failure target."""
    records, target = event["Records"], 0
    while records:
        response = kinesis_handler({"Records": records}, Context())
        numbers = [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
        if not numbers:
            return target
        at = next(at for at, record in enumerate(records) if record["kinesis"]["sequenceNumber"] == min(numbers))
        target, records = target + 1, records[at + 1 :]
    return target
