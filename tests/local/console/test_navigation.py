"""Links, Back and Reload in the console: the place, the focus and the open row are kept."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from otel_rum_exporter.local import LocalRum
from tests.local.console.chromium import needs_chromium
from tests.local.http_client import post_bodies
from tests.local.web_sessions import APP_MONITOR, RUM, V1

pytestmark = needs_chromium

SESSIONS = 120
LONG_EVENTS = 700
LONG = str(uuid.UUID(int=1, version=4))


def events_body(session: str, names: list[str], at: float) -> dict[str, Any]:
    """Return a request with an error of each name."""
    return {
        "BatchId": str(uuid.uuid4()),
        "AppMonitorDetails": {"id": APP_MONITOR},
        "UserDetails": {"userId": session, "sessionId": session},
        "RumEvents": [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, session + name)),
                "timestamp": at + number / 1000,
                "type": f"{RUM}js_error_event",
                "metadata": json.dumps(V1 | {"domain": "tea.example", "pageId": "/"}),
                "details": json.dumps(V1 | {"type": name, "message": "broke"}),
            }
            for number, name in enumerate(names)
        ],
    }


def event_id(name: str) -> str:
    """Return the id of an event of the long session."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, LONG + name))


@pytest.fixture(scope="module")
def long(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run a server with many sessions, and one with more events than a page shows."""
    now = time.time() - 60
    names = [f"E{number}" for number in range(LONG_EVENTS)]
    with LocalRum() as rum:
        sessions = [events_body(str(uuid.UUID(int=2 + n, version=4)), ["E"], now - n) for n in range(SESSIONS)]
        parts = [events_body(LONG, names[at : at + 100], now + at / 1000) for at in range(0, LONG_EVENTS, 100)]
        post_bodies(rum, [*sessions, *parts])
        yield rum


@pytest.fixture(scope="module")
def page(browser: Browser, long: LocalRum) -> Iterator[Page]:
    """Return the page that all tests of the module use."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(long.url)
    yield page
    context.close()


def top_of(locator: Locator) -> float:
    """Return the distance between an element and the top of the window."""
    box = locator.bounding_box()
    assert box is not None
    return box["y"]


@pytest.mark.parametrize("name", ["E0", "E480", "E650"])
def test_link_to_an_event_loads_its_page_scrolls_to_it_and_focuses_it(page: Page, long: LocalRum, name: str) -> None:
    """The link has no offset."""
    page.goto(f"{long.url}/sessions/{LONG}?event={event_id(name)}")
    opened = page.locator("button[aria-expanded=true]")
    expect(opened).to_contain_text(name)
    expect(opened).to_be_focused()
    expect(opened).to_be_in_viewport()
    expect(page.locator(".detail")).to_be_in_viewport()


def test_link_inside_the_console_to_an_event_focuses_it(page: Page, long: LocalRum) -> None:
    """From an error to its latest event, which is on the second page of its session."""
    page.goto(f"{long.url}/errors")
    page.locator(".errors a", has_text="E650").click()
    page.locator(".samples a").first.click()
    opened = page.locator("button[aria-expanded=true]")
    expect(opened).to_be_focused()
    expect(opened).to_be_in_viewport()


def test_opening_and_closing_an_event_keeps_its_page(page: Page, long: LocalRum) -> None:
    """A closed event leaves the URL, and the page of events stays."""
    page.goto(f"{long.url}/sessions/{LONG}?event={event_id('E650')}")
    page.locator("button[aria-expanded=true]").click()
    expect(page.locator("button[aria-expanded=true]")).to_have_count(0)
    expect(page.locator(".event").first).to_contain_text("E500")
    page.get_by_role("link", name="Previous").click()
    expect(page.locator(".event").first).to_contain_text("E0")


def test_back_and_forward_restore_scroll_position_and_focus(page: Page, long: LocalRum) -> None:
    """The list is as it was left, also after a reload."""
    page.goto(f"{long.url}/sessions")
    row = page.locator(".sessions a").nth(40)
    row.scroll_into_view_if_needed()
    before, href = top_of(row), row.get_attribute("href")
    row.click()
    expect(page.locator(".visit").first).to_be_visible()
    expect(page.locator("h1")).to_be_focused()
    page.go_back()
    same = page.locator(f".sessions a[href='{href}']")
    expect(same).to_be_focused()
    assert top_of(same) == pytest.approx(before, abs=2)
    page.go_forward()
    expect(page.locator(".visit").first).to_be_visible()
    page.go_back()
    expect(same).to_be_focused()
    page.reload()
    expect(same).to_be_focused()
    assert top_of(same) == pytest.approx(before, abs=2)


def test_next_page_of_a_list_begins_at_its_top(page: Page, long: LocalRum) -> None:
    """The heading has the focus."""
    page.goto(f"{long.url}/sessions")
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".pager")).to_contain_text("100 of 121")
    expect(page.locator("h1")).to_be_focused()
    assert page.evaluate("scrollY") == 0


def test_open_refusal_keeps_its_row_and_content_when_others_arrive(page: Page, rum: LocalRum) -> None:
    """Later refusals of the same and of other reasons come first."""
    first = events_body(LONG, ["E"], time.time()) | {"BatchId": "first"}
    post_bodies(rum, [first])
    page.goto(f"{rum.url}/refused")
    page.get_by_text("The latest of these requests").click()
    content = page.get_by_role("region", name="body")
    expect(content).to_contain_text('"first"')
    post_bodies(rum, [first | {"BatchId": "second"}])
    expect(page.locator(".losses li").first).to_contain_text("2 times")
    post_bodies(rum, [first | {"BatchId": LONG, "RumEvents": 1}])
    expect(page.locator(".losses > li")).to_have_count(2)
    row = page.locator(".losses > li", has=page.locator("details[open]"))
    expect(row).to_have_count(1)
    expect(row).to_contain_text("BatchId")
    expect(content).to_contain_text('"first"')
