"""Sessions, and one-line summaries of events."""

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
            VERSION | {"request": {"method": "GET", "url": "/a"}, "response": {"status": 0}},
            "GET /a → no answer",
        ),
        (
            "http_event",
            VERSION | {"request": {"method": "PUT"}, "error": {"type": "E", "message": "m"}},
            "failed: E: m",
        ),
        ("js_error_event", VERSION | {"type": "KeyError", "message": "'id'"}, "KeyError: 'id'"),
        ("js_error_event", VERSION | {"type": " ", "message": ""}, "no type and no message"),
        ("js_error_event", VERSION | {"type": "E\u202e", "message": "a\n b"}, "E\\u202e: a b"),
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
        ("largest_contentful_paint_event", VERSION | {"value": 2718.0}, "2718 ms"),
        ("cumulative_layout_shift_event", VERSION | {"value": 0.25}, "0.25"),
        ("dom_event", {"version": "1.1.0", "event": "click", "element": "BUTTON"}, "click BUTTON"),
        ("xray_trace_event", {"name": "shop", "id": "1", "trace_id": "1-2-3", "start_time": 1}, "shop, trace 1-2-3"),
    ],
)
def test_summary_shows_the_main_fields_of_each_type(event_type: str, details: dict[str, Any], line: str) -> None:
    """For all of RUM's types."""
    assert line in summary(event(event_type, details))


def test_summary_of_a_custom_event_shows_name_and_duration() -> None:
    """Without a name it quotes the details."""
    assert summary(event("checkout", {"total": 12})) == '{"total":12}'
    assert summary(event("work", {"name": "place order", "durationMs": 12.34})) == "place order, 12.3 ms"


def test_summary_accepts_details_that_violate_the_schema() -> None:
    """Dropped events are shown too."""
    assert summary(event("page_view_event", {"page": "/"})) == '{"page":"/"}'


def test_session_with_a_login_is_one_session() -> None:
    """It has both users; its events are ordered by timestamp."""
    (session,) = sessions([page_view("/cart", 5, user_id="ada"), page_view("/", 0, user_id="guest")])
    assert (session.user_ids, [one.timestamp for one in session.events]) == (
        ("guest", "ada"),
        [session.first, session.last],
    )


def test_session_with_the_latest_event_is_first() -> None:
    """In any order of arrival."""
    assert [one.id for one in sessions([page_view("/", 9, session_id="new"), page_view("/", session_id="old")])] == [
        "new",
        "old",
    ]
