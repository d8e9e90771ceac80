"""No secret is sent, from any attribute or text in which one may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import pytest
from opentelemetry import baggage
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import Event, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceState

from otel_rum_exporter import RumLogExporter, RumSessionProcessor, RumSessionWsgiMiddleware, RumSpanExporter
from otel_rum_exporter.local import LocalRum
from tests.logs import make_log
from tests.spans import APP_MONITOR_ID, exception_event, make_span

SECRET = "swordfish"
URL = f"https://me:{SECRET}@shop.example/pay;jsessionid={SECRET}?token={SECRET}&email=a@b.example#{SECRET}"
QUOTED = (
    f"Max retries exceeded with url: /pay?token={SECRET} and https://me:{SECRET}@shop.example/pay?x={SECRET}, "
    f"password={SECRET}, {{'api_key': '{SECRET}'}}, Authorization: Bearer {SECRET}"
)
STACK = f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    get("{URL}")\nOSError: {QUOTED}\n'
CHAIN = f"{STACK}\nDuring handling of the above exception, another exception occurred:\n\n{STACK}"
WEB_STACK = f"TypeError: {QUOTED}\n    at f ({URL}:1:20)\n    at g (https://a.example/b.js?token={SECRET}:7:1)"
CLIENT, SERVER = SpanKind.CLIENT, SpanKind.SERVER
ERROR = {"exception.type": "OSError", "exception.message": QUOTED, "exception.stacktrace": CHAIN}
SETTINGS: dict[str, Any] = {
    "metadata_attributes": ["http.url", "request", "note", "process.command_line"],
    "http_events": "all",
    "page_views": "all",
    "xray_events": True,
    "compression": "none",
}

SPANS: dict[str, dict[str, Any]] = {
    "the URL of a request made": {"attributes": {"http.method": "GET", "http.url": URL}, "kind": CLIENT},
    "the URL of a request served": {
        "attributes": {"http.method": "POST", "http.target": f"/pay?token={SECRET}", "http.status_code": 500},
        "kind": SERVER,
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
        "kind": SERVER,
    },
    "captured headers": {
        "attributes": {
            f"http.request.header.{name}": (SECRET,)
            for name in ("authorization", "cookie", "x_forwarded_for", "x-api-key", "x_auth_token", "set-cookie")
        }
    },
    "a redirect": {
        "attributes": {"http.response.header.location": (URL,), "http.response.header.set_cookie": (SECRET,)}
    },
    "session and user": {"attributes": {"session.id": SECRET, "user.id": SECRET, "user.email": SECRET}},
    "session and user of the resource": {"resource": {"session.id": SECRET, "user.id": SECRET, "enduser.id": SECRET}},
    "the command line of the resource": {
        "resource": {"process.command_args": ("run", SECRET), "process.command_line": f"run --token={SECRET}"}
    },
    "the document of the resource": {"resource": {"browser.document.url.full": URL}},
    "an exception": {"events": [exception_event("OSError", QUOTED, STACK)]},
    "a chain of exceptions": {"events": [exception_event(f"OSError: {QUOTED}", QUOTED, CHAIN)]},
    "an exception on the span itself": {"attributes": ERROR, "name": "device.hang"},
    "an error of a browser": {
        "attributes": {"component": "error", "error.message": QUOTED, "error.stack": WEB_STACK, "location.href": URL}
    },
    "the exception of a request made": {
        "attributes": {"http.method": "GET", "http.url": "https://a.example/", "error.type": QUOTED},
        "kind": CLIENT,
        "events": [exception_event("OSError", QUOTED, CHAIN)],
    },
    "the error of a request made": {
        "attributes": {"http.method": "GET", "error.type": QUOTED},
        "kind": CLIENT,
        "status": Status(StatusCode.ERROR, QUOTED),
    },
    "a status description": {"status": Status(StatusCode.ERROR, QUOTED)},
    "the name of a span": {"name": f"GET {URL}"},
    "the name of a page": {
        "name": f"GET {URL}",
        "attributes": {"http.method": "GET", "http.status_code": 200},
        "kind": SERVER,
    },
    "a database": {"attributes": {"db.statement": SECRET, "db.query.text": SECRET, "db.query.parameter.0": SECRET}},
    "a connection": {"attributes": {"db.connection_string": SECRET, "dsn": f"postgres://me:{SECRET}@db.example/shop"}},
    "a process": {"attributes": {"process.command_args": ("run", SECRET), "process.command_line": SECRET}},
    "an attribute that quotes a URL": {"attributes": {"note": QUOTED, "links": (QUOTED,)}},
    "a map": {"attributes": {"request": {"url.full": URL, "password": SECRET, "x": {"auth.token": SECRET}}}},
    "an event of a span": {"events": [Event("retry", {"url.full": URL, "api_key": SECRET}), Event(f"GET {URL}", {})]},
    "metadata that the settings name": {"attributes": {"http.url": URL, "note": QUOTED, "request": {"token": SECRET}}},
    "a document loaded": {"name": "documentLoad", "attributes": {"url.full": URL}},
    "a route": {"name": "routeChange", "attributes": {"location.href": URL, "prev.href": URL}},
    "a resource": {"name": "resourceFetch", "attributes": {"http.url": URL}},
    "a screen": {
        "attributes": {
            "app.screen.name": f"/reset?token={SECRET}",
            "app.screen.parent_screen.name": URL,
            "app.screen.interaction": 2,
            "rum.page.tags": (QUOTED,),
        }
    },
    "a baggage": {"attributes": {"baggage.auth_token": SECRET}},
}

LOGS: dict[str, dict[str, Any]] = {
    "an exception": {"attributes": ERROR},
    "the body of an exception": {"attributes": {"exception.type": "OSError"}, "body": QUOTED},
    "the body of an event": {"event_name": "paid", "body": QUOTED},
    "a map as body": {"event_name": "paid", "body": {"card": {"token": SECRET}, "url.full": URL, "note": [QUOTED]}},
    "the name of an event": {"event_name": f"GET {URL}"},
    "attributes": {
        "event_name": "paid",
        "attributes": {"url.full": URL, "note": QUOTED, "http.request.header.cookie": SECRET},
    },
    "a crash": {"event_name": "app.crash", "attributes": ERROR},
    "a navigation": {"event_name": "browser.navigation", "attributes": {"url.full": URL}},
    "a resource": {"event_name": "browser.resource_timing", "attributes": {"url.full": URL}},
    "an attribution": {
        "event_name": "browser.web_vital",
        "attributes": {"browser.web_vital.name": "lcp", "browser.web_vital.value": 1},
        "body": (
            f'{{"url": "{URL}", "timeToFirstByte": 1, "resourceLoadDelay": 1, "resourceLoadDuration": 1, '
            '"elementRenderDelay": 1}'
        ),
    },
    "the session before": {
        "event_name": "session.start",
        "attributes": {"session.id": SECRET, "session.previous_id": SECRET, "user.id": SECRET},
    },
}


def check_sent(rum: LocalRum) -> None:
    """Raise if RUM refused or dropped something, or if a raw request body contains the secret."""
    assert rum.batches
    assert (rum.refused, rum.dropped) == ((), ())
    assert SECRET not in str([batch.raw for batch in rum.batches])


@pytest.mark.parametrize("place", SPANS)
def test_no_secret_of_a_span_is_sent(place: str, rum: LocalRum, exporter: Callable[..., RumSpanExporter]) -> None:
    """All settings that send more are on."""
    one = exporter(**SETTINGS)
    one.export([make_span(**SPANS[place])])
    assert one.force_flush(20_000)
    check_sent(rum)


@pytest.mark.parametrize("place", LOGS)
def test_no_secret_of_a_log_record_is_sent(place: str, rum: LocalRum) -> None:
    """All settings that send more are on."""
    one = RumLogExporter(app_monitor_id=APP_MONITOR_ID, endpoint=rum.url, signing="none", **SETTINGS)
    one.export([make_log(**{"severity": SeverityNumber.ERROR, **LOGS[place]})])
    one.shutdown(20_000)
    check_sent(rum)


def test_no_secret_of_a_link_or_trace_state_is_sent(rum: LocalRum, exporter: Callable[..., RumSpanExporter]) -> None:
    """Only the ids of links are sent."""
    one = exporter(**SETTINGS)
    state = TraceState([("vendor", SECRET)])
    link = Link(SpanContext(1, 2, is_remote=True, trace_state=state), {"note": SECRET})
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(one))
    provider.get_tracer("t").start_span("work", links=[link]).end()
    provider.shutdown()
    check_sent(rum)


def test_no_secret_of_baggage_or_cookies_is_sent(rum: LocalRum, exporter: Callable[..., RumSpanExporter]) -> None:
    """They pass through a real server, its instrumentation and the middleware; ids from baggage become hashes."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RumSessionProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter(**SETTINGS)))
    app = flask.Flask("shop")
    app.add_url_rule("/reset", "reset", lambda: "done")
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)  # type: ignore[no-untyped-call]
    app.wsgi_app = RumSessionWsgiMiddleware(app.wsgi_app, tracer_provider=provider)  # type: ignore[method-assign]
    with app.test_client() as client:
        client.set_cookie("cwr_s", SECRET)
        client.set_cookie("session", SECRET)
        headers = {"Authorization": f"Bearer {SECRET}", "Referer": URL, "baggage": f"session.id={SECRET},t={SECRET}"}
        client.get(f"/reset?token={SECRET}", headers=headers)
    FlaskInstrumentor().uninstrument_app(app)  # type: ignore[no-untyped-call]
    context = baggage.set_baggage("session.id", SECRET, baggage.set_baggage("auth", SECRET, Context()))
    provider.get_tracer("t").start_span("work", context).end()
    provider.shutdown()
    check_sent(rum)


def test_no_secret_of_baggage_is_sent_with_a_log_record(rum: LocalRum) -> None:
    """The processor sets ids on log records too."""
    kept = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(RumSessionProcessor())
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    context = baggage.set_baggage("session.id", SECRET, baggage.set_baggage("auth", SECRET, Context()))
    provider.get_logger("t").emit(event_name="paid", body="done", context=context)
    provider.shutdown()
    one = RumLogExporter(app_monitor_id=APP_MONITOR_ID, endpoint=rum.url, signing="none", **SETTINGS)
    one.export([*kept.get_finished_logs()])
    one.shutdown(20_000)
    check_sent(rum)
