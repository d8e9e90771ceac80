"""CORS: the requests that browsers make before a page may send to another origin."""

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
def test_preflight_allows_any_origin(call: Make, app_monitor: str, rum: LocalRum, slash: str) -> None:
    """All headers of AWS's client are allowed; a preflight request is not recorded."""
    reply = call("OPTIONS", f"/appmonitors/{app_monitor}{slash}", headers=PREFLIGHT)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-methods"] == "POST"
    allowed = reply.headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert set(PREFLIGHT["Access-Control-Request-Headers"].split(",")) <= set(allowed)
    assert int(reply.headers["access-control-max-age"]) >= 600
    assert (rum.requests, rum.refused) == ((), ())


def test_page_may_read_the_answer_and_its_headers(post: Make, body: Make) -> None:
    """Accepted or refused."""
    for reply in (post(body(), ORIGIN), post({}, ORIGIN)):
        assert reply.headers["access-control-allow-origin"] == "*"
        exposed = {name.strip().lower() for name in reply.headers["access-control-expose-headers"].split(",")}
        assert exposed == {"x-amzn-requestid", "x-amzn-errortype", "retry-after"}


def test_page_may_read_the_answer_of_a_fault(rum: LocalRum, post: Make, body: Make) -> None:
    """A page gets a 503 as a 503, not as a CORS error."""
    rum.faults = [Fault(status=503, drip_seconds=0.05)]
    reply = post(body(), ORIGIN)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (503, "*")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/appmonitors"), ("GET", "/appmonitor/a"), ("GET", "/"), ("GET", "/api/events")]
)
def test_other_origins_may_not_read_received_data(call: Make, method: str, path: str) -> None:
    """Any origin may send, none may read."""
    assert "access-control-allow-origin" not in call(method, path, headers=ORIGIN).headers
    assert call("OPTIONS", path, headers=PREFLIGHT).status == 404


def test_options_request_without_cors_headers_is_unknown(call: Make, app_monitor: str, rum: LocalRum) -> None:
    """It is answered and not recorded."""
    assert call("OPTIONS", f"/appmonitors/{app_monitor}/").status == 404
    assert rum.requests == ()
