"""HTTP clients ask a web site on this machine: a page, a missing one, and one of a server that is closed."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import aiohttp
import httpx
import requests
import urllib3
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib import URLLibInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

from tests.mapping.contrib.telemetry import Telemetry

PAGE = "/products/logo.png"


class Handler(BaseHTTPRequestHandler):
    """A web site with one image; a redirection leads to it."""

    def do_GET(self) -> None:
        """Respond to any path."""
        path = self.path.partition("?")[0]
        self.send_response({PAGE: 200, "/moved": 302}.get(path, 404))
        self.send_header("Location", PAGE)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_: Any) -> None:
        """Write no access log."""


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve HTTP on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def closed_port() -> int:
    """Return a port that no server listens on."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        return server.server_port


def _ask(instrumentor: Any, telemetry: Telemetry, get: Callable[[str], object]) -> None:
    instrumentor.instrument(tracer_provider=telemetry.spans)
    with serving(Handler) as site:
        dead = f"http://127.0.0.1:{closed_port()}/closed?token=SECRET"
        for url in (f"{site}{PAGE}?token=SECRET", f"{site}/moved", f"{site}/missing", dead):
            try:
                get(url)
            except urllib.error.HTTPError as error:
                error.close()
            except Exception:  # noqa: BLE001 - each library has its own
                pass
    instrumentor.uninstrument()


def aiohttp_of_client(telemetry: Telemetry) -> None:
    """Ask with aiohttp, which makes one span for a request and its redirections."""

    async def get(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            await response.read()

    _ask(AioHttpClientInstrumentor(), telemetry, lambda url: asyncio.run(get(url)))


def httpx_client(telemetry: Telemetry) -> None:
    """Ask with httpx, which makes a span for each step of a redirection. Certificates would take most of the time."""
    _ask(HTTPXClientInstrumentor(), telemetry, lambda url: httpx.get(url, follow_redirects=True, verify=False))


def requests_client(telemetry: Telemetry) -> None:
    """Ask with requests, which makes a span for each step of a redirection."""
    _ask(RequestsInstrumentor(), telemetry, requests.get)


def urllib_client(telemetry: Telemetry) -> None:
    """Ask with urllib, which raises for a 404."""

    def get(url: str) -> None:
        with urllib.request.urlopen(url) as response:
            response.read()

    _ask(URLLibInstrumentor(), telemetry, get)


def urllib3_client(telemetry: Telemetry) -> None:
    """Ask with urllib3, whose pool is closed after each request because it keeps connections."""

    def get(url: str) -> None:
        with urllib3.PoolManager(retries=urllib3.Retry(connect=0, redirect=1)) as pool:
            pool.request("GET", url)

    _ask(URLLib3Instrumentor(), telemetry, get)
