"""Two services and one session: the shop names the session, and the stock service joins it through W3C baggage."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import make_server

from opentelemetry import baggage, context, propagate, trace
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_rum_exporter import RumSessionProcessor, RumSpanExporter


def set_up(service: str) -> TracerProvider:
    """Set up one service. RumSessionProcessor reads the baggage."""
    # To send to AWS, set the id and the region of your app monitor, and remove `endpoint` and `signing`.
    exporter = RumSpanExporter(
        app_monitor_id="00000000-1111-4222-8333-444444444444",
        region="eu-central-1",
        endpoint=os.environ.get("RUM_ENDPOINT", "http://127.0.0.1:8787"),
        signing="none",
    )
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(RumSessionProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def stock() -> None:
    """Serve one request of the shop."""

    def count(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with trace.get_tracer("stock").start_as_current_span("count teapots"):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"7 teapots"]

    provider = set_up("stock")
    server = make_server("127.0.0.1", 0, OpenTelemetryMiddleware(count))
    print(server.server_port, flush=True)
    server.handle_request()
    server.server_close()
    provider.shutdown()


def shop() -> None:
    """Handle the request of one visitor, and ask the stock service."""
    with subprocess.Popen([sys.executable, __file__, "stock"], stdout=subprocess.PIPE, text=True) as service:
        port = service.stdout.readline().strip() if service.stdout else ""
        provider = set_up("shop")
        session_id, user_id = "session-of-ann", "ann"  # those of your application, which must not grant access
        with trace.get_tracer("shop").start_as_current_span("look at teapots") as span:
            span.set_attributes({"session.id": session_id, "user.id": user_id})
            token = context.attach(
                baggage.set_baggage("user.id", user_id, baggage.set_baggage("session.id", session_id))
            )
            headers: dict[str, str] = {}
            propagate.inject(headers)  # the instrumentation of an HTTP client does this for you
            with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers)) as answer:
                print(answer.read().decode())
            context.detach(token)
        provider.shutdown()


if __name__ == "__main__":
    stock() if sys.argv[1:] == ["stock"] else shop()
