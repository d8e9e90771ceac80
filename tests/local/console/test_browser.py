"""The console in a real browser: Chromium, driven by Playwright.

SCREENSHOTS=1 leaves screenshots in `artifacts/`. All tests are skipped without Chromium; CHROMIUM sets its path.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.local.console.overview import overview
from otel_rum_exporter.local.console.web import VIEWS
from tests.local.console.chromium import DESKTOP, Open, needs_chromium, screenshot
from tests.local.http_client import post_bodies
from tests.local.web_sessions import APP_MONITOR, RUM, V1, WebSession

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOW_CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"

pytestmark = needs_chromium


def session_body(seed: int) -> dict[str, Any]:
    """Return the request of a session that began a minute ago."""
    random_source = random.Random(seed)
    return WebSession(random_source, time.time() - 60).body(random_source)


def test_empty_console_shows_a_recipe_that_works(rum: LocalRum, open_console: Open) -> None:
    """The curl recipe sends an event, and the page then shows it."""
    page = open_console(rum)
    expect(page.locator("h1")).to_have_text("Waiting for the first event")
    screenshot(page, "welcome")
    page.get_by_role("tab", name="Python").press("ArrowLeft")
    expect(page.get_by_role("tab", name="One event, now")).to_be_focused()
    recipe = page.get_by_role("tabpanel").locator("pre").inner_text()
    assert rum.url in recipe
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    subprocess.run(["bash", "-c", recipe], check=True, capture_output=True, timeout=30)
    assert len(rum.events) == 1
    expect(page.locator("h1")).to_contain_text("Overview")
    expect(page.locator(".sessions")).to_contain_text("/hello")


def test_overview_shows_totals_vitals_and_sessions(shop: LocalRum, open_console: Open) -> None:
    """The totals match the received events."""
    page = open_console(shop)
    figures = dict(re.findall(r"(.+)\n+([\d,]+)", page.locator(".figures").inner_text()))
    assert int(figures["Sessions started"]) == len(shop.events("session_start_event"))
    assert int(figures["Page views"]) == len(shop.events("page_view_event"))
    assert int(figures["Errors"]) == len(shop.events("js_error_event"))
    statuses = [one.details.get("response", {}).get("status", 0) for one in shop.events("http_event")]
    assert int(figures["HTTP 4xx"]) == sum(400 <= status < 500 for status in statuses)
    assert int(figures["HTTP 5xx"]) == sum(status >= 500 for status in statuses)
    costs = page.get_by_role("region", name="Events and cost")
    expect(costs.locator("li", has_text="page_view_event")).to_contain_text(figures["Page views"])
    expect(costs.locator("li").first).to_contain_text("USD")
    assert page.locator(".vitals li").count() == 5
    assert page.locator(".sessions li").count() == 5
    screenshot(page, "overview")


@pytest.mark.parametrize("name", ["sessions", "pages", "errors", "http", "refused"])
def test_navigation_link_opens_the_view(shop: LocalRum, open_console: Open, name: str) -> None:
    """Navigation, title and heading show the view, and the heading has the focus."""
    page = open_console(shop)
    link = page.get_by_role("navigation", name="Views").locator(f"a[href='/{name}']")
    link.click()
    expect(page).to_have_url(re.compile(f"/{name}$"))
    expect(link).to_have_attribute("aria-current", "page")
    expect(page.locator("h1")).to_be_focused()
    assert name in page.title().lower()
    assert page.locator("[data-row]").count() > 0
    screenshot(page, name)


def test_new_session_appears_and_keeps_other_rows_and_focus(rum: LocalRum, open_console: Open) -> None:
    """The page updates rows in place."""
    post_bodies(rum, [session_body(1)])
    page = open_console(rum)
    row = page.locator(".sessions a").first
    row.focus()
    row.evaluate("element => element.label = 'the same'")
    post_bodies(rum, [session_body(2)])
    expect(page.locator(".sessions li")).to_have_count(2)
    labels = page.locator(".sessions a").evaluate_all("rows => rows.map((row) => row.label ?? '')")
    assert sorted(labels) == ["", "the same"]
    assert page.evaluate("document.activeElement.label") == "the same"


def test_paused_page_updates_after_resume(rum: LocalRum, open_console: Open) -> None:
    """A paused page ignores new sessions."""
    post_bodies(rum, [session_body(1)])
    page = open_console(rum)
    page.get_by_role("button", name="Live").click()
    post_bodies(rum, [session_body(2)])
    page.wait_for_timeout(1500)
    expect(page.locator(".sessions li")).to_have_count(1)
    page.keyboard.press("p")
    expect(page.locator(".sessions li")).to_have_count(2)


def test_slow_view_is_shown_despite_newer_revisions(
    rum: LocalRum, open_console: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer revision does not abort a running request, else a large store would never be shown."""
    calls = []

    def slow(*arguments: Any) -> Any:
        calls.append(arguments)
        time.sleep(1.5)
        return overview(*arguments)

    monkeypatch.setitem(VIEWS, "overview", slow)
    post_bodies(rum, [session_body(1)])
    page = open_console(rum)
    assert len(calls) == 1
    post_bodies(rum, [session_body(2)])
    expect(page.locator(".figures strong").first).to_have_text("2", timeout=20_000)


def test_filter_is_in_the_url_and_in_the_history(shop: LocalRum, open_console: Open) -> None:
    """A filtered URL can be shared, and Back removes the filter."""
    page = open_console(shop, "/sessions")
    everything = page.locator("h1 small").inner_text()
    page.get_by_label("browser", exact=True).select_option("Firefox")
    expect(page).to_have_url(re.compile(r"browser=Firefox"))
    expect(page.locator(".sessions li").first).to_contain_text("Firefox")
    some = page.locator("h1 small").inner_text()
    assert int(some) < int(everything)
    page.get_by_role("navigation", name="Views").get_by_text("Pages").click()
    expect(page).to_have_url(re.compile(r"/pages\?browser=Firefox"))
    page.go_back()
    expect(page.locator("h1")).to_have_text(f"Sessions {some}")
    page.go_back()
    expect(page.locator("h1")).to_have_text(f"Sessions {everything}")
    expect(page.get_by_label("browser", exact=True)).to_have_value("")
    shared = open_console(shop, "/sessions?browser=Firefox")
    expect(shared.locator("h1")).to_have_text(f"Sessions {some}")
    expect(shared.get_by_label("browser", exact=True)).to_have_value("Firefox")


def test_search_is_one_history_entry(shop: LocalRum, open_console: Open) -> None:
    """A search without results offers a link that clears it."""
    page = open_console(shop, "/errors")
    page.keyboard.press("/")
    page.keyboard.type("coupon", delay=250)
    expect(page.locator(".errors li")).to_have_count(1)
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    page.get_by_label("Search", exact=True).fill("no such thing")
    expect(page.get_by_role("heading", name="No errors")).to_be_visible()
    page.get_by_role("link", name="Clear them").click()
    expect(page.locator(".errors li")).to_have_count(4)
    page.go_back()
    page.go_back()
    expect(page).to_have_url(f"{shop.url}/errors")


def test_overview_links_to_session_event_and_request(shop: LocalRum, open_console: Open) -> None:
    """The event shows its JSON and the body of its request."""
    page = open_console(shop)
    session = page.locator(".sessions a", has=page.locator(".chip.bad")).first
    session.click()
    expect(page.locator(".visit").first).to_be_visible()
    event = page.locator(".event.k-error button").first
    event.click()
    detail = page.locator(".detail")
    expect(detail).to_contain_text("RUM would keep this event")
    expect(detail).to_contain_text('"type": "')
    expect(detail).to_contain_text(f"POST /appmonitors/{APP_MONITOR}")
    expect(event).to_have_attribute("aria-expanded", "true")
    detail.get_by_text("Body as sent").click()
    expect(detail.get_by_role("region", name="body")).to_contain_text('"BatchId"')
    screenshot(page, "session")
    shared = open_console(shop, page.url.removeprefix(shop.url))
    expect(shared.locator(".detail")).to_contain_text("RUM would keep this event")
    page.go_back()
    expect(page.locator("h1")).to_contain_text("Overview")


def test_error_view_links_to_the_event_in_its_session(shop: LocalRum, open_console: Open) -> None:
    """Both show the stack trace."""
    page = open_console(shop, "/errors")
    page.locator(".errors a", has_text="TypeError").click()
    expect(page.locator(".stack")).to_contain_text("at Cart.render")
    screenshot(page, "error")
    expect(page.locator(".samples li").first).to_contain_text(re.compile("User [0-9a-f]{8}|Anonymous"))
    page.locator(".samples a").first.click()
    expect(page.locator(".detail .stack")).to_contain_text("at Cart.render")


def test_http_view_filters_by_status_and_shows_requests(shop: LocalRum, open_console: Open) -> None:
    """The requests of a URL are listed."""
    page = open_console(shop, "/http")
    page.get_by_role("navigation", name="Request results").get_by_text("5xx").click()
    expect(page).to_have_url(re.compile("status=5xx"))
    expect(page.locator("main")).not_to_contain_text(re.compile(r"OK|\bother\b"))
    page.get_by_role("link", name="/api/orders").click()
    expect(page.locator(".facts")).to_contain_text("made")
    expect(page.locator(".samples .chip").first).to_have_text(re.compile("200|409|500|no answer"))
    expect(page.locator("h1")).to_contain_text("/api/orders")
    expect(page.locator(".samples li").first).to_contain_text("/api/orders")
    screenshot(page, "http-url")


def test_refused_view_shows_reasons_and_links_to_the_dropped_event(shop: LocalRum, open_console: Open) -> None:
    """Refused requests, dropped events and removed attributes have reasons."""
    page = open_console(shop, "/refused")
    expect(page.locator("main")).to_contain_text("which looks like milliseconds")
    expect(page.locator(".answers")).to_have_text(re.compile(r"^\d+ requests: \d+ accepted .200., 1 refused .400.$"))
    page.get_by_role("navigation", name="Order of reasons").get_by_text("Count").click()
    expect(page).to_have_url(re.compile("sort=count"))
    expect(page.locator("main")).to_contain_text("above RUM's limit of 6144")
    expect(page.locator("main")).to_contain_text("cart.size")
    page.get_by_text("The latest of these requests").click()
    expect(page.locator(".decisions li")).not_to_have_count(0)
    expect(page.get_by_role("region", name="body")).to_contain_text('"BatchId"')
    dropped = page.get_by_role("region", name="Dropped events")
    dropped.get_by_role("link", name="The latest in its session").click()
    expect(page.locator(".detail")).to_contain_text("RUM would drop this event")
    expect(page.locator(".event.dropped")).to_contain_text("would be dropped")


def test_chart_supports_arrow_keys_and_enter(shop: LocalRum, open_console: Open) -> None:
    """Keys move the cursor and zoom."""
    page = open_console(shop)
    chart = page.get_by_role("application").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(chart.get_by_role("status")).to_contain_text("Page views")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    page.get_by_role("link", name="Clear").click()
    expect(page).to_have_url(f"{shop.url}/")


def test_keys_navigate_views_rows_and_help(shop: LocalRum, open_console: Open) -> None:
    """No step needs a pointer."""
    page = open_console(shop)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("2")
    expect(page.locator("h1")).to_contain_text("Sessions")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".sessions a").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator(".visit").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".detail")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator("h1")).to_contain_text("Sessions")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/sessions", "/pages", "/errors", "/http", "/refused", "session"])
def test_page_fits_a_phone_and_text_contrast_meets_wcag(shop: LocalRum, open_console: Open, path: str) -> None:
    """At 390 pixels filters and hosts are whole; each text has a contrast of 4.5 to 1, in light and dark."""
    name = path.strip("/") or "overview"
    if path == "session":
        event = shop.dropped[0].event
        path = f"/sessions/{event.session_id}?event={event.id}"
    page = open_console(shop, path, **PHONE)
    expect(page.locator("main [data-row]").first).to_be_visible()
    if name == "session":  # the open event is not below the header
        header, row = (page.locator(one).bounding_box() for one in (".masthead", "[aria-expanded=true]"))
        assert header is not None
        assert row is not None
        assert row["y"] >= header["y"] + header["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    outside = "all => all.filter((one) => !one.offsetWidth || one.getBoundingClientRect().right > 390).length"
    assert page.locator(".filters select, .origin").evaluate_all(outside) == 0
    screenshot(page, f"phone-{name}")
    page.set_viewport_size(DESKTOP)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(LOW_CONTRAST) == []
        screenshot(page, f"{scheme}-{name}")


def test_page_has_landmarks_and_accessible_names(shop: LocalRum, open_console: Open) -> None:
    """Each control and image has a name."""
    page = open_console(shop)
    assert [page.locator(tag).count() for tag in ("h1", "main", "header", "footer")] == [1, 1, 1, 1]
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, select, [role=img], [tabindex='0']")]
            .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim()))
            .map((element) => element.outerHTML)"""
    )
    assert nameless == []
    assert page.evaluate("document.querySelectorAll('svg:not([aria-hidden], [role=img])').length") == 0


def test_markup_in_telemetry_is_shown_as_text(rum: LocalRum, open_console: Open) -> None:
    """Each view shows markup from any text member and never runs it."""
    body = markup_body()
    post_bodies(rum, [body, {**session_body(3), "BatchId": MARKUP}, {**session_body(4), MARKUP: 1}])
    session = body["UserDetails"]["sessionId"]
    assert len(rum.events) == len(body["RumEvents"]) - 1
    page = open_console(rum)
    key = page.evaluate("async () => (await (await fetch('/api/console/errors')).json()).errors[0].key")
    url = page.evaluate("async () => (await (await fetch('/api/console/http')).json()).urls[0].url")
    events = page.evaluate(
        f"async () => (await (await fetch('/api/console/session?id={session}')).json()).visits"
        ".flatMap((visit) => visit.events.map((event) => event.key))"
    )
    query = urllib.parse.quote(url)
    views = ["/", "/sessions", "/pages", "/errors", f"/errors/{key}", "/http", f"/http?url={query}", "/refused"]
    for path in [*views, *(f"/sessions/{session}?event={event}" for event in events)]:
        page.goto(rum.url + path)
        if path == "/refused":
            summaries = page.locator("summary")
            expect(summaries.first).to_be_visible()
            for summary in summaries.all():
                summary.click()
            expect(page.get_by_role("region", name="body")).to_have_count(2)
        expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")
        assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
        assert page.evaluate("document.scripts.length") == 1


def markup_body() -> dict[str, Any]:
    """Return a request with markup in each text member."""
    body = session_body(5)
    metadata = V1 | dict.fromkeys(
        ("domain", "pageId", "title", "browserName", "osName", "deviceType", "countryCode", "pageUrl"), MARKUP
    )
    details = {
        "page_view_event": V1 | {"pageId": MARKUP, "referrer": MARKUP},
        "http_event": V1
        | {
            "request": {"method": MARKUP, "url": MARKUP},
            "error": {"type": MARKUP, "message": MARKUP, "stack": MARKUP},
        },
        "js_error_event": V1 | dict.fromkeys(("type", "message", "filename", "stack"), MARKUP),
        "performance_resource_event": V1
        | {"targetUrl": MARKUP, "initiatorType": MARKUP, "fileType": MARKUP, "duration": 5},
        "dom_event": {"version": "1.1.0", "event": MARKUP, "element": MARKUP, "elementId": MARKUP},
        "custom": {"name": MARKUP, MARKUP: MARKUP},
        "large": {"name": MARKUP, "text": MARKUP * 200},
    }
    own = json.dumps(metadata | {"a." + MARKUP: MARKUP, "tag": MARKUP})
    body["RumEvents"] = [
        {
            "id": f"44444444-4444-4444-8444-{number:012}",
            "timestamp": time.time() - 10,
            "type": RUM + name if name.endswith("_event") else name,
            "details": json.dumps(detail),
            "metadata": own,
        }
        for number, (name, detail) in enumerate(details.items())
    ]
    return body


def test_page_reports_a_stopped_server_and_reconnects(browser: Browser) -> None:
    """The last data stays visible."""
    first = LocalRum()
    first.start()
    port = int(first.url.rpartition(":")[2])
    post_bodies(first, [session_body(1)])
    context = browser.new_context()
    page = context.new_page()
    page.goto(first.url)
    expect(page.locator(".sessions li")).to_have_count(1)
    first.stop()
    expect(page.get_by_role("button", name="Offline")).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    screenshot(page, "offline")
    with LocalRum(port=port) as second:
        post_bodies(second, [session_body(2)])
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.get_by_role("button", name="Live")).to_be_visible(timeout=15_000)
        context.close()
