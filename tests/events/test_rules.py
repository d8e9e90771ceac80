"""The table of rules: which row decides over which span."""

from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from otel_rum_exporter.events.rules import SPAN_RULES, decide
from otel_rum_exporter.span import SpanView
from tests.spans import make_config, make_span

EXAMPLES: list[tuple[str, SpanKind, dict[str, Any]]] = [
    ("a call to RUM itself", SpanKind.CLIENT, {"rpc.service": "RUM"}),
    ("a message of an ASGI request", SpanKind.INTERNAL, {"asgi.event.type": "http.response.start"}),
    ("an exception as a span", SpanKind.INTERNAL, {"exception.type": "hang"}),
    ("an HTTP request made", SpanKind.CLIENT, {"http.method": "GET"}),
    ("a page served", SpanKind.SERVER, {"http.method": "GET", "http.route": "/", "http.status_code": 200}),
    ("an HTTP request served", SpanKind.SERVER, {"http.method": "POST", "http.route": "/", "http.status_code": 200}),
    ("a screen shown", SpanKind.INTERNAL, {"app.screen.name": "Home"}),
    ("anything else", SpanKind.CLIENT, {"db.system": "sqlite"}),
    ("anything else", SpanKind.CONSUMER, {}),
]


@pytest.mark.parametrize(("rule", "kind", "attributes"), EXAMPLES)
def test_the_first_row_that_fits_decides(rule: str, kind: SpanKind, attributes: dict[str, Any]) -> None:
    """Each row has a span that it, and no row before it, takes."""
    view = SpanView.of(make_span("x", attributes, kind=kind))
    assert rule == decide(SPAN_RULES, view, make_config()).name


def test_every_row_has_an_example() -> None:
    """A row that no span reaches is dead."""
    assert {rule.name for rule in SPAN_RULES} == {name for name, _, _ in EXAMPLES}
