"""Networks without RUM: a closed port, an unknown name, the wrong protocol, an unreachable proxy."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import LocalRum
from tests.faults.conftest import IN_MEMORY
from tests.faults.numbered_spans import NumberedSpans, session_id

Make = Callable[..., Any]


def unused_port() -> int:
    """Return a port without a listener."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_events_are_delivered_after_connections_were_refused(numbered: NumberedSpans, exporter: Make) -> None:
    """As during the restart of a proxy."""
    with LocalRum(port=unused_port()) as first:
        url = first.url
    one = exporter(endpoint=url)
    for _ in range(3):
        one.export([numbered.span(session_id())])
    assert (one.ledger.delivered, one.ledger.stored) == (0, 3)
    with LocalRum(port=int(url.rpartition(":")[2])) as second:
        numbered = NumberedSpans(second)
        numbered.exported = {0, 1, 2}
        numbered.wait_until_received()
        assert one.force_flush()
        numbered.assert_counts(one.ledger)


@IN_MEMORY
@pytest.mark.usefixtures("real_delays")
@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("http://rum.invalid", "EndpointConnectionError"),
        ("https://rum.invalid", "EndpointConnectionError"),
        ("https://127.0.0.1:{port}", "SSLError"),
    ],
    ids=["no such name", "no such name, encrypted", "no TLS"],
)
def test_events_are_kept_and_one_line_is_logged_for_a_wrong_endpoint(
    endpoint: str, reason: str, rum: LocalRum, numbered: NumberedSpans, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, independent of the number of attempts."""
    one = exporter(endpoint=endpoint.format(port=rum.url.rpartition(":")[2]))
    for _ in range(3):
        one.export([numbered.span()])
    assert (one.ledger.delivered, one.ledger.stored) == (0, 3)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "otel_rum_exporter"]
    assert reason in line
    assert "To fix: " in line
    assert not rum.batches


@IN_MEMORY
@pytest.mark.usefixtures("real_delays")
def test_an_unreachable_proxy_is_logged(
    numbered: NumberedSpans, exporter: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the endpoint, which was not contacted."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    one = exporter(endpoint="http://rum.example")
    one.export([numbered.span()])
    assert one.ledger.stored == 1
    assert "ProxyConnectionError" in caplog.text
