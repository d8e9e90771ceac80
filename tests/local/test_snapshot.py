"""Snapshots of received events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.local import LocalRum, assert_rum_events
from otel_rum_exporter.local.snapshot import UPDATE_VARIABLE, snapshot

USERS = {"userId": "55555555-5555-4555-8555-555555555555"}
Send = Callable[..., None]


@pytest.fixture
def send(post: Callable[..., Any], body: Callable[..., Any], event: Callable[..., Any]) -> Send:
    """Send events of one session, as pairs of type and details."""

    def send(*events: tuple[str, dict[str, Any]], session: int = 4) -> None:
        made = [
            event(f"com.amazon.rum.{kind}" if kind.endswith("_event") else kind, {"version": "1.0.0", **details})
            for kind, details in events
        ]
        session_id = f"{session}4444444-4444-4444-8444-444444444444"
        post(body(*made, UserDetails={**USERS, "sessionId": session_id}))

    return send


PAGE = ("page_view_event", {"pageId": "/cart"})
ERROR = ("js_error_event", {"type": "KeyError", "message": "no such coupon"})


def test_equal_events_pass_in_any_order_and_with_any_spaces(rum: LocalRum, send: Send) -> None:
    """A test writes them as they are easy to read."""
    send(PAGE, ERROR)
    assert_rum_events(
        rum,
        """
        js_error_event   KeyError: no such coupon
        page_view_event  /cart
        """,
    )


def test_the_diff_has_what_is_missing_and_what_is_unexpected(rum: LocalRum, send: Send) -> None:
    """All equal lines are shown too."""
    send(PAGE, ERROR)
    with pytest.raises(AssertionError) as caught:
        assert_rum_events(rum, "page_view_event /cart\njs_error_event KeyError: sold out")
    assert str(caught.value).splitlines() == [
        "the events differ:",
        "--- expected",
        "+++ received",
        "@@ -1,2 +1,2 @@",
        "-js_error_event KeyError: sold out",
        "+js_error_event KeyError: no such coupon",
        " page_view_event /cart",
    ]


@pytest.mark.parametrize("expected", ["page_view_event /cart", "page_view_event /cart\n" * 3])
def test_the_number_of_equal_events_counts(rum: LocalRum, send: Send, expected: str) -> None:
    """One too many, and one too few."""
    send(PAGE, PAGE)
    with pytest.raises(AssertionError, match="differ"):
        assert_rum_events(rum, expected, timeout=0.1)
    assert_rum_events(rum, "page_view_event /cart\n" * 2)


def test_sessions_are_compared_apart(rum: LocalRum, send: Send) -> None:
    """Their ids and order differ from run to run."""
    send(PAGE, session=9)
    send(PAGE, ERROR, session=2)
    text = """
        session 1
          page_view_event /cart
        session 2
          page_view_event /cart
          js_error_event KeyError: no such coupon
    """
    assert_rum_events(rum, text)
    assert_rum_events(rum, snapshot(rum.events))
    with pytest.raises(AssertionError, match="differ"):
        assert_rum_events(rum, "page_view_event /cart\n" * 2 + "js_error_event KeyError: no such coupon")


def test_what_varies_is_not_compared(rum: LocalRum, send: Send) -> None:
    """A line of a real run can be pasted."""
    url = "http://127.0.0.1:{}/orders"
    send(
        ("checkout", {"name": "checkout", "durationMs": 12.5}),
        ("http_event", {"request": {"method": "GET", "url": url.format(8080)}, "response": {"status": 500}}),
        ("js_error_event", {"type": "E", "message": "order 0f8fad5b-d9cb-469f-a165-70867728950e\n at 0x7f01"}),
    )
    assert_rum_events(
        rum,
        f"""
        checkout checkout, 7.0 ms
        http_event GET {url.format(5000)} → 500
        js_error_event E: order <id> at <address>
        """,
    )
    assert "checkout checkout, <ms>" in snapshot(rum.events)


def test_no_events_are_an_empty_text(rum: LocalRum, send: Send) -> None:
    """Nothing was sent, as expected; an unexpected event fails."""
    assert_rum_events(rum, "")
    send(PAGE)
    with pytest.raises(AssertionError, match=r"\+page_view_event /cart"):
        assert_rum_events(rum, "")


def test_the_reason_of_a_loss_is_part_of_the_failure(rum: LocalRum, send: Send) -> None:
    """The expected event was sent, and would not be kept."""
    send(("http_event", {"request": {"method": "GET"}, "unknown": 1}))
    with pytest.raises(AssertionError, match=r"refused: 400 .*unknown"):
        assert_rum_events(rum, "http_event GET", timeout=0.1)


def test_a_file_is_compared_and_written_on_demand(
    rum: LocalRum, send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file is never taken for a success."""
    send(PAGE, ERROR)
    file = tmp_path / "checkout.txt"
    with pytest.raises(AssertionError, match=f"To fix: set {UPDATE_VARIABLE}=1"):
        assert_rum_events(rum, file)
    monkeypatch.setenv(UPDATE_VARIABLE, "1")
    assert_rum_events(rum, file)
    monkeypatch.delenv(UPDATE_VARIABLE)
    assert file.read_text() == "js_error_event KeyError: no such coupon\npage_view_event /cart\n"
    assert_rum_events(rum, file)
    send(PAGE)
    with pytest.raises(AssertionError, match="differ"):
        assert_rum_events(rum, file)


def test_wait_for_takes_a_timeout(rum: LocalRum, send: Send) -> None:
    """In seconds, also under its former name."""
    with pytest.raises(TimeoutError, match=r"waited 0\.01 s for 1 x page_view_event"):
        rum.wait_for("page_view_event", timeout=0.01)
    with pytest.raises(TimeoutError, match=r"waited 0\.02 s for 1 x page_view_event"):
        rum.wait_for("page_view_event", timeout_seconds=0.02)
    send(PAGE)
    assert len(rum.wait_for("page_view_event", timeout=10)) == 1
