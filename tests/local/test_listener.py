"""Limits of a connection, over real sockets."""

from __future__ import annotations

import contextlib
import gc
import socket
import time
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from otel_rum_exporter.local import LocalRum, listener
from otel_rum_exporter.local import body as body_module

Make = Callable[..., Any]
HEAD = b"POST /appmonitors/11111111-1111-4111-8111-111111111111/ HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def connect(rum: LocalRum) -> Callable[[], socket.socket]:
    """Open a connection."""
    address = urlsplit(rum.url)
    return lambda: socket.create_connection((address.hostname or "", address.port or 0), timeout=10)


def _trickle(connection: socket.socket) -> None:
    for _ in range(500):
        connection.sendall(b"G")
        time.sleep(0.02)


def _rest(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("begun", [b"", b"POST /appmonitors/a HTTP/1.1\r\nHos"])
def test_a_connection_that_does_not_come_to_the_point_is_closed(
    monkeypatch: pytest.MonkeyPatch, connect: Make, begun: bytes
) -> None:
    """Whether it says nothing or half a head."""
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 0.2)
    with connect() as connection:
        connection.sendall(begun)
        assert _rest(connection) == b""


def test_a_head_that_trickles_in_is_closed_all_the_same(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """Each byte is no new beginning."""
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 0.3)
    with connect() as connection, pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        _trickle(connection)


def test_a_second_head_on_a_connection_has_its_time_too(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """The first request is no pass for the next."""
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 0.3)
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
        connection.sendall(b"POST /half HTT")
        assert b"HTTP/1.1" not in _rest(connection)


def test_a_long_request_is_not_cut_by_the_limit_of_its_head(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """A body may take longer than a head."""
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_SECONDS", 0.1)
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{")
        time.sleep(0.3)
        connection.sendall(b"}")
        assert _rest(connection).startswith(b"HTTP/1.1 400")


def test_a_body_that_does_not_come_is_answered(monkeypatch: pytest.MonkeyPatch, connect: Make) -> None:
    """Its sender is told, and the connection is free."""
    monkeypatch.setattr(body_module, "_TIMEOUT_SECONDS", 0.2)
    with connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n{")
        assert _rest(connection).startswith(b"HTTP/1.1 408 Request Timeout")


def test_a_head_without_end_is_refused(connect: Make) -> None:
    """Long before its time is over, and before it fills the memory; the 400 may be lost while it is still written."""
    with connect() as connection:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"X-Long: " + b"x" * 8192)
        assert _rest(connection)[:12] in {b"", b"HTTP/1.1 400"}


def test_the_end_closes_a_connection_that_was_just_made() -> None:
    """Also one that was accepted and that nobody has looked at yet."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(30):
            with LocalRum() as rum:
                address = urlsplit(rum.url)
                connections = [socket.create_connection((address.hostname or "", address.port or 0)) for _ in range(3)]
            for connection in connections:
                connection.close()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_connections_beyond_the_limit_are_turned_away(monkeypatch: pytest.MonkeyPatch, call_to: Make) -> None:
    """Those that are idle are closed in time, and then there is room again."""
    monkeypatch.setattr(listener, "_MAX_CONNECTIONS", 4)
    with LocalRum() as rum, contextlib.ExitStack() as idle:
        address = urlsplit(rum.url)
        assert call_to(rum, "GET", "/").status == 200
        for _ in range(4):
            idle.enter_context(socket.create_connection((address.hostname or "", address.port or 0)))
        assert call_to(rum, "GET", "/").status == 503
