"""The spans of a shop's visitors, as the exporter gets them: those of a request at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from benchmarks.gateway import in_json
from tests.spans import START_NS, make_span

REQUESTS, SPANS = 6, 8
SECOND_NS = 1_000_000_000
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
PAGES = ("/", "/products/{id}", "/cart")
CALLS = ("/api/prices", "/api/stock", "/api/cart")


def visits(sessions: int) -> Iterator[list[ReadableSpan]]:
    """Yield the spans of each request: half of the requests are pages, and one span is the application's own."""
    for request in range(REQUESTS):
        for session in range(sessions):
            yield _request(
                str(uuid.UUID(int=session + 1)), request, START_NS + (60 * session + 9 * request) * SECOND_NS
            )


def write(path: Path, sessions: int) -> None:
    """Write the visits as a file of the Collector: a line for each export."""
    path.write_bytes(b"\n".join(in_json(spans) for spans in visits(sessions)))


def _request(session_id: str, number: int, start_ns: int) -> list[ReadableSpan]:
    is_page = number % 2 == 0
    route = (PAGES if is_page else CALLS)[number // 2]
    served = {
        "http.request.method": "GET",
        "http.route": route,
        "url.scheme": "https",
        "server.address": "shop.example",
        "url.path": route.replace("{id}", "4711"),
        "http.response.status_code": 200,
        "user_agent.original": BROWSER,
        "session.id": session_id,
        "user.id": session_id,
    }
    accept = {"http.request.header.accept": ("text/html" if is_page else "application/json",)}
    root = make_span(f"GET {route}", served | accept, kind=SpanKind.SERVER, start_ns=start_ns, scope=FRAMEWORK)
    own = make_span("price_basket", {"basket.items": 3, "coupon": "SPRING"}, parent=root, start_ns=start_ns)
    query = {"db.system.name": "postgresql", "db.query.text": "SELECT price FROM product WHERE id = $1"}
    queries = [
        make_span("SELECT product", query, kind=SpanKind.CLIENT, parent=own, start_ns=start_ns, scope=DATABASE)
        for _ in range(SPANS - 2)
    ]
    return [*queries, own, root]


FRAMEWORK = "opentelemetry.instrumentation.fastapi"
DATABASE = "opentelemetry.instrumentation.psycopg"
