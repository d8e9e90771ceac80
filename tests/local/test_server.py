"""`LocalRum`: start and stop, waiting, planned answers and delay."""

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
from tests.local.http_client import address, open_socket, start_post

Make = Callable[..., Any]
APP_MONITOR = "11111111-1111-4111-8111-111111111111"


def test_url_accepts_connections_after_start() -> None:
    """Clients need not wait."""
    rum = LocalRum()
    rum.start()
    try:
        with open_socket(rum):
            pass
    finally:
        rum.stop()


def test_url_raises_when_not_running() -> None:
    """The message has the fix."""
    with pytest.raises(RuntimeError, match=r"call start\(\)"):
        _ = LocalRum().url


def test_stop_ends_thread_and_socket() -> None:
    """The port is free again."""
    before = set(threading.enumerate())
    with LocalRum() as rum:
        bound = address(rum)
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(bound, timeout=10)


def test_records_stay_after_stop() -> None:
    """Assertions may follow the `with` block."""
    with LocalRum() as rum:
        connection = start_post(rum, APP_MONITOR, b"{}")
        connection.getresponse().close()
        connection.close()
    assert len(rum.refused) == 1


def test_start_and_stop_are_idempotent_and_repeatable() -> None:
    """A second start or stop has no effect."""
    rum = LocalRum()
    for _ in range(2):
        rum.start()
        rum.start()
        assert rum.url.startswith("http://127.0.0.1:")
        rum.stop()
        rum.stop()


def test_start_raises_when_the_port_is_in_use() -> None:
    """In the calling thread."""
    with LocalRum() as rum, pytest.raises(OSError, match="in use"):
        LocalRum(port=address(rum)[1]).start()


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("0.0.0.0", "127.0.0.1")]
)
def test_url_is_reachable_for_every_host(host: str, shown: str) -> None:
    """A server bound to all addresses has the loopback address as its url."""
    with LocalRum(host=host) as rum:
        assert urlsplit(rum.url).hostname == shown
        connection = start_post(rum, APP_MONITOR, b"{}")
        assert connection.getresponse().status == 400
        connection.close()


def test_uvicorn_loggers_are_restored() -> None:
    """The application's own server logs as before."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access")]
    before = [(logger.level, logger.propagate, list(logger.filters), list(logger.handlers)) for logger in loggers]
    with LocalRum():
        pass
    assert before == [
        (logger.level, logger.propagate, list(logger.filters), list(logger.handlers)) for logger in loggers
    ]


def test_requests_are_not_logged(caplog: pytest.LogCaptureFixture, boto: Any, body: Make, app_monitor: str) -> None:
    """Requests do not appear in the logs of a test."""
    with caplog.at_level(logging.INFO):
        boto.put_rum_events(Id=app_monitor, **body())
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_wait_for_returns_the_events_of_the_type(
    rum: LocalRum, boto: Any, body: Make, event: Make, app_monitor: str
) -> None:
    """The same as `events` with this type."""
    boto.put_rum_events(Id=app_monitor, **body(event("a"), event("b"), event("b")))
    assert rum.wait_for("b", count=2) == rum.events("b")
    assert len(rum.wait_for(count=3)) == 3


def test_answer_applies_once_and_keeps_nothing(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """The client gets RUM's error and can retry."""
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


def test_answers_apply_in_order(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """Each as often as planned."""
    rum.answer(500, times=2)
    rum.answer(403, error_type="MissingAuthenticationTokenException", message="no signature")
    codes = []
    for _ in range(3):
        with pytest.raises(ClientError) as caught:
            boto.put_rum_events(Id=app_monitor, **body())
        codes.append(caught.value.response["Error"]["Code"])
    assert codes == ["InternalServerException"] * 2 + ["MissingAuthenticationTokenException"]
    assert caught.value.response["Error"]["Message"] == "no signature"


def test_planned_200_keeps_nothing(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """A success is an answer like any other."""
    rum.answer(200)
    boto.put_rum_events(Id=app_monitor, **body())
    assert rum.batches == ()
    assert [request.status for request in rum.requests] == [200]


def test_request_with_a_planned_answer_is_not_validated(rum: LocalRum, post: Make, body: Make) -> None:
    """So an invalid request is not recorded as refused."""
    rum.answer(429)
    assert post({}).status == 429
    assert rum.refused == ()
    assert post(body()).status == 200


def test_events_are_stored_before_the_delay(rum: LocalRum, body: Make, app_monitor: str) -> None:
    """Also when the client disconnects early."""
    rum.delay_seconds = 3600
    connection = start_post(rum, app_monitor, json.dumps(body()))
    assert len(rum.wait_for()) == 1
    assert select.select([connection.sock], [], [], 0)[0] == []
    connection.close()


def test_delay_is_at_least_the_given_time(rum: LocalRum, post: Make, body: Make) -> None:
    """The answer does not arrive earlier."""
    rum.delay_seconds = 0.05
    began = time.monotonic()
    assert post(body()).status == 200
    assert time.monotonic() - began >= 0.05


def test_stop_does_not_wait_for_a_delayed_answer(body: Make, app_monitor: str) -> None:
    """A delay of an hour does not block `stop`."""
    with LocalRum() as rum:
        rum.delay_seconds = 3600
        connection = start_post(rum, app_monitor, json.dumps(body()))
        rum.wait_for()
        began = time.monotonic()
    assert time.monotonic() - began < 60
    connection.close()


def test_stop_does_not_wait_for_an_upload() -> None:
    """A missing body does not block `stop`."""
    with LocalRum() as rum:
        connection = open_socket(rum)
        connection.sendall(
            b"POST /appmonitors/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        began = time.monotonic()
    assert time.monotonic() - began < 60
    connection.close()


def test_clear_removes_records_answers_and_delay(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """The next request is accepted."""
    boto.put_rum_events(Id=app_monitor, **body())
    rum.answer(500)
    rum.delay_seconds = 3600
    rum.clear()
    assert (rum.batches, rum.events, rum.requests, rum.delay_seconds) == ((), (), (), 0.0)
    boto.put_rum_events(Id=app_monitor, **body())
    assert len(rum.events) == 1
