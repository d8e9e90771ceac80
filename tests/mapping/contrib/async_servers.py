"""A shop in each asynchronous web framework."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp.test_utils
import aiohttp.web
import fastapi
import fastapi.responses
import httpx
import starlette.applications
import starlette.exceptions
import starlette.responses
import starlette.routing
import tornado.httpclient
import tornado.httpserver
import tornado.web
from opentelemetry.instrumentation.aiohttp_server import AioHttpServerInstrumentor
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware as AsgiMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
from opentelemetry.instrumentation.tornado import TornadoInstrumentor

from tests.mapping.contrib.shop import HTML, REQUESTS, SHOP, boom
from tests.mapping.contrib.telemetry import Telemetry


def _ask_asgi(app: Any) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            for method, path, headers in REQUESTS:
                await client.request(method, path, headers=headers)

    asyncio.run(ask())


def asgi(telemetry: Telemetry) -> None:
    """Serve an application without a framework, and so without routes."""

    async def shop(scope: dict[str, Any], _receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        path = scope["path"]
        if path == "/boom":
            boom()
        status = 302 if path == "/moved" else 200 if path in SHOP or path.startswith("/products/") else 404
        headers = [(b"content-type", HTML.encode()), (b"location", b"/")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})

    _ask_asgi(AsgiMiddleware(shop, tracer_provider=telemetry.spans))


def aiohttp_of_server(telemetry: Telemetry) -> None:
    """Serve with aiohttp, whose responses are exceptions; it is instrumented as a whole."""

    async def done(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text="done", content_type=HTML)

    async def moved(_: aiohttp.web.Request) -> aiohttp.web.Response:
        raise aiohttp.web.HTTPFound("/")

    async def gone(_: aiohttp.web.Request) -> aiohttp.web.Response:
        raise aiohttp.web.HTTPNotFound

    async def fail(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return boom()  # type: ignore[no-any-return]

    async def ask() -> None:
        app = aiohttp.web.Application()
        app.router.add_get("/", done)
        app.router.add_get("/products/{sku}", done)
        app.router.add_get("/moved", moved)
        app.router.add_post("/orders", done)
        app.router.add_get("/api/stock", done)
        app.router.add_get("/gone/{sku}", gone)
        app.router.add_get("/boom", fail)
        app.router.add_get("/healthz", done)
        async with aiohttp.test_utils.TestServer(app) as server, aiohttp.test_utils.TestClient(server) as client:
            for method, path, headers in REQUESTS:
                async with client.request(method, path, headers=headers, allow_redirects=False) as response:
                    await response.read()

    instrumentor = AioHttpServerInstrumentor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it derives from a class that is not made for that
        instrumentor.instrument(tracer_provider=telemetry.spans)
    asyncio.run(ask())
    instrumentor.uninstrument()


def fastapi_shop(telemetry: Telemetry) -> None:
    """Serve with FastAPI, whose HTTPException is a response."""
    app = fastapi.FastAPI(default_response_class=fastapi.responses.HTMLResponse)

    def done() -> str:
        return "done"

    def moved() -> str:
        raise fastapi.HTTPException(302, headers={"Location": "/"})

    def gone(sku: str) -> str:
        raise fastapi.HTTPException(404, sku)

    for path in ("/", "/products/{sku}", "/api/stock", "/healthz"):
        app.get(path)(done)
    app.post("/orders")(done)
    app.get("/moved")(moved)
    app.get("/gone/{sku}")(gone)
    app.get("/boom")(boom)
    FastAPIInstrumentor().instrument_app(app, tracer_provider=telemetry.spans)
    _ask_asgi(app)
    FastAPIInstrumentor().uninstrument_app(app)


def _fastapi_api(path: str = "/") -> fastapi.FastAPI:
    app = fastapi.FastAPI(openapi_url=None)
    app.get(path)(lambda: {"stock": 3})
    return app


def _ask_for_api(app: Any) -> None:
    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
            for path in ("/api/", "/api/missing"):
                await client.get(path)

    asyncio.run(ask())


def fastapi_in_asgi(telemetry: Telemetry) -> None:
    """Serve FastAPI within the middleware for any ASGI application; both are instrumented."""
    app = _fastapi_api("/api/")
    FastAPIInstrumentor().instrument_app(app, tracer_provider=telemetry.spans)
    _ask_for_api(AsgiMiddleware(app, tracer_provider=telemetry.spans))
    FastAPIInstrumentor().uninstrument_app(app)


def fastapi_in_fastapi(telemetry: Telemetry) -> None:
    """Mount an application in another; both are instrumented."""
    outer, inner = fastapi.FastAPI(openapi_url=None), _fastapi_api()
    outer.mount("/api", inner)
    for app in (outer, inner):
        FastAPIInstrumentor().instrument_app(app, tracer_provider=telemetry.spans)
    _ask_for_api(outer)
    for app in (outer, inner):
        FastAPIInstrumentor().uninstrument_app(app)


def starlette_shop(telemetry: Telemetry) -> None:
    """Serve with Starlette, whose HTTPException is a response."""

    async def done(_: Any) -> starlette.responses.Response:
        return starlette.responses.HTMLResponse("done")

    async def moved(_: Any) -> starlette.responses.Response:
        return starlette.responses.RedirectResponse("/", 302)

    async def gone(_: Any) -> starlette.responses.Response:
        raise starlette.exceptions.HTTPException(404)

    async def fail(_: Any) -> starlette.responses.Response:
        return boom()  # type: ignore[no-any-return]

    views = dict.fromkeys((*SHOP, "/products/{sku}"), done)
    views |= {"/moved": moved, "/gone/{sku}": gone, "/boom": fail}
    routes = [starlette.routing.Route(path, view, methods=["GET", "POST"]) for path, view in views.items()]
    app = starlette.applications.Starlette(routes=routes)
    StarletteInstrumentor().instrument_app(app, tracer_provider=telemetry.spans)
    _ask_asgi(app)
    StarletteInstrumentor().uninstrument_app(app)


def tornado_shop(telemetry: Telemetry) -> None:
    """Serve and ask with Tornado, which one instrumentation instruments."""

    class Done(tornado.web.RequestHandler):
        def get(self, *_: str) -> None:
            self.finish("done")

        post = get

    class Moved(tornado.web.RequestHandler):
        def get(self) -> None:
            self.redirect("/")

    class Gone(tornado.web.RequestHandler):
        def get(self, sku: str) -> None:
            raise tornado.web.HTTPError(404, sku)

    class Boom(tornado.web.RequestHandler):
        def get(self) -> None:
            boom()

    async def ask() -> None:
        app = tornado.web.Application(
            [
                *((path, Done) for path in (*SHOP, "/products/([^/]+)")),
                ("/moved", Moved),
                ("/gone/([0-9]+)", Gone),
                ("/boom", Boom),
            ]
        )
        server = tornado.httpserver.HTTPServer(app)
        server.listen(0, "127.0.0.1")
        (socket,) = server._sockets.values()
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        client = tornado.httpclient.AsyncHTTPClient(force_instance=True)
        for method, path, headers in REQUESTS:
            body = "" if method == "POST" else None
            asked = tornado.httpclient.HTTPRequest(
                url + path, method, headers, body, follow_redirects=False, decompress_response=False
            )
            await client.fetch(asked, raise_error=False)
        client.close()
        server.stop()
        await server.close_all_connections()

    TornadoInstrumentor().instrument(tracer_provider=telemetry.spans)
    asyncio.run(ask())
    TornadoInstrumentor().uninstrument()
