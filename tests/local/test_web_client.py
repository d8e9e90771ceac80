"""AWS's browser client, as published on npm, in a Chromium page that sends to a local RUM.

RUM_WEB_CLIENT is the path of a folder in which `npm install aws-rum-web esbuild` was run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.local import AppMonitor, Credentials, LocalRum
from tests.web_client import FOLDER, bundled

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MONITOR = "11111111-1111-4111-8111-111111111111"
KEY, SECRET, TOKEN = "AKIDEXAMPLE", "example-secret", "example-token"

pytestmark = [
    pytest.mark.skipif(
        not FOLDER, reason="set RUM_WEB_CLIENT to a folder with `npm install aws-rum-web esbuild` run in it"
    ),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
    pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed"),
]

PAGE = """<!doctype html><html lang="en"><title>Shop</title><h1 id="title">Shop</h1><button id="buy">Buy</button>
PRODUCTS<script src="/client.js"></script>
<script>
  const config = CONFIG;
  const rum = new AwsRum("11111111-1111-4111-8111-111111111111", "1.2.3", "eu-west-1", {
    allowCookies: true, dispatchInterval: 300, enableXRay: true, recordResourceUrl: true,
    telemetries: [
      ["errors", {}], ["performance", {}], ["http", {recordAllRequests: true, addXRayTraceIdHeader: false}],
      ["interaction", {events: [{event: "click", cssLocator: "#buy"}]}],
      ["replay", {}],
    ], ...config.client});
  if (config.credentials) rum.setAwsCredentials(config.credentials);
  rum.addSessionAttributes({plan: "gold", customers: 7, "aws:own": "lost"});
  const report = (message) => fetch("/problem", {method: "POST", body: message});
  window.addEventListener("load", async () => {
    try {
      rum.recordPageView({pageId: "/cart", pageTags: ["a", "b"], pageAttributes: {template: "cart"}});
      rum.recordEvent("checkout", {total: 12.5, note: "é €"});
      rum.recordError(new TypeError("planted and recorded"));
      document.getElementById("buy").click();
      await fetch("/stock");
      await fetch("/missing");
      const old = new XMLHttpRequest();
      await new Promise((done) => { old.onload = done; old.open("GET", "/missing"); old.send(); });
      await fetch("http://127.0.0.1:1/unreachable").catch(() => {});
      setTimeout(() => { throw new RangeError("planted and thrown"); });
      Promise.reject(new Error("planted and rejected"));
      setTimeout(() => { location.hash = ""; location.href = "/thanks"; }, 1500);
    } catch (error) { report(String(error)); }
  });
</script></html>"""

# Makes the session replay of the page much larger than 6 KB.
PRODUCTS = "".join(f"<p class='product' title='product {n}'>Product {n}</p>" for n in range(200))

# Event types that one visit always produces.
EXPECTED = {
    "com.amazon.rum.session_start_event",
    "com.amazon.rum.page_view_event",
    "com.amazon.rum.performance_navigation_event",
    "com.amazon.rum.performance_resource_event",
    "com.amazon.rum.js_error_event",
    "com.amazon.rum.http_event",
    "com.amazon.rum.xray_trace_event",
    "com.amazon.rum.dom_event",
    "com.amazon.rum.rrweb_event",
    "checkout",
}


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Bundle the client with esbuild, as its users do."""
    return bundled(tmp_path_factory.mktemp("client") / "client.js")


@pytest.fixture
def visit(bundle: bytes, tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Open a page of another origin in Chromium; return the list of its script errors."""
    page_errors: list[str] = []
    config: dict[str, Any] = {}

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {
                "/": (
                    200,
                    "text/html; charset=utf-8",
                    PAGE.replace("PRODUCTS", PRODUCTS).replace("CONFIG", json.dumps(config)).encode(),
                ),
                "/thanks": (200, "text/html", b"<!doctype html><title>Thanks</title>"),
                "/client.js": (200, "text/javascript", bundle),
                "/stock": (200, "application/json", b"{}"),
            }
            status, content_type, content = found.get(self.path, (404, "text/plain", b"no"))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            page_errors.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    browsers: list[subprocess.Popen[bytes]] = []

    def browse(rum: LocalRum, credentials: dict[str, str] | None = None, **client: Any) -> list[str]:
        config.update(
            client={"endpoint": rum.url, "signing": credentials is not None, **client}, credentials=credentials
        )
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        url = f"http://127.0.0.1:{server.server_port}/"
        with (tmp_path / "chromium.log").open("wb") as log:
            browsers.append(subprocess.Popen([str(CHROMIUM), *flags, profile, url], stdout=log, stderr=log))
        return page_errors

    yield browse
    for browser in browsers:
        browser.terminate()
        browser.wait(timeout=20)
    server.shutdown()
    server.server_close()
    thread.join()


def _losses(rum: LocalRum) -> list[str]:
    refused = [f"refused: {one.status} {one.message}" for one in rum.refused]
    dropped = [f"dropped: {one.event.type} {one.reason}" for one in rum.dropped]
    return refused + dropped


def _wait_for_all(rum: LocalRum) -> Counter[str]:
    for event_type in EXPECTED:
        rum.wait_for(event_type, timeout_seconds=60)
    # The page sends this event as a beacon when it unloads.
    rum.wait_for("cumulative_layout_shift_event", timeout_seconds=60)
    rum.wait_for("js_error_event", count=3, timeout_seconds=60)
    return Counter(event.type for event in rum.events)


def test_requests_of_the_web_client_are_accepted(visit: Callable[..., list[str]]) -> None:
    """Unsigned, from another origin, compressed, by fetch and by beacon."""
    with LocalRum(app_monitors=[AppMonitor(id=MONITOR, name="shop", domains=("127.0.0.1",), is_public=True)]) as rum:
        page_errors = visit(rum)
        counts = _wait_for_all(rum)
        assert _losses(rum) == page_errors == []
        assert counts.keys() >= EXPECTED
        messages = {event.details["message"] for event in rum.events("js_error_event")}
        assert {"planted and recorded", "planted and rejected"} <= messages
        statuses = {event.details.get("response", {}).get("status") for event in rum.events("http_event")}
        assert statuses >= {200, 404, None}
        assert {event.session_id for event in rum.events} != {None}
        assert rum.events("checkout")[0].details == {"total": 12.5, "note": "é €"}
        assert rum.events("page_view_event")[-1].metadata["plan"] == "gold"
        # The client sends an attribute that RUM does not keep.
        assert {one.key for one in rum.removed} <= {"aws:own"}
        assert any(batch.headers.get("content-encoding") == "gzip" for batch in rum.batches)
        assert any(batch.headers["content-type"].startswith("text/plain") for batch in rum.batches)


def test_signature_of_the_web_client_is_accepted(visit: Callable[..., list[str]]) -> None:
    """Its signer differs from boto3's."""
    credentials = {"accessKeyId": KEY, "secretAccessKey": SECRET, "sessionToken": TOKEN}
    with LocalRum(credentials=Credentials(KEY, SECRET, TOKEN)) as rum:
        page_errors = visit(rum, credentials)
        _wait_for_all(rum)
        assert _losses(rum) == page_errors == []
        assert {batch.signed for batch in rum.batches} == {True}
