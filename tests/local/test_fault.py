"""Faults: their choice, and their effect on clients over real connections."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum
from otel_rum_exporter.local.fault import Faults
from tests.local.http_client import open_connection, start_post

Make = Callable[..., Any]
DATE = "Tue, 24 Nov 2026 12:00:00 GMT"


@pytest.fixture
def deliver(boto: Any, body: Make, app_monitor: str) -> Callable[[], Any]:
    """Send one event with boto3."""
    return lambda: boto.put_rum_events(Id=app_monitor, **body())


@pytest.fixture
def connection(rum: LocalRum) -> Iterator[http.client.HTTPConnection]:
    """Open a connection whose answers the test reads byte by byte."""
    made = open_connection(rum)
    yield made
    made.close()


@pytest.fixture
def begin(connection: http.client.HTTPConnection, body: Make, app_monitor: str) -> Callable[[], Any]:
    """Send one event on the connection; return the answer before its body is read."""

    def send() -> http.client.HTTPResponse:
        connection.request("POST", f"/appmonitors/{app_monitor}/", json.dumps(body()))
        return connection.getresponse()

    return send


def _statuses(rum: LocalRum) -> list[int | None]:
    return [request.status for request in rum.requests]


def test_faults_with_times_make_a_schedule(rum: LocalRum, post: Make, body: Make) -> None:
    """Later requests succeed."""
    rum.faults = [Fault(status=status, times=1) for status in (429, 500, 503)] + [Fault(status=502, times=2)]
    assert [post(body()).status for _ in range(7)] == [429, 500, 503, 502, 502, 200, 200]
    assert len(rum.batches) == 2
    assert rum.faults == ()


def test_fault_without_times_lasts_until_it_is_removed(rum: LocalRum, post: Make, body: Make) -> None:
    """No event is kept meanwhile."""
    rum.faults = [Fault(status=503)]
    assert [post(body()).status for _ in range(3)] == [503] * 3
    rum.faults = []
    assert post(body()).status == 200
    assert len(rum.batches) == 1


def test_clear_removes_faults(rum: LocalRum, post: Make, body: Make) -> None:
    """The next request succeeds."""
    rum.faults = [Fault(status=503)]
    rum.clear()
    assert post(body()).status == 200


@pytest.mark.parametrize("retry_after", [7, DATE])
def test_error_has_the_format_of_aws(rum: LocalRum, post: Make, body: Make, retry_after: int | str) -> None:
    """Type in the header, message in the body, Retry-After in seconds or as a date."""
    rum.faults = [Fault(status=403, error_type="ExpiredTokenException", message="too old", retry_after=retry_after)]
    reply = post(body())
    assert (reply.status, reply.headers["x-amzn-errortype"], reply.message) == (403, "ExpiredTokenException", "too old")
    assert reply.headers["retry-after"] == str(retry_after)


def test_probability_is_met_and_repeatable() -> None:
    """Equal seeds choose equal requests, other seeds others."""

    def applied(seed: int) -> list[bool]:
        faults = Faults()
        faults.set([Fault(status=500, probability=0.3, seed=seed)])
        return [faults.take() is not None for _ in range(2000)]

    assert sum(applied(1)) == pytest.approx(600, abs=100)
    assert applied(1) == applied(1) != applied(2)


def test_next_fault_applies_when_the_first_does_not() -> None:
    """Faults are tried in order."""
    faults = Faults()
    faults.set([Fault(status=500, probability=0.0), Fault(status=501)])
    assert faults.take() == Fault(status=501)


def test_concurrent_threads_use_each_fault_once() -> None:
    """The schedule has the same length under load."""
    faults = Faults()
    faults.set([Fault(status=500, times=100), Fault(status=501, times=100)])
    with ThreadPoolExecutor(8) as threads:
        taken = Counter(threads.map(lambda _: faults.take(), range(1000)))
    assert taken == {Fault(status=500, times=100): 100, Fault(status=501, times=100): 100, None: 800}


@pytest.mark.parametrize(("cut", "kept"), [("before_reading", 0), ("before_answer", 1)])
def test_cut_before_the_answer_is_a_network_error(rum: LocalRum, deliver: Make, cut: Any, kept: int) -> None:
    """A request that was read is kept, an unread one is not."""
    rum.faults = [Fault(cut=cut, times=1)]
    with pytest.raises(ConnectionClosedError):
        deliver()
    assert (len(rum.batches), _statuses(rum)) == (kept, [None])
    deliver()
    assert list(rum.event_counts.values()) == [kept + 1]


def test_cut_with_taken_false_loses_the_request(rum: LocalRum, deliver: Make) -> None:
    """A server can fail after reading a request."""
    rum.faults = [Fault(cut="before_answer", taken=False)]
    with pytest.raises(ConnectionClosedError):
        deliver()
    assert (rum.batches, rum.event_counts) == ((), {})


def test_cut_in_answer_sends_half_of_the_body(rum: LocalRum, begin: Make) -> None:
    """The head arrives whole."""
    rum.faults = [Fault(cut="in_answer", times=1)]
    answer = begin()
    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    assert len(rum.batches) == 1


def test_cut_in_an_error_answer_keeps_nothing(rum: LocalRum, begin: Make) -> None:
    """The client gets the status of the error."""
    rum.faults = [Fault(status=503, cut="in_answer")]
    answer = begin()
    assert answer.status == 503
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    assert rum.batches == ()


def test_error_with_taken_true_keeps_the_request(rum: LocalRum, post: Make, body: Make) -> None:
    """A 504 of a gateway does not show whether the request arrived."""
    rum.faults = [Fault(status=504, taken=True)]
    assert post(body()).status == 504
    assert len(rum.batches) == 1


def test_latency_delays_the_answer_and_keeps_the_request(rum: LocalRum, deliver: Make) -> None:
    """The events are stored."""
    rum.faults = [Fault(latency_seconds=0.05)]
    began = time.monotonic()
    deliver()
    assert time.monotonic() - began >= 0.05
    assert len(rum.batches) == 1


def test_drip_sends_the_answer_byte_by_byte(rum: LocalRum, begin: Make) -> None:
    """White space comes first, so that no read waits long."""
    rum.faults = [Fault(status=500, drip_seconds=0.25)]
    began = time.monotonic()
    answer = begin()
    assert answer.read(1) == b" "
    assert json.loads(answer.read())["message"] == "planned answer 500"
    assert time.monotonic() - began >= 0.25


def test_endless_answer_ends_after_its_time(rum: LocalRum, begin: Make) -> None:
    """White space, and then the body."""
    rum.faults = [Fault(status=500, endless_seconds=0.2)]
    began = time.monotonic()
    body = begin().read()
    assert time.monotonic() - began >= 0.2
    assert body[:1] == b" "
    assert json.loads(body)["message"] == "planned answer 500"


def test_endless_answer_is_large(rum: LocalRum, begin: Make) -> None:
    """A client that reads all of it needs a limit."""
    rum.faults = [Fault(endless_seconds=3600)]
    with begin() as answer:
        assert answer.read(200_000) == b" " * 200_000


@pytest.mark.parametrize("fault", [Fault(endless_seconds=3600), Fault(drip_seconds=3600), Fault(latency_seconds=3600)])
def test_fault_ends_when_the_client_disconnects(fault: Fault, body: Make, app_monitor: str) -> None:
    """No thread and no shutdown waits for it."""
    with LocalRum() as rum:
        rum.faults = [fault]
        for is_last in (False, True):
            connection = start_post(rum, app_monitor, json.dumps(body()))
            rum.wait_for()
            if not is_last:
                connection.close()
        began = time.monotonic()
    connection.close()
    assert time.monotonic() - began < 60


def test_captive_portal_answers_200_and_keeps_nothing(rum: LocalRum, post: Make, body: Make) -> None:
    """The answer is HTML without AWS's request id."""
    rum.faults = [Fault(content=CAPTIVE_PORTAL)]
    reply = post(body())
    assert (reply.status, reply.body.decode()) == (200, CAPTIVE_PORTAL)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert not [name for name in reply.headers if name.startswith("x-amz")]
    assert (rum.batches, rum.refused, _statuses(rum)) == ((), (), [200])


def test_refused_request_is_recorded_when_its_answer_is_lost(rum: LocalRum, body: Make, post: Make) -> None:
    """The fault only affects the answer."""
    rum.faults = [Fault(cut="before_answer")]
    with pytest.raises(ConnectionError):
        post(body(BatchId="1"))
    assert [refused_request.status for refused_request in rum.refused] == [400]


def test_fault_leaves_other_connections_open(rum: LocalRum, post: Make, body: Make, begin: Make) -> None:
    """Only the connection of the request is cut."""
    begin().read()
    rum.faults = [Fault(cut="before_answer", times=1)]
    with pytest.raises(ConnectionError):
        post(body())
    assert begin().status == 200


def test_event_counts_include_events_no_longer_stored(body: Make, event: Make, app_monitor: str, post_to: Make) -> None:
    """Dropped events are counted too."""
    with LocalRum(max_events=2) as rum:
        ids = [f"00000000-0000-4000-8000-{n:012}" for n in range(10)]
        small, large = [event(id=one) for one in ids[:9]], event(id=ids[9], details={"text": "x" * 7000})
        for sent in ([*small, large], small[:3]):
            assert post_to(rum, app_monitor, body(*sent)) == (200, None)
        assert rum.event_counts == dict.fromkeys(ids, 1) | dict.fromkeys(ids[:3], 2)
        assert len(rum.events) == 2
        rum.clear()
        assert rum.event_counts == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("status=429,retry_after=2,times=5", Fault(status=429, retry_after="2", times=5)),
        ("cut=before_answer,taken=false,probability=0.5", Fault(cut="before_answer", taken=False, probability=0.5)),
        ("retry_after=Tue, 24 Nov 2026 12:00:00 GMT,status=503", Fault(retry_after=DATE, status=503)),
        (
            "error_type=Slow,message=no,content=<p>,latency_seconds=3,drip_seconds=1,endless_seconds=2,seed=7",
            Fault(
                error_type="Slow",
                message="no",
                content="<p>",
                latency_seconds=3,
                drip_seconds=1,
                endless_seconds=2,
                seed=7,
            ),
        ),
    ],
)
def test_parse_reads_all_fields_of_a_fault(text: str, fault: Fault) -> None:
    """The command line uses this format."""
    assert Fault.parse(text) == fault


def test_parse_of_an_unknown_field_lists_all_fields() -> None:
    """Each field of a fault can be parsed."""
    with pytest.raises(ValueError, match="unknown fault field 'colour'") as caught:
        Fault.parse("colour=red")
    assert str(caught.value).partition("; use ")[2].split(", ") == [field.name for field in fields(Fault)]


@pytest.mark.parametrize("text", ["", "status", "status=x", "colour=red", "taken=maybe", "times=0", "cut=off"])
def test_parse_of_an_invalid_fault_quotes_the_text(text: str) -> None:
    """Invalid text raises ValueError."""
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        Fault.parse(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 99},
        {"cut": "somewhere"},
        {"times": 0},
        {"probability": 1.1},
        {"latency_seconds": -1},
        {"cut": "before_reading", "taken": True},
    ],
)
def test_invalid_fault_raises_with_name_and_value(wrong: dict[str, Any]) -> None:
    """The message quotes both."""
    with pytest.raises(ValueError, match=rf"{next(reversed(wrong))}={next(reversed(wrong.values()))!r}"):
        Fault(**wrong)
