"""What browsers ask before a page may send to another origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import Fault, LocalRum

Make = Callable[..., Any]
ORIGIN = {"Origin": "https://shop.example"}
PREFLIGHT = ORIGIN | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-encoding,content-type,x-amz-content-sha256,x-amz-date",
}


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_page_of_any_origin_may_send(call: Make, app_monitor: str, rum: LocalRum, slash: str) -> None:
    """Everything that AWS's client sets is allowed, for as long as browsers remember; asking is no telemetry."""
    reply = call("OPTIONS", f"/appmonitors/{app_monitor}{slash}", headers=PREFLIGHT)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-methods"] == "POST"
    allowed = reply.headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert set(PREFLIGHT["Access-Control-Request-Headers"].split(",")) <= set(allowed)
    assert int(reply.headers["access-control-max-age"]) >= 600
    assert (rum.requests, rum.refused) == ((), ())


def test_a_page_may_read_its_answer(post: Make, body: Make) -> None:
    """Accepted or refused, with the headers that tell why and when to come back."""
    for reply in (post(body(), ORIGIN), post({}, ORIGIN)):
        assert reply.headers["access-control-allow-origin"] == "*"
        exposed = {name.strip().lower() for name in reply.headers["access-control-expose-headers"].split(",")}
        assert exposed == {"x-amzn-requestid", "x-amzn-errortype", "retry-after"}


def test_a_fault_is_readable_too(rum: LocalRum, post: Make, body: Make) -> None:
    """A page sees a 503 as a 503, and not as a broken rule."""
    rum.faults = [Fault(status=503, drip_seconds=0.05)]
    reply = post(body(), ORIGIN)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (503, "*")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/appmonitors"), ("GET", "/appmonitor/a"), ("GET", "/"), ("GET", "/api/events")]
)
def test_no_page_of_another_origin_may_read_what_was_received(call: Make, method: str, path: str) -> None:
    """Only sending is for everybody."""
    assert "access-control-allow-origin" not in call(method, path, headers=ORIGIN).headers
    assert call("OPTIONS", path, headers=PREFLIGHT).status == 404


def test_options_that_are_no_question_of_a_browser_are_no_operation(
    call: Make, app_monitor: str, rum: LocalRum
) -> None:
    """They are answered, and not recorded."""
    assert call("OPTIONS", f"/appmonitors/{app_monitor}/").status == 404
    assert rum.requests == ()
