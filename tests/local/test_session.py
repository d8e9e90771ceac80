"""Events in sessions, and in one line."""

from typing import Any

import pytest

from otel_rum_exporter.local.session import sessions, summary
from tests.local.console.records import event, page_view

VERSION = {"version": "1.0.0"}


@pytest.mark.parametrize(
    ("event_type", "details", "line"),
    [
        ("page_view_event", {"pageId": "/cart"}, "/cart"),
        (
            "http_event",
            VERSION | {"request": {"method": "GET", "url": "/a"}, "response": {"status": 503}},
            "GET /a → 503",
        ),
        (
            "http_event",
            VERSION | {"request": {"method": "PUT"}, "error": {"type": "E", "message": "m"}},
            "failed: E: m",
        ),
        ("js_error_event", VERSION | {"type": "KeyError", "message": "'id'"}, "KeyError: 'id'"),
        (
            "performance_navigation_event",
            VERSION | {"initiatorType": "navigation", "startTime": 0, "duration": 12.34},
            "navigation, 12.3 ms",
        ),
        (
            "performance_resource_event",
            VERSION | {"initiatorType": "fetch", "duration": 10**400, "fileType": "other"},
            "other, 1000",
        ),
        ("largest_contentful_paint_event", VERSION | {"value": 1200}, "1200 ms"),
        ("cumulative_layout_shift_event", VERSION | {"value": 0.25}, "0.25"),
        ("dom_event", {"version": "1.1.0", "event": "click", "element": "BUTTON"}, "click BUTTON"),
        ("xray_trace_event", {"name": "shop", "id": "1", "trace_id": "1-2-3", "start_time": 1}, "shop, trace 1-2-3"),
    ],
)
def test_an_event_is_told_in_one_line(event_type: str, details: dict[str, Any], line: str) -> None:
    """Each type shows what matters about it."""
    assert line in summary(event(event_type, details))


def test_a_custom_event_is_told_by_its_details() -> None:
    """By the name and duration that a span has, else by how it begins."""
    assert summary(event("checkout", {"total": 12})) == '{"total":12}'
    assert summary(event("work", {"name": "place order", "durationMs": 12.34})) == "place order, 12.3 ms"


def test_an_event_that_breaks_its_schema_is_told_too() -> None:
    """RUM drops it, and people want to know what it was."""
    assert summary(event("page_view_event", {"page": "/"})) == '{"page":"/"}'


def test_a_session_in_which_somebody_logs_in_is_one_session() -> None:
    """The user changes, the session does not; its events are in order of their own time."""
    (session,) = sessions([page_view("/cart", 5, user_id="ada"), page_view("/", 0, user_id="nobody")])
    assert (session.user_ids, [one.timestamp for one in session.events]) == (
        ("nobody", "ada"),
        [session.first, session.last],
    )


def test_the_session_of_the_latest_event_comes_first() -> None:
    """Whatever order they arrived in."""
    assert [one.id for one in sessions([page_view("/", 9, session_id="new"), page_view("/", session_id="old")])] == [
        "new",
        "old",
    ]
