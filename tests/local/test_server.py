"""`LocalRum` as an object: life, waiting, planned answers, delay."""

import http.client
import json
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from otel_rum_exporter.local import LocalRum

Make = Callable[..., Any]


def _address(rum: LocalRum) -> tuple[str, int]:
    address = urlsplit(rum.url)
    assert address.hostname
    assert address.port
    return address.hostname, address.port


def test_the_url_answers_as_soon_as_it_is_known() -> None:
    """Nothing has to be waited for after start."""
    rum = LocalRum()
    rum.start()
    try:
        with socket.create_connection(_address(rum), timeout=10):
            pass
    finally:
        rum.stop()


def test_a_server_that_is_not_running_has_no_url() -> None:
    """The message tells what is missing."""
    with pytest.raises(RuntimeError, match=r"before start\(\)"):
        _ = LocalRum().url


def test_a_stopped_server_leaves_no_thread_and_no_socket() -> None:
    """The port is free again and the thread gone."""
    before = set(threading.enumerate())
    with LocalRum() as rum:
        address = _address(rum)
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=10)


def test_what_was_received_stays_after_the_end() -> None:
    """Assertions may come after the `with` block."""
    with LocalRum() as rum:
        connection = _send(rum, b"{}")
        connection.getresponse().close()
        connection.close()
    assert len(rum.refused) == 1


def test_a_stopped_server_can_be_started_again() -> None:
    """Starting twice is one start, and stopping twice one stop."""
    rum = LocalRum()
    for _ in range(2):
        rum.start()
        rum.start()
        assert rum.url.startswith("http://127.0.0.1:")
        rum.stop()
        rum.stop()


def test_a_taken_port_is_told_at_once() -> None:
    """`start` raises in the calling thread."""
    with LocalRum() as rum, pytest.raises(OSError, match="in use"):
        LocalRum(port=_address(rum)[1]).start()


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("0.0.0.0", "127.0.0.1")]
)
def test_the_url_can_be_reached_whatever_the_host(host: str, shown: str) -> None:
    """A server bound to every address is given by its loopback one."""
    with LocalRum(host=host) as rum:
        assert urlsplit(rum.url).hostname == shown
        connection = _send(rum, b"{}")
        assert connection.getresponse().status == 400
        connection.close()


def test_the_loggers_of_uvicorn_are_left_as_they_were() -> None:
    """The stand-in is quiet without changing what the application's own server logs."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access")]
    before = [(logger.level, logger.propagate, list(logger.filters), list(logger.handlers)) for logger in loggers]
    with LocalRum():
        pass
    assert before == [
        (logger.level, logger.propagate, list(logger.filters), list(logger.handlers)) for logger in loggers
    ]


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture, boto: Any, body: Make, app_monitor: str) -> None:
    """Requests to the stand-in do not show up in the logs of a test."""
    with caplog.at_level(logging.INFO):
        boto.put_rum_events(Id=app_monitor, **body())
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_waiting_for_a_type_returns_its_events(
    rum: LocalRum, boto: Any, body: Make, event: Make, app_monitor: str
) -> None:
    """`wait_for` and `events` narrow alike."""
    boto.put_rum_events(Id=app_monitor, **body(event("a"), event("b"), event("b")))
    assert rum.wait_for("b", count=2) == rum.events("b")
    assert len(rum.wait_for(count=3)) == 3


def test_a_planned_answer_is_given_once_and_its_request_not_kept(
    rum: LocalRum, boto: Any, body: Make, app_monitor: str
) -> None:
    """The sender sees the error RUM would give, and can try again."""
    rum.answer(429, retry_after_seconds=3)
    with pytest.raises(boto.exceptions.ThrottlingException) as caught:
        boto.put_rum_events(Id=app_monitor, **body())
    assert caught.value.response["retryAfterSeconds"] == 3
    assert (rum.batches, rum.refused) == ((), ())
    boto.put_rum_events(Id=app_monitor, **body())
    assert len(rum.batches) == 1
    assert [(request.status, request.batch_id) for request in rum.requests] == [
        (429, body()["BatchId"]),
        (200, body()["BatchId"]),
    ]


def test_planned_answers_are_given_in_their_order(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """Each is given as many times as planned."""
    rum.answer(500, times=2)
    rum.answer(403, error_type="MissingAuthenticationTokenException", message="no signature")
    codes = []
    for _ in range(3):
        with pytest.raises(ClientError) as caught:
            boto.put_rum_events(Id=app_monitor, **body())
        codes.append(caught.value.response["Error"]["Code"])
    assert codes == ["InternalServerException"] * 2 + ["MissingAuthenticationTokenException"]
    assert caught.value.response["Error"]["Message"] == "no signature"


def test_a_planned_200_loses_the_batch(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """A success that keeps nothing is an answer like any other."""
    rum.answer(200)
    boto.put_rum_events(Id=app_monitor, **body())
    assert rum.batches == ()
    assert [request.status for request in rum.requests] == [200]


def test_a_planned_answer_goes_before_the_judgement(rum: LocalRum, post: Make, body: Make) -> None:
    """A server in trouble does not look at what it is sent, so nothing is recorded as refused."""
    rum.answer(429)
    assert post({}).status == 429
    assert rum.refused == ()
    assert post(body()).status == 200


def test_a_delayed_answer_comes_late_but_its_events_at_once(rum: LocalRum, body: Make) -> None:
    """A sender that gives up has been heard all the same."""
    rum.delay_seconds = 3600
    connection = _send(rum, json.dumps(body()))
    assert len(rum.wait_for()) == 1
    assert select.select([connection.sock], [], [], 0)[0] == []
    connection.close()


def test_a_delay_takes_its_time(rum: LocalRum, post: Make, body: Make) -> None:
    """The answer is not given before the delay is over."""
    rum.delay_seconds = 0.05
    began = time.monotonic()
    assert post(body()).status == 200
    assert time.monotonic() - began >= 0.05


def test_the_end_does_not_wait_for_a_delay(body: Make) -> None:
    """An answer held back for an hour does not hold up `stop`."""
    with LocalRum() as rum:
        rum.delay_seconds = 3600
        connection = _send(rum, json.dumps(body()))
        rum.wait_for()
        began = time.monotonic()
    assert time.monotonic() - began < 5
    connection.close()


def test_the_end_does_not_wait_for_an_upload() -> None:
    """A body that never comes does not hold up `stop`."""
    with LocalRum() as rum:
        connection = socket.create_connection(_address(rum), timeout=10)
        connection.sendall(
            b"POST /appmonitors/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    connection.close()


def test_clearing_forgets_records_plans_and_delay(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """A cleared stand-in is as good as a fresh one."""
    boto.put_rum_events(Id=app_monitor, **body())
    rum.answer(500)
    rum.delay_seconds = 3600
    rum.clear()
    assert (rum.batches, rum.events, rum.requests, rum.delay_seconds) == ((), (), (), 0.0)
    boto.put_rum_events(Id=app_monitor, **body())
    assert len(rum.events) == 1


def _send(rum: LocalRum, content: bytes | str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(*_address(rum), timeout=10)
    connection.request("POST", "/appmonitors/11111111-1111-4111-8111-111111111111/", content)
    return connection
