"""The worked example of CONTRIBUTING.md agrees with the code."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from markdown_it import MarkdownIt

from otel_rum_exporter.mapping.span_view import SpanView
from tests.mapping.event_drafts import check
from tests.spans import make_config, make_span

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"


def test_the_example_of_an_event_family_makes_its_event() -> None:
    """The module of the example, with the span of its test; the event fits RUM's schema."""
    tokens = MarkdownIt().parse(CONTRIBUTING.read_text(encoding="utf-8"))
    code = next(token.content for token in tokens if token.type == "fence" and token.info == "python")
    module: Any = ModuleType("otel_rum_exporter.mapping.events.time_to_interactive")
    module.__package__ = "otel_rum_exporter.mapping.events"
    exec(code, vars(module))
    (draft,) = module.span_event(SpanView.of(make_span("TimeToInteractive")), make_config())
    check(draft)
    assert draft[2] == {"version": "1.0.0", "value": 120}
