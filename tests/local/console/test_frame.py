"""What surrounds the views of the console: limits, names and texts of any kind."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from otel_rum_exporter.local import LocalRum
from tests.local.console.chromium import needs_chromium
from tests.local.console.test_navigation import LONG, events_body
from tests.local.http_client import post_bodies

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Return the page that all tests of the module use."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    yield context.new_page()
    context.close()


def test_removed_events_are_announced_in_the_frame_and_on_truncated_sessions(page: Page) -> None:
    """With the number and the option that keeps more."""
    with LocalRum(max_events=5) as rum:
        post_bodies(rum, [events_body(LONG, [f"E{part}{n}" for n in range(4)], time.time()) for part in range(3)])
        page.goto(rum.url)
        expect(page.locator(".forgotten")).to_contain_text("4 events")
        expect(page.locator(".forgotten")).to_contain_text("the latest 5 events")
        expect(page.locator(".forgotten")).to_contain_text("--max-events")
        page.goto(f"{rum.url}/sessions")
        expect(page.locator(".sessions .chip", has_text="truncated")).to_have_count(1)
        page.locator(".sessions a").click()
        expect(page.locator(".truncated")).to_contain_text("its first 4 events are no longer stored")
        rum.clear()
        page.goto(rum.url)
        expect(page.locator("h1")).to_contain_text("Waiting")
        expect(page.locator(".forgotten")).to_have_count(0)
