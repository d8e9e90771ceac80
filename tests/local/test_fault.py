"""Faults: which request is struck, and what its sender sees, over real connections."""

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
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ConnectionClosedError

from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum
from otel_rum_exporter.local import fault as fault_module
from otel_rum_exporter.local.fault import Faults

Make = Callable[..., Any]
DATE = "Tue, 24 Nov 2026 12:00:00 GMT"


@pytest.fixture
def deliver(boto: Any, body: Make, app_monitor: str) -> Callable[[], Any]:
    """Deliver one event by boto3."""
    return lambda: boto.put_rum_events(Id=app_monitor, **body())


@pytest.fixture
def connection(rum: LocalRum) -> Iterator[http.client.HTTPConnection]:
    """Connect, to look at answers byte by byte."""
    address = urlsplit(rum.url)
    made = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    yield made
    made.close()


@pytest.fixture
def begin(connection: http.client.HTTPConnection, body: Make, app_monitor: str) -> Callable[[], Any]:
    """Send one event on that connection and return the answer, its body not yet read."""

    def send() -> http.client.HTTPResponse:
        connection.request("POST", f"/appmonitors/{app_monitor}/", json.dumps(body()))
        return connection.getresponse()

    return send


def _statuses(rum: LocalRum) -> list[int | None]:
    return [request.status for request in rum.requests]


def test_statuses_come_by_schedule_and_then_all_is_well(rum: LocalRum, post: Make, body: Make) -> None:
    """One fault for one request each makes a schedule."""
    rum.faults = [Fault(status=status, times=1) for status in (429, 500, 503)] + [Fault(status=502, times=2)]
    assert [post(body()).status for _ in range(7)] == [429, 500, 503, 502, 502, 200, 200]
    assert len(rum.batches) == 2
    assert rum.faults == ()


def test_a_fault_without_times_is_an_outage_until_it_is_lifted(rum: LocalRum, post: Make, body: Make) -> None:
    """Nothing is kept while it lasts."""
    rum.faults = [Fault(status=503)]
    assert [post(body()).status for _ in range(3)] == [503] * 3
    rum.faults = []
    assert post(body()).status == 200
    assert len(rum.batches) == 1


def test_clearing_lifts_faults(rum: LocalRum, post: Make, body: Make) -> None:
    """A cleared stand-in is as good as a fresh one."""
    rum.faults = [Fault(status=503)]
    rum.clear()
    assert post(body()).status == 200


@pytest.mark.parametrize("retry_after", [7, DATE])
def test_an_error_is_told_as_aws_tells_it(rum: LocalRum, post: Make, body: Make, retry_after: int | str) -> None:
    """Type in the header, message in the body, and when to come back, in seconds or as a date."""
    rum.faults = [Fault(status=403, error_type="ExpiredTokenException", message="too old", retry_after=retry_after)]
    reply = post(body())
    assert (reply.status, reply.headers["x-amzn-errortype"], reply.message) == (403, "ExpiredTokenException", "too old")
    assert reply.headers["retry-after"] == str(retry_after)


def test_the_probability_is_kept_and_repeatable() -> None:
    """The same seed strikes the same requests, another one others."""

    def struck(seed: int) -> list[bool]:
        faults = Faults()
        faults.set([Fault(status=500, probability=0.3, seed=seed)])
        return [faults.take() is not None for _ in range(2000)]

    assert sum(struck(1)) == pytest.approx(600, abs=100)
    assert struck(1) == struck(1) != struck(2)


def test_a_later_fault_strikes_what_the_first_spares() -> None:
    """Each is asked in turn."""
    faults = Faults()
    faults.set([Fault(status=500, probability=0.0), Fault(status=501)])
    assert faults.take() == Fault(status=501)


def test_as_many_threads_as_like_take_each_fault_once() -> None:
    """No schedule is longer or shorter under load."""
    faults = Faults()
    faults.set([Fault(status=500, times=100), Fault(status=501, times=100)])
    with ThreadPoolExecutor(8) as threads:
        taken = Counter(threads.map(lambda _: faults.take(), range(1000)))
    assert taken == {Fault(status=500, times=100): 100, Fault(status=501, times=100): 100, None: 800}


@pytest.mark.parametrize(("cut", "kept"), [("before_reading", 0), ("before_answer", 1)])
def test_a_connection_cut_before_the_answer_is_an_error_of_the_network(
    rum: LocalRum, deliver: Make, cut: Any, kept: int
) -> None:
    """What was read is kept, what was not read is not, and nobody is told."""
    rum.faults = [Fault(cut=cut, times=1)]
    with pytest.raises(ConnectionClosedError):
        deliver()
    assert (len(rum.batches), _statuses(rum)) == (kept, [None])
    deliver()
    assert list(rum.event_counts.values()) == [kept + 1]


def test_a_connection_can_be_cut_with_the_request_lost(rum: LocalRum, deliver: Make) -> None:
    """A server may die with what it has read."""
    rum.faults = [Fault(cut="before_answer", taken=False)]
    with pytest.raises(ConnectionClosedError):
        deliver()
    assert (rum.batches, rum.event_counts) == ((), {})


def test_an_answer_can_break_off(rum: LocalRum, begin: Make) -> None:
    """Its head arrives, and half of its body."""
    rum.faults = [Fault(cut="in_answer", times=1)]
    answer = begin()
    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    assert len(rum.batches) == 1


def test_an_error_can_break_off(rum: LocalRum, begin: Make) -> None:
    """What was refused stays refused, and is not kept."""
    rum.faults = [Fault(status=503, cut="in_answer")]
    answer = begin()
    assert answer.status == 503
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    assert rum.batches == ()


def test_an_error_can_hide_a_success(rum: LocalRum, post: Make, body: Make) -> None:
    """A gateway's 504 says nothing of what became of the request."""
    rum.faults = [Fault(status=504, taken=True)]
    assert post(body()).status == 504
    assert len(rum.batches) == 1


def test_latency_comes_before_the_answer_and_keeps_the_request(rum: LocalRum, deliver: Make) -> None:
    """The answer comes after that time, and the request is taken."""
    rum.faults = [Fault(latency_seconds=0.05)]
    began = time.monotonic()
    deliver()
    assert time.monotonic() - began >= 0.05
    assert len(rum.batches) == 1


def test_a_slow_answer_arrives_byte_by_byte(rum: LocalRum, begin: Make) -> None:
    """White space comes first, slowly, so no read waits long, and the whole takes its time."""
    rum.faults = [Fault(status=500, drip_seconds=0.25)]
    began = time.monotonic()
    answer = begin()
    assert answer.read(1) == b" "
    assert json.loads(answer.read())["message"] == "planned answer 500"
    assert time.monotonic() - began >= 0.25


def test_an_endless_answer_goes_on_and_ends_in_time(rum: LocalRum, begin: Make) -> None:
    """It is megabytes a second, bounded by its time."""
    rum.faults = [Fault(endless_seconds=0.2)]
    began = time.monotonic()
    body = begin().read()
    assert time.monotonic() - began >= 0.2
    assert len(body) > 50_000
    assert body.strip() == b""


@pytest.mark.parametrize("fault", [Fault(endless_seconds=3600), Fault(drip_seconds=3600), Fault(latency_seconds=3600)])
def test_a_client_that_leaves_ends_the_fault(fault: Fault, body: Make, app_monitor: str) -> None:
    """Neither a thread nor the end of the stand-in waits for it."""
    with LocalRum() as rum:
        rum.faults = [fault]
        address = urlsplit(rum.url)
        for is_last in (False, True):
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
            connection.request("POST", f"/appmonitors/{app_monitor}/", json.dumps(body()))
            rum.wait_for()
            if not is_last:
                connection.close()
        began = time.monotonic()
    connection.close()
    assert time.monotonic() - began < 5


def test_a_captive_portal_answers_200_and_takes_nothing(rum: LocalRum, post: Make, body: Make) -> None:
    """Its page is HTML, and has no request id of AWS."""
    rum.faults = [Fault(content=CAPTIVE_PORTAL)]
    reply = post(body())
    assert (reply.status, reply.body.decode()) == (200, CAPTIVE_PORTAL)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert not [name for name in reply.headers if name.startswith("x-amz")]
    assert (rum.batches, rum.refused, _statuses(rum)) == ((), (), [200])


def test_a_refused_request_stays_refused_when_its_answer_is_lost(rum: LocalRum, body: Make, post: Make) -> None:
    """The contract is kept whatever the network does."""
    rum.faults = [Fault(cut="before_answer")]
    with pytest.raises(ConnectionError):
        post(body(BatchId="1"))
    assert [refused_request.status for refused_request in rum.refused] == [400]


def test_faults_cost_the_other_connections_nothing(rum: LocalRum, post: Make, body: Make, begin: Make) -> None:
    """Cutting one leaves the others as they are."""
    begin().read()
    rum.faults = [Fault(cut="before_answer", times=1)]
    with pytest.raises(ConnectionError):
        post(body())
    assert begin().status == 200


def test_events_are_counted_by_id_beyond_what_is_kept(body: Make, event: Make) -> None:
    """The account of a delivery test is whole, where the store keeps only the latest; what RUM drops was taken too."""
    with LocalRum(max_events=2) as rum:
        address = urlsplit(rum.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        ids = [f"00000000-0000-4000-8000-{n:012}" for n in range(10)]
        small, large = [event(id=one) for one in ids[:9]], event(id=ids[9], details={"text": "x" * 7000})
        for sent in ([*small, large], small[:3]):
            connection.request("POST", "/appmonitors/11111111-1111-4111-8111-111111111111/", json.dumps(body(*sent)))
            assert connection.getresponse().read() == b""
        connection.close()
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
        ("latency_seconds=3", Fault(latency_seconds=3)),
    ],
)
def test_a_fault_can_be_written_in_a_line(text: str, fault: Fault) -> None:
    """As on the command line; every member can be."""
    assert Fault.parse(text) == fault
    assert set(fault_module._PARSERS) == {member.name for member in fields(Fault)}


@pytest.mark.parametrize("text", ["", "status", "status=x", "colour=red", "taken=maybe", "times=0", "cut=off"])
def test_a_line_that_is_no_fault_is_quoted(text: str) -> None:
    """Nothing is guessed."""
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
def test_a_fault_that_cannot_be_is_told_at_once(wrong: dict[str, Any]) -> None:
    """The name and value are quoted."""
    with pytest.raises(ValueError, match=rf"{next(reversed(wrong))}={next(reversed(wrong.values()))!r}"):
        Fault(**wrong)
