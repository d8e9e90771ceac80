"""Limits of connections, over real sockets."""

from __future__ import annotations

import contextlib
import gc
import socket
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import LocalRum, listener
from otel_rum_exporter.local import body as body_module
from tests.local.http_client import call, open_socket
from tests.sockets import read_to_end, send_slowly

Make = Callable[..., Any]
HEAD = b"POST /appmonitors/11111111-1111-4111-8111-111111111111/ HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def connect(rum: LocalRum) -> Callable[[], socket.socket]:
    """Open a TCP connection."""
    return lambda: open_socket(rum)


@pytest.mark.parametrize("sent_bytes", [b"", b"POST /appmonitors/a HTTP/1.1\r\nHos"])
def test_connection_without_a_complete_head_is_closed(
    monkeypatch: pytest.MonkeyPatch, connect: Make, sent_bytes: bytes
) -> None:
    """With no bytes, or with half a head."""
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 0.2)
    with connect() as connection:
        connection.sendall(sent_bytes)
        assert read_to_end(connection) == b""


def test_connection_with_a_slow_head_is_closed(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """Further bytes do not extend the limit."""
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 0.3)
    with connect() as connection, pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        send_slowly(connection, b"G" * 500)


def test_head_timeout_applies_to_later_requests(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """A first request does not remove the limit."""
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
        monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 0.2)
        connection.sendall(b"POST /half HTT")
        assert b"HTTP/1.1" not in read_to_end(connection)


def test_head_timeout_does_not_apply_to_the_body(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """A body may take longer."""
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 1.0)
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{")
        time.sleep(1.2)
        connection.sendall(b"}")
        assert read_to_end(connection).startswith(b"HTTP/1.1 400")


def test_missing_body_is_answered_with_408(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """The connection is closed."""
    monkeypatch.setattr(body_module, "_TIMEOUT_SECONDS", 0.2)
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n{")
        assert read_to_end(connection).startswith(b"HTTP/1.1 408 Request Timeout")


def test_endless_head_is_refused(connect: Make) -> None:
    """The limit is its size; the client may miss the 400 while it still writes."""
    with connect() as connection:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"X-Long: " + b"x" * 8192)
        assert read_to_end(connection)[:12] in {b"", b"HTTP/1.1 400"}


def test_stop_closes_connections_that_were_just_accepted() -> None:
    """No socket leaks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(30):
            with LocalRum() as rum:
                connections = [open_socket(rum) for _ in range(3)]
            for connection in connections:
                connection.close()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_connections_above_the_limit_get_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle connections time out and free the limit."""
    monkeypatch.setattr(listener, "_MAX_CONNECTIONS", 4)
    with LocalRum() as rum, contextlib.ExitStack() as idle:
        assert call(rum, "GET", "/").status == 200
        for _ in range(4):
            idle.enter_context(open_socket(rum))
        assert call(rum, "GET", "/").status == 503
