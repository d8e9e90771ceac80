"""The mapping page is generated from the tables, and is complete."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

from docs.generate import mapping as tables
from otel_rum_exporter import Config, config
from otel_rum_exporter.mapping.rules import LOG_RULES, SPAN_RULES
from tests.mapping.event_drafts import drafts_of
from tests.spans import APP_MONITOR_ID, make_span

PAGE = Path(__file__).parents[2] / "docs" / "mapping.md"

OF_DELIVERY = {
    "cost_warning_usd_per_day",
    *("app_monitor_id", "app_monitor_name", "region", "endpoint", "alias", "signing", "compression", "timeout_millis"),
    *("max_events_per_request", "max_requests_per_second", "max_memory_bytes"),
    *("identity_pool_id", "guest_role_arn"),
    *("spool_directory", "spool_max_bytes", "spool_max_age_seconds"),
}
"""Settings that change how events are sent, not which events."""

MAKERS = [
    tables.span_rules,
    tables.log_rules,
    tables.identity_fields,
    tables.metadata_keys,
    tables.event_fields,
    tables.custom_fields,
    tables.file_types,
    tables.web_vitals,
    tables.never_exported,
    tables.limits,
    tables.settings,
    tables.example,
]


def test_every_rule_has_its_row_in_order() -> None:
    """Rows are listed in the order in which the mapping tries them."""
    for rules, table in ((SPAN_RULES, tables.span_rules()), (LOG_RULES, tables.log_rules())):
        rows = [line.split(" | ")[1:3] for line in table.splitlines()[2:]]
        assert [row[0] for row in rows] == [rule.name for rule in rules]
        assert [row[1].removesuffix(" |") for row in rows] == [rule.becomes for rule in rules]


@pytest.mark.parametrize("make", MAKERS)
def test_rows_have_as_many_cells_as_their_head(make: object) -> None:
    """Markdown would otherwise show them in the wrong column."""
    assert callable(make)
    for table in make().split("\n\n"):
        rows = [line for line in table.splitlines() if line.startswith("| ")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) <= 1


@pytest.mark.parametrize("make", MAKERS)
def test_the_page_is_up_to_date(make: object) -> None:
    """`make docs` writes it."""
    assert callable(make)
    if not PAGE.exists():
        pytest.skip("docs/mapping.md is not part of this distribution")
    assert make() in PAGE.read_text(encoding="utf-8")


def test_every_setting_changes_the_mapping_or_the_delivery() -> None:
    """Every setting belongs to one of the two."""
    assert {*tables.SETTINGS} | OF_DELIVERY == config.table().keys()
    assert not {*tables.SETTINGS} & OF_DELIVERY


@pytest.mark.parametrize(
    ("settings", "kind", "status", "events"),
    [
        ({}, SpanKind.SERVER, 200, 2),
        ({}, SpanKind.SERVER, 500, 1),
        ({}, SpanKind.CLIENT, 200, 1),
        ({}, SpanKind.CLIENT, 500, 2),
        ({}, SpanKind.INTERNAL, None, 1),
        ({"http_events": "none"}, SpanKind.CLIENT, 500, 1),
        ({"http_events": "none"}, SpanKind.SERVER, 500, 1),
        ({"page_views": "none"}, SpanKind.SERVER, 200, 1),
        ({"page_views": "none", "custom_events": "none"}, SpanKind.SERVER, 200, 0),
        ({"custom_events": "none"}, SpanKind.INTERNAL, None, 0),
    ],
)
def test_the_page_on_cost_counts_right(
    settings: dict[str, object], kind: SpanKind, status: int | None, events: int
) -> None:
    """A span of its tables becomes as many events."""
    request = {"http.request.method": "GET", "http.route": "/cart", "http.response.status_code": status}
    span = make_span("GET /cart", request if status else {}, kind=kind)
    assert len(drafts_of(span, Config.read({"app_monitor_id": APP_MONITOR_ID, **settings}, {}))) == events


def test_the_example_shows_what_is_not_sent() -> None:
    """The coupon in the query and the user's address are in the span but not in the events."""
    span, _, output = tables.example().partition("SERVER POST /checkout")
    for secret in ("coupon=SUMMER", "ann@example.com"):
        assert secret in span
        assert secret not in output
