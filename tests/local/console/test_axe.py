"""The console checked by axe-core: AXE_CORE is a folder with `npm install axe-core` run in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from otel_rum_exporter.local import LocalRum
from tests.local.console.chromium import needs_chromium
from tests.local.web_sessions import ANONYMOUS_USER, TRACE

AXE = Path(os.environ.get("AXE_CORE", "")) / "node_modules/axe-core/axe.min.js"
SIZES: tuple[tuple[int, Literal["light", "dark"]], ...] = ((390, "light"), (900, "dark"), (1600, "light"))

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(not AXE.is_file(), reason="set AXE_CORE to a folder with `npm install axe-core` run in it"),
]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Return the page that all tests of the module use. axe-core is evaluated, which the page's policy forbids."""
    context = browser.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


# Views with the link that opens their first item.
ITEMS = {
    "error": ("errors", ".errors a"),
    "http-url": ("http", "th.main a"),
    "custom-type": ("custom", "th.main a"),
    "page": ("pages", "th.main a"),
}


VIEWS = "sessions session user pages errors http custom devices trace refused nosuch"


@pytest.mark.parametrize("view", ["", *VIEWS.split(), *ITEMS])
def test_axe_finds_no_violation(page: Page, shop: LocalRum, view: str) -> None:
    """On each view, in both themes and three widths, best practices included; nothing is wider than the window."""
    event = shop.dropped[0].event
    user = next(one.user_id for one in shop.events if one.user_id != ANONYMOUS_USER)
    paths = {
        "session": f"sessions/{event.session_id}?event={event.id}",
        "trace": f"traces/{TRACE}",
        "user": f"users/{user}",
    }
    list_view, link = ITEMS.get(view, (paths.get(view, view), ""))
    page.goto(f"{shop.url}/{list_view}")
    if link:
        page.locator(f"main {link}").first.click()
        expect(page.locator("main .up")).to_be_visible()
    expect(page.locator("main h1")).to_be_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = []
    for width, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("scrollTo(0, 0)")  # a target half below the sticky header counts as small
        results = page.evaluate(
            "axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})"
        )
        found += [
            (width, scheme, one["id"], [node["html"][:160] for node in one["nodes"][:3]])
            for one in results["violations"]
        ]
    assert found == []
