"""AWS's browser client in Chromium and a server that issues cookies: one session, whichever of them starts it.

RUM_WEB_CLIENT is the path of a folder in which `npm install aws-rum-web esbuild` was run.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_rum_exporter import RumSessionWsgiMiddleware, RumSpanExporter
from otel_rum_exporter.local import AppMonitor, LocalRum
from otel_rum_exporter.sessions.browser_cookies import browser_session
from otel_rum_exporter.sessions.context import Session
from tests.spans import APP_MONITOR_ID
from tests.web_client import FOLDER, bundled

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_SECONDS = 60
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="set RUM_WEB_CLIENT to a folder with `npm install aws-rum-web esbuild`"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
    pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed"),
]

WITHOUT_CLIENT = "<!doctype html><title>Plain</title><script>location.href = 'NEXT'</script>"
WITH_CLIENT = """<!doctype html><title>Client</title><script src="/client.js"></script><script>
  const rum = new AwsRum("MONITOR", "1.0.0", "eu-west-1", {
    allowCookies: true, dispatchInterval: 200, telemetries: ["errors"], endpoint: "ENDPOINT", signing: false});
  rum.recordEvent("greeting", {});
  setTimeout(() => location.href = "NEXT", 1500);
</script>"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Bundle the client with esbuild, as its users do."""
    return bundled(tmp_path_factory.mktemp("client") / "client.js")


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """A server that Chromium's idle connections do not block."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """A handler that prints nothing."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Shop:
    """A site whose pages lead from one to the next; the last path is `/end`. It issues cookies on some of them."""

    def __init__(self, rum: LocalRum, bundle: bytes, pages: dict[str, str], issuing: frozenset[str]) -> None:
        self.cookies: dict[str, Session | None] = {}
        self.set_cookies: dict[str, list[str]] = {}
        self.has_ended = threading.Event()
        self._bundle = bundle
        self._pages = {path: text.replace("ENDPOINT", rum.url) for path, text in pages.items()}
        self.provider = TracerProvider(shutdown_on_exit=False)
        settings = {"app_monitor_id": APP_MONITOR_ID, "endpoint": rum.url, "signing": "none"}
        self.provider.add_span_processor(SimpleSpanProcessor(RumSpanExporter(**settings)))  # type: ignore[arg-type]
        middleware: Any = RumSessionWsgiMiddleware(
            self._serve,
            issue_cookies=True,
            tracer_provider=self.provider,
            consent=lambda environ: environ["PATH_INFO"] in issuing,
        )
        application = OpenTelemetryMiddleware(self._observed(middleware), tracer_provider=self.provider)
        self.server = make_server("127.0.0.1", 0, application, ThreadingServer, QuietHandler)
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def _observed(self, application: Any) -> Any:
        """Record the cookies of each page's request and response."""

        def observe(environ: dict[str, Any], start_response: Any) -> Any:
            path = environ["PATH_INFO"]

            def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                self.set_cookies[path] = [value for name, value in headers if name == "Set-Cookie"]
                return start_response(status, headers, *error)

            self.cookies[path] = browser_session(environ.get("HTTP_COOKIE", ""))
            return application(environ, start)

        return observe

    def _serve(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/client.js":
            start_response("200 OK", [("Content-Type", "text/javascript")])
            return [self._bundle]
        start_response("200 OK" if path in self._pages else "404 Not Found", [("Content-Type", "text/html")])
        if path == "/end":
            self.has_ended.set()
        return [self._pages.get(path, "").encode()]

    def close(self) -> None:
        """Stop serving, and deliver the spans."""
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
        self.provider.shutdown()


def visit(rum: LocalRum, bundle: bytes, folder: Path, pages: dict[str, str], *issuing: str) -> Shop:
    """Let Chromium open `/` and follow the pages to `/end`."""
    shop = Shop(rum, bundle, {**pages, "/end": "<!doctype html><title>End</title>"}, frozenset((*issuing, "/end")))
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command = [str(CHROMIUM), *flags, f"--user-agent={USER_AGENT}", f"--user-data-dir={folder / 'profile'}"]
    with (folder / "chromium.log").open("wb") as log:
        browser = subprocess.Popen([*command, f"http://127.0.0.1:{shop.server.server_port}/"], stdout=log, stderr=log)
    try:
        assert shop.has_ended.wait(TIMEOUT_SECONDS)
    finally:
        browser.terminate()
        browser.wait(timeout=20)
        shop.close()
    return shop


def page(template: str, following: str) -> str:
    """Return a page that leads to another."""
    return template.replace("NEXT", following).replace("MONITOR", APP_MONITOR_ID)


@pytest.fixture
def public_rum() -> Iterator[LocalRum]:
    """Serve a RUM that takes unsigned events from pages."""
    monitor = AppMonitor(id=APP_MONITOR_ID, name="shop", domains=("127.0.0.1",), is_public=True)
    with LocalRum(app_monitors=[monitor]) as rum:
        yield rum


def test_the_client_continues_a_session_that_the_server_issued(
    public_rum: LocalRum, bundle: bytes, tmp_path: Path
) -> None:
    """One session and user, one start, and from then on the client sends the pages."""
    pages = {"/": page(WITHOUT_CLIENT, "/client"), "/client": page(WITH_CLIENT, "/end")}
    shop = visit(public_rum, bundle, tmp_path, pages, "/", "/client", "/client.js", "/favicon.ico")
    (issued,) = {event.session_id for event in public_rum.events("session_start_event")}
    assert len(public_rum.events("session_start_event")) == 1
    assert {(event.session_id, event.user_id) for event in public_rum.events("greeting")} == {
        (issued, public_rum.events("session_start_event")[0].user_id)
    }
    last = shop.cookies["/end"]
    assert last is not None
    assert (last.id, last.joined) == (issued, "browser")
    assert (len(shop.set_cookies["/"]), len(shop.set_cookies["/client"]), shop.set_cookies["/end"]) == (2, 2, [])
    assert (public_rum.refused, public_rum.dropped) == ((), ())


def test_the_server_joins_a_session_that_the_client_started(
    public_rum: LocalRum, bundle: bytes, tmp_path: Path
) -> None:
    """It issues no cookie, sends no page, and does not start the session again."""
    pages = {"/": page(WITH_CLIENT, "/then"), "/then": page(WITH_CLIENT, "/end")}
    shop = visit(public_rum, bundle, tmp_path, pages, "/then")
    joined = shop.cookies["/then"]
    assert joined is not None
    assert joined.joined == "browser"
    assert shop.set_cookies["/"] == shop.set_cookies["/then"] == shop.set_cookies["/end"] == []
    assert {event.session_id for event in public_rum.events("greeting")} == {joined.id}
    starts = [event.session_id for event in public_rum.events("session_start_event")]
    assert starts.count(joined.id) == 1
    assert (public_rum.refused, public_rum.dropped) == ((), ())
