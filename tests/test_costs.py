"""The cost of a span, in figures that no clock decides: calls of functions, requests and bytes.

`benchmarks` measures time, and compares it with that of others; here a change that makes spans dearer is noticed.
"""

from __future__ import annotations

import math
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from benchmarks.corpus import EPOCH_NS, spans
from benchmarks.exporters import ENVIRONMENT
from benchmarks.gateway import in_json, in_protobuf
from benchmarks.single import sender
from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.config import Config
from otel_rum_exporter.delivery.queue import EventQueue
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.otlp import DecodeResult, Signal, decode_json, decode_protobuf
from otel_rum_exporter.rum.batch import Batch
from otel_rum_exporter.rum.compression import compress
from otel_rum_exporter.rum.request import body
from tests.spans import make_span

NOW = Moment(EPOCH_NS + 10**12, 0)
BATCH = 512
SPANS = 4 * BATCH
MAX_CALLS = 80
MAX_DECODING_CALLS = 80


def _conversion() -> Converter:
    # Without the events that start sessions, so that every number of sessions has the same events.
    given = {"app_monitor_id": "1c9a2b4e-8f30-4d63-9c55-7e1d2a3b4c5d", "session_start": "minted"}
    config = Config.read(given, {})
    return Converter(config, new_id=lambda: "", ledger=Ledger(), log=RateLimitedLog())


def _bodies(made: list[ReadableSpan]) -> list[bytes]:
    """Return the bodies of the requests that batches of the SDK become, when all of them wait for their turn."""
    conversion, queue = _conversion(), EventQueue(max_events_per_request=100)
    for start in range(0, len(made), BATCH):
        queue.add(queue.pack(conversion.spans(made[start : start + BATCH], NOW).events, NOW.epoch_ns), 0.0)
    bodies = []
    while queue.events:
        batch = queue.take(math.inf)
        bodies.append(body(Batch(batch.key, tuple(queued.events for queued in batch.parts if queued.events))))
    return bodies


def _calls(work: Callable[[], object]) -> int:
    """Return how many functions written in Python are called."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def _calls_per_span(conversion: Converter, made: list[ReadableSpan]) -> float:
    return _calls(lambda: conversion.spans(made, NOW)) / len(made)


def test_a_span_costs_few_calls() -> None:
    """Each costs some 50 ns with what is done in it."""
    conversion, made = _conversion(), spans(2 * BATCH)
    conversion.spans(made[:BATCH], NOW)
    assert _calls_per_span(conversion, made[BATCH:]) < MAX_CALLS


@pytest.mark.parametrize(("written", "decode"), [(in_protobuf, decode_protobuf), (in_json, decode_json)])
def test_decoding_a_span_costs_few_calls(
    written: Callable[[list[ReadableSpan]], bytes], decode: Callable[[bytes, Signal], DecodeResult]
) -> None:
    """The calls that the gateway makes for a span in addition to those of the exporter."""
    made = spans(2 * BATCH)
    first, second = (written(made[start : start + BATCH]) for start in (0, BATCH))
    exported, received = _conversion(), _conversion()
    exported.spans(made[:BATCH], NOW)
    received.spans(decode(first, Signal.TRACES).spans, NOW)

    def receive() -> None:
        received.spans(decode(second, Signal.TRACES).spans, NOW)

    assert _calls(receive) - _calls(lambda: exported.spans(made[BATCH:], NOW)) < MAX_DECODING_CALLS * BATCH


def test_nothing_that_is_remembered_makes_the_next_span_dearer() -> None:
    """No list is searched for each event: the last of many spans costs what the first did."""
    conversion, made = _conversion(), spans(8 * BATCH)
    conversion.spans(made[:BATCH], NOW)
    first = _calls_per_span(conversion, made[BATCH : 2 * BATCH])
    conversion.spans(made[2 * BATCH : -BATCH], NOW)
    assert _calls_per_span(conversion, made[-BATCH:]) < first * 1.05


def test_names_that_a_sender_makes_up_are_not_remembered() -> None:
    """Long ones, very many, and keys of maps: a client that sends them to a gateway fills no memory."""
    conversion = _conversion()
    conversion.spans(spans(BATCH), NOW)
    tracemalloc.start()
    held_bytes: list[int] = []
    for number in range(4):
        long = f"{number}" + "x" * 100_000
        many = {f"{number}-{index}": 1 for index in range(1000)}
        numbers = dict.fromkeys(range(1000 * number, 1000 * number + 1000), 1)
        for attributes in ({long: 1}, many, {"map": {long: 1}}, {"map": many}, {"map": numbers}):
            conversion.spans([make_span("work", attributes), make_span(long)], NOW)
        held_bytes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # One that is remembered of each round is 100 KB; a thousand are more.
    assert held_bytes[-1] - held_bytes[0] < 250_000


def test_sessions_cost_no_more_calls_than_one() -> None:
    """Once sessions are known, their number adds the five calls that are made once for each of them in an export."""
    one, many = _conversion(), _conversion()
    one.spans(spans(BATCH), NOW)
    many.spans(spans(BATCH, sessions=1000), NOW)
    assert _calls_per_span(many, spans(BATCH, sessions=1000)) < _calls_per_span(one, spans(BATCH)) + 5


def test_one_session_takes_one_request_for_a_hundred_events_and_few_bytes() -> None:
    """OTLP/HTTP in protobuf with gzip takes 101 bytes for a span of these."""
    bodies = _bodies(spans(SPANS))
    assert len(bodies) == 25
    assert sum(len(compress(one)) for one in bodies) / SPANS < 132


def test_sessions_coalesce_while_they_wait() -> None:
    """A request takes one session, and 2,048 spans of 1,000 sessions are no 2,048 requests."""
    assert len(_bodies(spans(SPANS, sessions=1000))) < 900


def test_a_single_request_costs_half_the_calls_of_boto3s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request to an app monitor is botocore's whole call; later ones repeat its parts."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with LocalRum() as rum, sender("aws_rum", rum.url) as repeat, sender("boto3", rum.url) as call:
        for send in (repeat, call, repeat, call):
            send()
        assert _calls(repeat) < 0.55 * _calls(call)
