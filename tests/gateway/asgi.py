"""A client of an ASGI application in the same process, without a socket between them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

URL = "http://gateway.example"


class AsgiClient:
    """Call an ASGI application; in a `with` block with the lifespan protocol, as servers do."""

    def __init__(self, app: ASGIApp, address: str = "192.0.2.1") -> None:
        self._app = app
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None

    def __enter__(self) -> AsgiClient:  # noqa: PYI034 - typing.Self begins with Python 3.11
        self._loop.run_until_complete(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._end())
        self.close()

    def close(self) -> None:
        """Close the event loop of all requests."""
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send telemetry."""
        return self.request("POST", path, body, headers)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a GET request."""
        return self.request("GET", path, b"", headers or {})

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a request, and return the whole response."""
        return self._loop.run_until_complete(self._ask(method, path, body, headers))

    async def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, client=(self._address, 5555))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            named = [(name.encode(), value.encode()) for name, value in headers.items()]
            return await client.request(method, path, content=body, headers=named)

    async def _begin(self) -> None:
        begun = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"].startswith("lifespan.startup"):
                begun.set()

        async def run() -> None:
            await self._app({"type": "lifespan"}, self._events.get, send)

        self._events.put_nowait({"type": "lifespan.startup"})
        self._lifespan = asyncio.ensure_future(run())
        await begun.wait()

    async def _end(self) -> None:
        assert self._lifespan is not None
        self._events.put_nowait({"type": "lifespan.shutdown"})
        await self._lifespan
