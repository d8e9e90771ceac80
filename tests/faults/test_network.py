"""Networks that do not lead to RUM: nobody listens, no such name, the wrong protocol, a proxy that is gone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import LocalRum
from tests.faults.account import Account, session_id
from tests.faults.conftest import IN_MEMORY

Make = Callable[..., Any]


def unused_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_what_nobody_took_while_the_port_refused_is_delivered_when_rum_is_back(
    account: Account, exporter: Make
) -> None:
    """As while a proxy restarts."""
    with LocalRum(port=unused_port()) as early:
        url = early.url
    one = exporter(endpoint=url)
    for _ in range(3):
        one.export([account.span(session_id())])
    assert (one.ledger.delivered, one.ledger.stored) == (0, 3)
    with LocalRum(port=int(url.rpartition(":")[2])) as late:
        account = Account(late)
        account.given = {0, 1, 2}
        account.wait_until_all_are_taken()
        assert one.force_flush()
        account.assert_balanced(one.ledger)


@IN_MEMORY
@pytest.mark.usefixtures("real_pauses")
@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("http://rum.invalid", "EndpointConnectionError"),
        ("https://rum.invalid", "EndpointConnectionError"),
        ("https://127.0.0.1:{port}", "SSLError"),
    ],
    ids=["no such name", "no such name, encrypted", "no TLS"],
)
def test_an_endpoint_that_is_none_keeps_the_events_and_says_what_to_do(
    endpoint: str, reason: str, rum: LocalRum, account: Account, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, however often it is tried."""
    one = exporter(endpoint=endpoint.format(port=rum.url.rpartition(":")[2]))
    for _ in range(3):
        one.export([account.span()])
    assert (one.ledger.delivered, one.ledger.stored) == (0, 3)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "otel_rum_exporter"]
    assert reason in line
    assert "To do: " in line
    assert not rum.batches


@IN_MEMORY
@pytest.mark.usefixtures("real_pauses")
def test_a_proxy_that_is_gone_is_named(
    account: Account, exporter: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the endpoint, of which nobody knows anything."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    one = exporter(endpoint="http://rum.example")
    one.export([account.span()])
    assert one.ledger.stored == 1
    assert "ProxyConnectionError" in caplog.text
