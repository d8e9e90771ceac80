"""A secret planted in every plausible place never reaches the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.local import LocalRum
from tests.spans import exception_event, make_span

SECRET = "swordfish"
URL = f"https://me:{SECRET}@shop.example/pay;jsessionid={SECRET}?token={SECRET}&email=a@b.example#{SECRET}"
QUOTED = f"Max retries exceeded with url: /pay?token={SECRET} and https://me:{SECRET}@shop.example/pay?x={SECRET}"
STACK = f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    get("{URL}")\nOSError: {QUOTED}\n'

PLACES: dict[str, dict[str, Any]] = {
    "the URL of a request made": {"attributes": {"http.method": "GET", "http.url": URL}, "kind": SpanKind.CLIENT},
    "the URL of a request served": {
        "attributes": {"http.method": "POST", "http.target": f"/pay?token={SECRET}", "http.status_code": 500},
        "kind": SpanKind.SERVER,
    },
    "the stable URL of a page": {
        "attributes": {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "url.path": "/",
            "url.query": f"token={SECRET}",
            "http.request.header.referer": (URL,),
            "http.request.header.cookie": (f"id={SECRET}",),
        },
        "kind": SpanKind.SERVER,
    },
    "captured headers": {
        "attributes": {
            f"http.request.header.{name}": (SECRET,)
            for name in ("authorization", "cookie", "x_forwarded_for", "x-api-key", "x_auth_token", "set-cookie")
        }
    },
    "session and user": {"attributes": {"session.id": SECRET, "user.id": SECRET, "user.email": SECRET}},
    "session and user of the resource": {"resource": {"session.id": SECRET, "user.id": SECRET}},
    "an exception": {"events": [exception_event("OSError", QUOTED, STACK)]},
    "the exception of a request made": {
        "attributes": {"http.method": "GET", "http.url": "https://a.example/"},
        "kind": SpanKind.CLIENT,
        "events": [exception_event("OSError", QUOTED, STACK)],
    },
    "a status description": {"status": Status(StatusCode.ERROR, QUOTED)},
    "the name of a span": {"name": f"GET {URL}"},
    "a database": {"attributes": {"db.statement": SECRET, "db.query.text": SECRET, "db.query.parameter.0": SECRET}},
    "a process": {"attributes": {"process.command_args": ("run", SECRET), "process.command_line": SECRET}},
    "an attribute that quotes a URL": {"attributes": {"note": QUOTED, "links": (QUOTED,)}},
    "a map": {"attributes": {"request": {"url.full": URL, "password": SECRET, "x": {"auth.token": SECRET}}}},
    "an event of a span": {"events": [Event("retry", {"url.full": URL, "api_key": SECRET})]},
    "metadata that the settings name": {"attributes": {"http.url": URL}},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_does_not_reach_the_wire(place: str, rum: LocalRum, exporter: Callable[..., RumSpanExporter]) -> None:
    """The body of each request is searched as it came."""
    one = exporter(metadata_attributes=["http.url"], http_events="all", page_views="all", compression="none")
    one.export([make_span(**PLACES[place])])
    assert one.force_flush(20_000)
    assert rum.batches
    assert SECRET not in str([batch.raw for batch in rum.batches])
