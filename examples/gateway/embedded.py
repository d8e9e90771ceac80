"""The gateway in your own application: its pages send to /otlp on their own origin, without CORS.

Run it with `uvicorn embedded:app`, and with the variables of the exporter set.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from otel_rum_exporter.gateway import Gateway

gateway = Gateway.from_environment(os.environ)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Deliver accepted events before the application ends; a mounted application gets no lifespan events."""
    yield
    gateway.close()


async def home(_: object) -> PlainTextResponse:
    """Return a page of your application."""
    return PlainTextResponse("hello\n")


app = Starlette(routes=[Route("/", home), Mount("/otlp", gateway.app)], lifespan=lifespan)
