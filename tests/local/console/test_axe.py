"""The console checked by axe-core: AXE_CORE is the folder of npm's package `axe-core`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from otel_rum_exporter.local import LocalRum
from tests.local.console.chromium import needs_chromium

AXE = Path(os.environ.get("AXE_CORE", "")) / "node_modules/axe-core/axe.min.js"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

pytestmark = [needs_chromium, pytest.mark.skipif(not AXE.is_file(), reason="AXE_CORE names no folder with axe-core")]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Return the page that all tests of the module use. axe-core is evaluated, which the page's policy forbids."""
    context = browser.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    "view", ["", "sessions", "session", "pages", "errors", "error", "http", "http-url", "refused", "nosuch"]
)
def test_axe_finds_no_violation(page: Page, shop: LocalRum, view: str) -> None:
    """On each view, in both themes and three widths, best practices included."""
    event = shop.dropped[0].event
    path = {"session": f"sessions/{event.session_id}?event={event.id}"}.get(view, view)
    page.goto(f"{shop.url}/{path}")
    if view in {"error", "http-url"}:
        page.goto(f"{shop.url}/{'errors' if view == 'error' else 'http'}")
        page.locator("main .errors a, main th.main a").first.click()
    expect(page.locator("main h1")).to_be_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = []
    for width in (390, 900, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("scrollTo(0, 0)")  # a target half below the sticky header counts as small
        for scheme in SCHEMES if width == 900 else SCHEMES[:1]:
            page.emulate_media(color_scheme=scheme)
            results = page.evaluate(
                "axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})"
            )
            found += [
                (width, scheme, one["id"], [node["html"][:160] for node in one["nodes"][:3]])
                for one in results["violations"]
            ]
    assert found == []
