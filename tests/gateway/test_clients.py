"""Real clients: SDKs of three languages and a Collector send, and their spans stand in RUM as docs/mapping.md says.

OTLP_CLIENTS names a folder in which `npm install` of the packages in `clients/packages.txt` was run; ROTEL is the
program in the wheel `rotel`. What is missing is skipped.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue

from otel_rum_exporter.gateway import Gateway, GatewaySettings
from otel_rum_exporter.local import Event, LocalRum
from tests.gateway.bodies import PROTOBUF
from tests.gateway.conftest import MakeGateway
from tests.spans import APP_MONITOR_ID

CLIENTS = Path(__file__).with_name("clients")
EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway" / "browser.js"
FOLDER = os.environ.get("OTLP_CLIENTS", "")
ROTEL = os.environ.get("ROTEL", "")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
TOKEN = {"authorization": "Bearer made-up"}
SESSION = "0f0e0d0c-0b0a-4908-8706-050403020100"
OTHER_MONITOR = "00000000-aaaa-4bbb-8ccc-000000000002"
START_SECONDS = 30

needs_npm = pytest.mark.skipif(
    not FOLDER or not shutil.which("node"), reason="OTLP_CLIENTS names no folder with OTel's packages for Node"
)

Serve = Callable[[Gateway], GatewaySettings]


def _types(events: Iterable[Event]) -> set[str]:
    return {event.type.removeprefix("com.amazon.rum.") for event in events}


def _http(settings: GatewaySettings) -> str:
    return f"http://127.0.0.1:{settings.http_port}"


@pytest.fixture
def served(make_gateway: MakeGateway, serve: Serve) -> GatewaySettings:
    """Serve a gateway that requires a token."""
    return serve(make_gateway(token="made-up", app_monitors=OTHER_MONITOR))


def _send_as_python(spans: SpanExporter, **resource: str) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "shop", **resource}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(spans))
    page: dict[str, AnyValue] = {
        "http.request.method": "GET",
        "http.route": "/cart",
        "url.path": "/cart",
        "http.response.status_code": 200,
        "http.response.header.content-type": ["text/html"],
        "session.id": SESSION,
    }
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, attributes=page):
        failed: dict[str, AnyValue] = {
            "http.request.method": "GET",
            "url.full": "https://api.example/items?key=1",
            "http.response.status_code": 503,
        }
        tracer.start_span("GET", kind=SpanKind.CLIENT, attributes=failed).end()
    assert provider.force_flush()
    provider.shutdown()


EXPECTED_OF_PYTHON = {"page_view_event", "performance_navigation_event", "performance_resource_event", "http_event"}


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_python_over_http(rum: LocalRum, served: GatewaySettings, compression: Compression) -> None:
    """OpenTelemetry's Python exporter, with each compression."""
    _send_as_python(OTLPSpanExporter(f"{_http(served)}/v1/traces", headers=TOKEN, compression=compression))
    events = rum.wait_for(count=4)
    assert _types(events) == EXPECTED_OF_PYTHON
    assert {(event.session_id, event.metadata["pageId"]) for event in events} == {(SESSION, "/cart")}
    assert rum.dropped == ()


def test_python_over_grpc(rum: LocalRum, served: GatewaySettings) -> None:
    """The same over gRPC, for another app monitor named by the resource."""
    exporter = GrpcSpanExporter(f"127.0.0.1:{served.grpc_port}", insecure=True, headers=TOKEN)
    _send_as_python(exporter, **{"aws.rum.appmonitor.id": OTHER_MONITOR})
    events = rum.wait_for(count=4)
    assert _types(events) == EXPECTED_OF_PYTHON
    assert {event.app_monitor_id for event in events} == {OTHER_MONITOR}


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_log_records_of_python(rum: LocalRum, served: GatewaySettings, transport: str) -> None:
    """Events and exceptions."""
    exporter = (
        OTLPLogExporter(f"{_http(served)}/v1/logs", headers=TOKEN)
        if transport == "http"
        else GrpcLogExporter(f"127.0.0.1:{served.grpc_port}", insecure=True, headers=TOKEN)
    )
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("shop")
    logger.emit(event_name="coupon_used", attributes={"coupon": "SUMMER"})
    logger.emit(body="failed", severity_number=SeverityNumber.ERROR, exception=ValueError("planted"))
    provider.shutdown()
    assert _types(rum.wait_for(count=2)) == {"coupon_used", "js_error_event"}


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Return a folder in which Node finds the packages."""
    (tmp_path / "node_modules").symlink_to(Path(FOLDER, "node_modules"))
    for script in (*CLIENTS.iterdir(), EXAMPLE):
        shutil.copy(script, tmp_path)
    return tmp_path


@needs_npm
@pytest.mark.parametrize("encoding", ["json", "proto", "grpc"])
def test_node(rum: LocalRum, make_gateway: MakeGateway, serve: Serve, node: Path, encoding: str) -> None:
    """OpenTelemetry's Node exporters: JSON and protobuf without a Content-Length, and gRPC."""
    bound = serve(make_gateway(token=None if encoding == "grpc" else "made-up"))
    url = f"http://127.0.0.1:{bound.grpc_port}" if encoding == "grpc" else f"{_http(bound)}/v1/traces"
    subprocess.run(["node", "node.mjs", encoding, url], cwd=node, check=True, timeout=60)
    events = rum.wait_for(count=5)
    assert _types(events) == EXPECTED_OF_PYTHON | {"js_error_event"}
    assert len({event.session_id for event in events}) == 1
    (failed,) = events("http_event")
    assert (failed.details["request"]["url"], failed.details["response"]["status"]) == (
        "https://pay.example/charge",
        502,
    )
    assert rum.dropped == ()


@contextmanager
def _page_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a page and its script; messages of the page are appended to the list."""
    said: list[str] = []
    files = {
        "/": (
            "text/html",
            b'<!doctype html><title>Shop</title><button id="buy">Buy</button><script src="/out.js"></script>',
        ),
        "/out.js": ("text/javascript", (folder / "out.js").read_bytes()),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = files.get(self.path.partition("?")[0], ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("content-type", kind or "text/plain")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            said.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", said
        server.shutdown()
        thread.join()


@needs_npm
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_a_page_in_a_browser(rum: LocalRum, make_gateway: MakeGateway, serve: Serve, node: Path) -> None:
    """OpenTelemetry's web SDK and instrumentations in Chromium, from another origin."""
    bundle = ["node_modules/.bin/esbuild", "page.js", "--bundle", "--outfile=out.js", "--log-level=warning"]
    subprocess.run(bundle, cwd=node, check=True, timeout=60)
    with _page_server(node) as (page_url, said):
        bound = serve(make_gateway(allowed_origins=page_url))
        browser = [
            *(CHROMIUM, "--headless=new", "--disable-gpu", "--no-first-run", f"--user-data-dir={node / 'profile'}"),
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"{page_url}/?gateway={_http(bound)}",
        ]
        process = subprocess.Popen(browser, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while not said and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait(30)
    outcome, _, session = said[0].partition(" ")
    assert outcome == "done", said
    for event_type in ("js_error_event", "http_event", "performance_navigation_event"):
        rum.wait_for(event_type)
    events = rum.events
    types = _types(events)
    assert {"page_view_event", "performance_navigation_event", "http_event", "js_error_event", "dom_event"} <= types
    assert {(event.session_id or "").replace("-", "") for event in events} == {session.replace("-", "")}
    (_,), (_,), (error,) = map(events, ("page_view_event", "performance_navigation_event", "js_error_event"))
    assert error.details["message"] == "planted"
    vital_types = {"largest_contentful_paint_event", "time_to_first_byte_event", "first_contentful_paint_event"}
    vitals = [event for event in events if event.type.removeprefix("com.amazon.rum.") in vital_types]
    assert "first_contentful_paint_event" in {event.type.removeprefix("com.amazon.rum.") for event in vitals}
    assert len({event.type for event in vitals}) == len(vitals)
    assert {event.metadata.get("pageId") for event in [error, *vitals]} == {"/"}
    assert all(event.metadata["aws:userAgent"].startswith("Mozilla/") for event in events)
    assert rum.dropped == ()


@pytest.mark.skipif(not ROTEL, reason="ROTEL names no program")
def test_a_collector(rum: LocalRum, make_gateway: MakeGateway, serve: Serve, tmp_path: Path) -> None:
    """Rotel forwards an SDK's spans, is rejected at first, and retries."""
    gateway = make_gateway()
    bound = serve(gateway)
    ports = [_free_port(), _free_port()]
    command = [
        *(ROTEL, "start", "--otlp-http-endpoint", f"127.0.0.1:{ports[0]}", "--otlp-grpc-endpoint"),
        *(f"127.0.0.1:{ports[1]}", "--exporter", "otlp", "--otlp-exporter-endpoint", _http(bound)),
        *("--otlp-exporter-protocol", "http", "--batch-timeout", "200ms"),
    ]
    gateway.stop_accepting()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{ports[0]}/v1/traces"
        _wait_for(url)
        _send_as_python(OTLPSpanExporter(url))
        while 'response="503"' not in httpx.get(f"{_http(bound)}/metrics").text:
            time.sleep(0.05)
        gateway.resume()
        assert _types(rum.wait_for(count=4, timeout_seconds=30)) == EXPECTED_OF_PYTHON
    finally:
        process.terminate()
        process.wait(30)
    assert {event.app_monitor_id for event in rum.events} == {APP_MONITOR_ID}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.post(url, content=b"", headers=PROTOBUF)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(url)
