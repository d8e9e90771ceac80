"""Spans and log records of OpenTelemetry's Python instrumentations, in the old and the stable conventions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import aiohttp
import boto3
import django.conf
import django.http
import django.test
import django.urls
import fastapi
import flask
import httpx
import pytest
import requests
import urllib3
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.exceptions import UnhandledExceptionInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.mapping.event_drafts import drafts_of, mapped, types

CONVENTIONS = ["", "http"]
"""Values of OTEL_SEMCONV_STABILITY_OPT_IN for the old and the stable names."""

PATH = "/products/logo.png?sku=4711&token=SECRET"


class Spans:
    """A tracer provider, and the spans that it collected."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def finished(self) -> tuple[ReadableSpan, ...]:
        """Return all spans, in the order in which they ended."""
        return self._exporter.get_finished_spans()

    def of(self, kind: SpanKind) -> ReadableSpan:
        """Return the only span of a kind."""
        (span,) = (span for span in self._exporter.get_finished_spans() if span.kind is kind)
        return span


@pytest.fixture(params=CONVENTIONS, ids=["old", "stable"])
def spans(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Spans:
    """Collect spans in one convention; instrumentations otherwise read it once per process."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", request.param)
    monkeypatch.setattr(Stability, "_initialized", False)
    monkeypatch.setattr(Stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    return Spans()


class Site(BaseHTTPRequestHandler):
    """A web site with one page."""

    def do_GET(self) -> None:
        """Respond with 200 to that path, and 404 to others."""
        body = b"hello"
        self.send_response(200 if self.path == PATH else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site(no_leaks_of_module: None) -> Iterator[str]:
    """Serve a web site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def dead_site() -> str:
    """Return a URL whose port is closed."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        return f"http://127.0.0.1:{server.server_port}"


def _urllib(url: str) -> None:
    with urllib.request.urlopen(url) as response:
        response.read()


def _urllib3(url: str) -> None:
    with urllib3.PoolManager(retries=False) as pool:
        pool.request("GET", url)


def _aiohttp(url: str) -> None:
    async def get() -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            await response.read()

    asyncio.run(get())


CLIENTS: dict[str, tuple[Any, Callable[[str], object]]] = {
    "requests": (RequestsInstrumentor, requests.get),
    "httpx": (HTTPXClientInstrumentor, httpx.get),
    "urllib": (URLLibInstrumentor, _urllib),
    "urllib3": (URLLib3Instrumentor, _urllib3),
    "aiohttp": (AioHttpClientInstrumentor, _aiohttp),
}


@pytest.fixture(params=CLIENTS)
def get(request: pytest.FixtureRequest, spans: Spans) -> Iterator[Callable[[str], ReadableSpan]]:
    """Return a function that sends a request with an instrumented client, and returns its span."""
    instrumentor, call = CLIENTS[request.param]
    instrumentor().instrument(tracer_provider=spans.provider)

    def called(url: str) -> ReadableSpan:
        try:
            call(url)
        except urllib.error.HTTPError as error:
            error.close()
        except Exception:  # noqa: BLE001 - each library has its own
            pass
        return spans.of(SpanKind.CLIENT)

    yield called
    instrumentor().uninstrument()


def test_a_request_made_is_a_resource(get: Callable[[str], ReadableSpan], site: str) -> None:
    """For every library; secrets of the URL are not sent."""
    ((name, details),) = mapped(get(site + PATH))
    assert (name, details["targetUrl"], details["fileType"]) == (
        "performance_resource_event",
        f"{site}/products/logo.png",
        "image",
    )
    assert details["duration"] > 0


def test_a_request_with_a_404_response_failed_without_an_error(get: Callable[[str], ReadableSpan], site: str) -> None:
    """Urllib raises for a 404, and its span has the exception."""
    (first, _), (second, details) = mapped(get(f"{site}/missing"))
    assert (first, second) == ("performance_resource_event", "http_event")
    assert details["request"] == {"method": "GET", "url": f"{site}/missing"}
    assert details["response"] == {"status": 404, "statusText": "Not Found"}
    assert "error" not in details


def test_a_request_without_a_response_has_an_error(get: Callable[[str], ReadableSpan], dead_site: str) -> None:
    """Each library has its own error type."""
    (first, _), (second, details) = mapped(get(f"{dead_site}/x?token=SECRET"))
    assert (first, second) == ("performance_resource_event", "http_event")
    assert details["request"]["url"] == f"{dead_site}/x"
    assert "response" not in details
    assert details["error"]["type"] != "Error"
    assert "SECRET" not in str(details)


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class BoomError(Exception):
    """An application's error."""


def _flask(spans: Spans) -> Iterator[Callable[[str, str], object]]:
    app = flask.Flask("shop")
    app.add_url_rule("/products/<sku>", "product", lambda sku: f"<p>{sku}</p>")
    app.add_url_rule("/orders", "orders", lambda: "done", methods=["POST"])
    app.add_url_rule("/boom", "boom", _boom)
    FlaskInstrumentor().instrument_app(app, tracer_provider=spans.provider)  # type: ignore[no-untyped-call]
    with app.test_client() as client:
        yield lambda method, path: client.open(path, method=method, headers={"User-Agent": BROWSER})
    FlaskInstrumentor().uninstrument_app(app)  # type: ignore[no-untyped-call]


def _fastapi(spans: Spans) -> Iterator[Callable[[str, str], object]]:
    app = fastapi.FastAPI()
    app.get("/products/{sku}")(lambda sku: f"<p>{sku}</p>")
    app.post("/orders")(lambda: "done")
    app.get("/boom")(_boom)
    FastAPIInstrumentor().instrument_app(app, tracer_provider=spans.provider)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def ask(method: str, path: str) -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            await client.request(method, path, headers={"User-Agent": BROWSER})

    yield lambda method, path: asyncio.run(ask(method, path))
    FastAPIInstrumentor().uninstrument_app(app)


def _django(spans: Spans) -> Iterator[Callable[[str, str], object]]:
    class Urls:
        urlpatterns = (
            django.urls.path("products/<str:sku>", lambda _, sku: django.http.HttpResponse(f"<p>{sku}</p>")),
            django.urls.path("orders", lambda _: django.http.HttpResponse("done")),
            django.urls.path("boom", lambda _: _boom()),
        )

    with _django_settings(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[], LOGGING_CONFIG=None):
        django.setup()
        DjangoInstrumentor().instrument(tracer_provider=spans.provider)
        client = django.test.Client(raise_request_exception=False, headers={"User-Agent": BROWSER})
        yield client.generic
        DjangoInstrumentor().uninstrument()


@contextlib.contextmanager
def _django_settings(**values: object) -> Iterator[None]:
    """Configure Django temporarily: a process has one configuration, and other tests may have another."""
    settings = vars(django.conf.settings)
    before = settings.copy()
    holder = django.conf.UserSettingsHolder(django.conf.global_settings)
    vars(holder).update(values)
    settings.clear()
    settings["_wrapped"] = holder
    yield
    settings.clear()
    settings.update(before)


def _boom() -> str:
    raise BoomError("no")


@pytest.fixture(params=[_flask, _fastapi, _django])
def ask(request: pytest.FixtureRequest, spans: Spans) -> Iterator[Callable[[str, str], ReadableSpan]]:
    """Return a function that sends a request to an instrumented web application, and returns the SERVER span."""
    served = request.param(spans)
    call = next(served)

    def asked(method: str, path: str) -> ReadableSpan:
        call(method, path)
        return spans.of(SpanKind.SERVER)

    yield asked
    next(served, None)


def test_a_page_served_is_a_page_view_of_its_route(ask: Callable[[str, str], ReadableSpan]) -> None:
    """For every framework; each writes routes in its own way."""
    (first, seen), (second, navigation) = mapped(ask("GET", "/products/4711?token=SECRET"))
    assert (first, second) == ("page_view_event", "performance_navigation_event")
    assert seen["pageId"] in {"/products/<sku>", "/products/{sku}", "/products/<str:sku>"}
    assert navigation["duration"] > 0


def test_a_request_for_no_page_is_a_custom_event(ask: Callable[[str, str], ReadableSpan]) -> None:
    """For example a submitted form."""
    (name,) = types(ask("POST", "/orders"))
    assert name.startswith("POST")


def test_a_request_for_an_unknown_path_failed(ask: Callable[[str, str], ReadableSpan]) -> None:
    """The event has the status 404 and the requested URL."""
    ((name, details),) = mapped(ask("GET", "/nothing?token=SECRET"))
    assert (name, details["response"]["status"]) == ("http_event", 404)
    assert "SECRET" not in str(details)


def test_an_application_that_raised_is_a_failed_request_and_an_error(ask: Callable[[str, str], ReadableSpan]) -> None:
    """The events have the status 500 and its cause."""
    (first, request), (second, error) = mapped(ask("GET", "/boom"))
    assert (first, request["response"]["status"]) == ("http_event", 500)
    assert (second, error["type"].rpartition(".")[2], error["message"]) == ("js_error_event", "BoomError", "no")
    assert error["filename"].endswith("test_instrumentations.py")


def test_asgi_messages_make_no_events(spans: Spans) -> None:
    """FastAPI's instrumentation makes a span for each message."""
    served = _fastapi(spans)
    next(served)("GET", "/products/4711")
    next(served, None)
    messages = [span for span in spans.finished if span.kind is SpanKind.INTERNAL]
    assert len(messages) >= 2
    assert [types(span) for span in messages] == [[]] * len(messages)


def test_a_request_to_aws_is_no_event(spans: Spans) -> None:
    """The spans are those of botocore's instrumentation; the endpoint is closed."""
    BotocoreInstrumentor().instrument(tracer_provider=spans.provider)  # type: ignore[no-untyped-call]
    config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, connect_timeout=1)
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        dead = f"http://127.0.0.1:{server.server_port}"
    for service, call in (("sqs", "list_queues"), ("rum", "list_app_monitors")):
        client = boto3.client(service, endpoint_url=dead, config=config, **keys)
        with pytest.raises(EndpointConnectionError):
            getattr(client, call)()
        client.close()
    BotocoreInstrumentor().uninstrument()  # type: ignore[no-untyped-call]
    queue, rum = (types(span) for span in spans.finished)
    assert queue == []
    assert rum == []


@pytest.fixture
def logs() -> tuple[LoggerProvider, InMemoryLogRecordExporter]:
    """Collect log records."""
    provider = LoggerProvider()
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return provider, exporter


def test_an_exception_logged_by_the_standard_library_is_an_error(
    logs: tuple[LoggerProvider, InMemoryLogRecordExporter],
) -> None:
    """`logger.exception` through OpenTelemetry's handler; a line without an exception makes no event."""
    provider, exporter = logs
    logger = logging.getLogger("shop")
    handler = LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    logger.warning("odd")
    try:
        _boom()
    except BoomError:
        logger.exception("payment failed")
    logger.removeHandler(handler)
    odd, failed = exporter.get_finished_logs()
    assert not types(odd)
    ((name, details),) = mapped(failed)
    assert (name, details["type"], details["message"]) == ("js_error_event", "BoomError", "no")
    assert details["filename"].endswith("test_instrumentations.py")


def test_an_exception_emitted_is_an_error(logs: tuple[LoggerProvider, InMemoryLogRecordExporter]) -> None:
    """`Logger.emit(exception=...)`, which reads the exception itself."""
    provider, exporter = logs
    try:
        _boom()
    except BoomError as error:
        provider.get_logger("shop").emit(severity_number=SeverityNumber.ERROR, body="failed", exception=error)
    ((name, details),) = mapped(exporter.get_finished_logs()[0])
    assert (name, details["type"].rpartition(".")[2], details["message"]) == ("js_error_event", "BoomError", "no")


def test_an_uncaught_exception_is_an_error(
    logs: tuple[LoggerProvider, InMemoryLogRecordExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record has the name of the exception's class, and no timestamp."""
    provider, exporter = logs
    monkeypatch.setattr(sys, "excepthook", lambda *_: None)
    UnhandledExceptionInstrumentor().instrument(logger_provider=provider)  # type: ignore[no-untyped-call]
    try:
        _boom()
    except BoomError as error:
        sys.excepthook(BoomError, error, error.__traceback__)
    UnhandledExceptionInstrumentor().uninstrument()  # type: ignore[no-untyped-call]
    (record,) = exporter.get_finished_logs()
    assert (record.log_record.event_name, record.log_record.timestamp) == ("BoomError", None)
    (draft,) = drafts_of(record)
    assert (draft.type, draft.timestamp_ns) == ("com.amazon.rum.js_error_event", record.log_record.observed_timestamp)
