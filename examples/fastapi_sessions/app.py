"""A service whose requests join the session of the browser that sends them; see README.md in this folder."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_rum_exporter import RumSessionMiddleware, RumSpanExporter

# To send to AWS, set the id and the region of the browser's app monitor, and remove `endpoint` and `signing`.
exporter = RumSpanExporter(
    app_monitor_id="00000000-1111-4222-8333-444444444444",
    region="eu-central-1",
    endpoint=os.environ.get("RUM_ENDPOINT", "http://127.0.0.1:8787"),
    signing="none",
)
provider = TracerProvider(resource=Resource.create({"service.name": "tickets"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("tickets")

SEATS = {"hamlet": 2, "tosca": 0}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Send the last spans when the server stops. A signal ends it without Python's exit handlers."""
    yield
    provider.shutdown()


app = FastAPI(lifespan=lifespan)
app.add_middleware(RumSessionMiddleware)
FastAPIInstrumentor.instrument_app(app)


@app.get("/")
def home() -> FileResponse:
    """Serve the page with the browser's client."""
    return FileResponse(Path(__file__).with_name("index.html"))


@app.post("/api/tickets/{play}")
def buy(play: str) -> dict[str, int]:
    """Sell a ticket. A sold-out play is an error in the visitor's session."""
    with tracer.start_as_current_span("reserve seat"):
        if SEATS.get(play, 0) < 1:
            raise HTTPException(409, f"{play} is sold out")
        SEATS[play] -= 1
    return {"left": SEATS[play]}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
