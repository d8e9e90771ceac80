"""The examples that are programs with one user."""

from __future__ import annotations

import sys
from pathlib import Path

from otel_rum_exporter.local import LocalRum
from tests.examples.example import EXAMPLES, INSTRUMENT, received_events, run
from tests.instrumentations import only

MONITOR_ID = "00000000-1111-4222-8333-444444444444"
NIL = "00000000-0000-0000-0000-000000000000"


def test_in_code_sends_a_screen_and_an_error(rum: LocalRum) -> None:
    """Both in one session."""
    done = run(EXAMPLES, sys.executable, "in_code.py", rum.url)
    assert (done.returncode, done.stderr) == (0, "")
    events = received_events(rum)
    assert [event.details["pageId"] for event in events("page_view_event")] == ["menu"]
    assert [event.details["message"] for event in events("js_error_event")] == ["the printer is out of paper"]
    assert len(events("session_start_event")) == 1
    assert {event.metadata["domain"] for event in events} == {"kiosk"}


def test_in_code_has_at_most_20_lines_of_code() -> None:
    """Blank lines and comments do not count."""
    lines = [line.strip() for line in (EXAMPLES / "in_code.py").read_text().splitlines()]
    assert sum(1 for line in lines if line and not line.startswith("#")) <= 20


def test_declarative_sends_its_screens_and_an_error(rum: LocalRum) -> None:
    """The YAML file reads endpoint and app monitor from the environment."""
    settings = {"RUM_APP_MONITOR_ID": MONITOR_ID, "RUM_ENDPOINT": rum.url, "RUM_SIGNING": "none", **only()}
    folder = EXAMPLES / "declarative"
    done = run(folder, INSTRUMENT, sys.executable, "app.py", OTEL_CONFIG_FILE="rum.yaml", **settings)
    assert (done.returncode, done.stdout) == (0, "6 times 7? 42: right\n7 times 6? the same: wrong\n")
    events = received_events(rum)
    assert [event.details["pageId"] for event in events("page_view_event")] == ["question-1", "question-2"]
    assert [event.metadata["pageId"] for event in events("js_error_event")] == ["question-2"]
    assert {(event.app_monitor_id, event.metadata["domain"]) for event in events} == {(MONITOR_ID, "quiz")}


def test_desktop_sends_screens_clicks_and_a_crash(rum: LocalRum, tmp_path: Path) -> None:
    """All in one session, each event on its screen."""
    done = run(
        EXAMPLES / "desktop",
        sys.executable,
        "cookbook.py",
        rum.url,
        stdin="pancakes\n4\npancakes\n0\n",
        HOME=str(tmp_path),
    )
    assert done.returncode == 1
    assert "500 flour, g" in done.stdout
    assert "ZeroDivisionError" in done.stderr
    events = received_events(rum)
    screens = [event.details["pageId"] for event in events("page_view_event")]
    assert screens == ["contents", "recipe/pancakes", "contents", "recipe/pancakes"]
    clicks = [(event.details["elementId"], event.metadata["pageId"]) for event in events("dom_event")]
    assert sorted(clicks) == [("cook", "recipe/pancakes")] * 2 + [("pancakes", "contents")] * 2
    (crash,) = events("js_error_event")
    assert (crash.details["type"], crash.metadata["pageId"]) == ("ZeroDivisionError", "recipe/pancakes")
    assert len(events("session_start_event")) == 1
    assert len({(event.session_id, event.user_id) for event in events}) == 1


def test_desktop_keeps_its_user_after_a_restart(rum: LocalRum, tmp_path: Path) -> None:
    """The second start has another session."""
    for _ in range(2):
        done = run(EXAMPLES / "desktop", sys.executable, "cookbook.py", rum.url, stdin="quit\n", HOME=str(tmp_path))
        assert done.returncode == 0
    events = received_events(rum)
    assert len({event.session_id for event in events}) == len(events("session_start_event")) == 2
    (user_id,) = {event.user_id for event in events}
    assert user_id != NIL


def test_logs_sends_the_exception_and_no_log_lines(rum: LocalRum) -> None:
    """The lines still appear on stdout."""
    done = run(EXAMPLES / "logs", sys.executable, "receipts.py", rum.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("printed\nno receipt for this customer\nTraceback")
    events = received_events(rum)
    types = sorted(event.type.removeprefix("com.amazon.rum.") for event in events)
    assert types == ["js_error_event", "session_start_event"]
    (error,) = events("js_error_event")
    assert (error.details["type"], error.details["message"]) == ("OSError", "the printer is out of paper")
    assert error.metadata["domain"] == "receipts"
