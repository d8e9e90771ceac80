"""A site without JavaScript: the server starts its visitors' sessions in cookies of AWS's browser client."""

import os
from collections.abc import Mapping
from typing import Any

from flask import Flask, redirect
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from werkzeug.wrappers import Response

from otel_rum_exporter import RumSessionWsgiMiddleware, RumSpanExporter

# To send to AWS, set the id and the region of your app monitor, and remove `endpoint` and `signing`.
exporter = RumSpanExporter(
    app_monitor_id="00000000-1111-4222-8333-444444444444",
    region="eu-central-1",
    endpoint=os.environ.get("RUM_ENDPOINT", "http://127.0.0.1:8787"),
    signing="none",
)
provider = TracerProvider(resource=Resource.create({"service.name": "poems"}))
provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))

app = Flask(__name__)
instrumentor: Any = FlaskInstrumentor()
instrumentor.instrument_app(app, tracer_provider=provider)


def accepts_cookies(environ: Mapping[str, Any]) -> bool:
    """Return whether a visitor accepts statistics; this site remembers a "no" in a cookie of its own."""
    return "statistics=no" not in environ.get("HTTP_COOKIE", "")


app.wsgi_app = RumSessionWsgiMiddleware(  # type: ignore[method-assign]
    app.wsgi_app, issue_cookies=True, consent=accepts_cookies, tracer_provider=provider
)


@app.get("/")
def poem() -> str:
    """Serve a page."""
    return '<h1>Rain on the roof</h1><a href="/no-statistics">No statistics, please</a>'


@app.get("/no-statistics")
def refuse() -> Response:
    """Remember that a visitor refuses, and remove the cookies."""
    response = redirect("/")
    response.set_cookie("statistics", "no", max_age=365 * 24 * 3600)
    for name in ("cwr_s", "cwr_u"):
        response.delete_cookie(name)
    return response


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8000")))
