"""The console in a real browser: Chromium, driven by Playwright.

Screenshots go to `artifacts/`. Without Chromium all is skipped; CHROMIUM names one in an unusual place.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.local.console.overview import overview
from otel_rum_exporter.local.console.web import VIEWS
from tests.local.visitors import APP_MONITOR, RUM, V1, Visitor, bodies, faulty

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
ARTIFACTS = Path(__file__).parents[3] / "artifacts"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
LOW_CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: apt-get install chromium, or set CHROMIUM")

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(no_leaks_of_module: None) -> Iterator[Browser]:
    """Run one browser for all tests."""
    ARTIFACTS.mkdir(exist_ok=True)
    # Chromium's sandbox refuses to run as root, as in containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open a path of a console; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_path(rum: LocalRum, path: str = "/", **settings: Any) -> Page:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda sent: None if sent.url.startswith(rum.url) else complaints.append(sent.url))
        page.goto(rum.url + path)
        expect(page.locator("h1")).to_be_visible()
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert complaints == []


def send(rum: LocalRum, *requests: dict[str, Any]) -> None:
    """Send what may be refused."""
    for body in requests:
        address = f"{rum.url}/appmonitors/{APP_MONITOR}"
        request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as refused:
            refused.close()


@pytest.fixture(scope="module")
def busy(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Serve half an hour of a shop, which no test changes."""
    now = time.time()
    with LocalRum() as rum:
        send(rum, *bodies(now), *faulty(now))
        yield rum


def one_visitor(seed: int) -> dict[str, Any]:
    """Return the request of a visitor of this minute."""
    dice = random.Random(seed)
    return Visitor(dice, time.time() - 60).body(dice)


def test_an_empty_console_teaches_how_to_send(rum: LocalRum, visit: Open) -> None:
    """The recipe for one event works as it is shown, and the page fills itself."""
    page = visit(rum)
    expect(page.locator("h1")).to_have_text("Waiting for the first event")
    page.screenshot(path=ARTIFACTS / "welcome.png")
    page.get_by_role("tab", name="Python").press("ArrowLeft")
    expect(page.get_by_role("tab", name="One event, now")).to_be_focused()
    recipe = page.get_by_role("tabpanel").locator("pre").inner_text()
    assert rum.url in recipe
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    subprocess.run(["bash", "-c", recipe], check=True, capture_output=True, timeout=30)
    assert len(rum.events) == 1
    expect(page.locator("h1")).to_contain_text("Overview")
    expect(page.locator(".sessions")).to_contain_text("/hello")


def test_the_overview_shows_figures_vitals_and_sessions(busy: LocalRum, visit: Open) -> None:
    """The figures are those of what was sent."""
    page = visit(busy)
    figures = dict(re.findall(r"(.+)\n+([\d,]+)", page.locator(".figures").inner_text()))
    assert int(figures["Page views"]) == len(busy.events("page_view_event"))
    assert int(figures["Errors"]) == len(busy.events("js_error_event"))
    statuses = [one.details.get("response", {}).get("status", 0) for one in busy.events("http_event")]
    assert int(figures["HTTP 4xx"]) == sum(400 <= status < 500 for status in statuses)
    assert int(figures["HTTP 5xx"]) == sum(status >= 500 for status in statuses)
    assert page.locator(".vitals li").count() == 5
    assert page.locator(".sessions li").count() == 5
    page.screenshot(path=ARTIFACTS / "overview.png", full_page=True)


@pytest.mark.parametrize("name", ["sessions", "pages", "errors", "http", "refused"])
def test_every_view_is_one_click_away(busy: LocalRum, visit: Open, name: str) -> None:
    """And says so: in the navigation, the title, the heading, which has the focus."""
    page = visit(busy)
    link = page.get_by_role("navigation", name="Views").locator(f"a[href='/{name}']")
    link.click()
    expect(page).to_have_url(re.compile(f"/{name}$"))
    expect(link).to_have_attribute("aria-current", "page")
    expect(page.locator("h1")).to_be_focused()
    assert name in page.title().lower()
    assert page.locator("[data-row]").count() > 0
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


def test_news_appears_by_itself_and_leaves_the_rest_alone(rum: LocalRum, visit: Open) -> None:
    """What is focused stays so, and what was drawn is not drawn anew."""
    send(rum, one_visitor(1))
    page = visit(rum)
    row = page.locator(".sessions a").first
    row.focus()
    row.evaluate("element => element.mark = 'the same'")
    send(rum, one_visitor(2))
    expect(page.locator(".sessions li")).to_have_count(2)
    marks = page.locator(".sessions a").evaluate_all("rows => rows.map((row) => row.mark ?? '')")
    assert sorted(marks) == ["", "the same"]
    assert page.evaluate("document.activeElement.mark") == "the same"


def test_pausing_keeps_the_page_still(rum: LocalRum, visit: Open) -> None:
    """Until it is resumed, when it catches up."""
    send(rum, one_visitor(1))
    page = visit(rum)
    page.get_by_role("button", name="Live").click()
    send(rum, one_visitor(2))
    page.wait_for_timeout(1500)
    expect(page.locator(".sessions li")).to_have_count(1)
    page.keyboard.press("p")
    expect(page.locator(".sessions li")).to_have_count(2)


def test_a_slow_answer_is_waited_for(rum: LocalRum, visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """News that comes before it does not take its place, or a large store would never be seen."""
    questions = []

    def slow(*question: Any) -> Any:
        questions.append(question)
        time.sleep(1.5)
        return overview(*question)

    monkeypatch.setitem(VIEWS, "overview", slow)
    send(rum, one_visitor(1))
    page = visit(rum)
    assert len(questions) == 1
    send(rum, one_visitor(2))
    expect(page.locator(".figures strong").first).to_have_text("2", timeout=20_000)


def test_a_filter_stands_in_the_url_and_goes_back(busy: LocalRum, visit: Open) -> None:
    """A filtered view can be shared, and Back undoes it."""
    page = visit(busy, "/sessions")
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
    shared = visit(busy, "/sessions?browser=Firefox")
    expect(shared.locator("h1")).to_have_text(f"Sessions {some}")
    expect(shared.get_by_label("browser", exact=True)).to_have_value("Firefox")


def test_a_search_is_one_step_of_the_history(busy: LocalRum, visit: Open) -> None:
    """However many letters it took; nothing found is said, with the way out."""
    page = visit(busy, "/errors")
    page.keyboard.press("/")
    page.keyboard.type("coupon", delay=250)
    expect(page.locator(".errors li")).to_have_count(1)
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    page.get_by_label("Search", exact=True).fill("no such thing")
    expect(page.get_by_role("heading", name="No errors")).to_be_visible()
    page.get_by_role("link", name="Clear them").click()
    expect(page.locator(".errors li")).to_have_count(3)
    page.go_back()
    page.go_back()
    expect(page).to_have_url(f"{busy.url}/errors")


def test_from_the_overview_down_to_an_event_and_its_request(busy: LocalRum, visit: Open) -> None:
    """A session, its timeline, an event with its raw JSON, and the request that carried it."""
    page = visit(busy)
    session = page.locator(".sessions a", has=page.locator(".chip.bad")).first
    session.click()
    expect(page.locator(".chapter").first).to_be_visible()
    event = page.locator(".event.k-error button").first
    event.click()
    detail = page.locator(".detail")
    expect(detail).to_contain_text("RUM would keep this event")
    expect(detail).to_contain_text('"type": "')
    expect(detail).to_contain_text(f"POST /appmonitors/{APP_MONITOR}")
    expect(event).to_have_attribute("aria-expanded", "true")
    detail.get_by_text("Body as sent").click()
    expect(detail.get_by_role("region", name="body")).to_contain_text('"BatchId"')
    page.screenshot(path=ARTIFACTS / "session.png", full_page=True)
    shared = visit(busy, page.url.removeprefix(busy.url))
    expect(shared.locator(".detail")).to_contain_text("RUM would keep this event")
    page.go_back()
    expect(page.locator("h1")).to_contain_text("Overview")


def test_an_error_leads_to_whom_it_hit(busy: LocalRum, visit: Open) -> None:
    """The stack trace, and from there the event in its session."""
    page = visit(busy, "/errors")
    page.locator(".errors a", has_text="TypeError").click()
    expect(page.locator(".stack")).to_contain_text("at Cart.render")
    page.screenshot(path=ARTIFACTS / "error.png", full_page=True)
    page.locator(".samples a").first.click()
    expect(page.locator(".detail .stack")).to_contain_text("at Cart.render")


def test_a_url_leads_to_who_asked(busy: LocalRum, visit: Open) -> None:
    """By its status first."""
    page = visit(busy, "/http")
    page.get_by_role("navigation", name="How requests ended").get_by_text("5xx").click()
    expect(page).to_have_url(re.compile("status=5xx"))
    page.get_by_role("link", name="/api/orders").click()
    expect(page.locator("h1")).to_contain_text("/api/orders")
    expect(page.locator(".samples li").first).to_contain_text("/api/orders")
    page.screenshot(path=ARTIFACTS / "http-url.png", full_page=True)


def test_what_rum_would_not_keep_has_its_reason(busy: LocalRum, visit: Open) -> None:
    """Refused, dropped and removed; the dropped event is in its session, crossed out."""
    page = visit(busy, "/refused")
    expect(page.locator("main")).to_contain_text("which looks like milliseconds")
    expect(page.locator("main")).to_contain_text("RUM keeps at most 6144")
    expect(page.locator("main")).to_contain_text("cart.size")
    page.get_by_text("The latest of these requests").click()
    expect(page.locator(".verdicts li")).not_to_have_count(0)
    expect(page.get_by_role("region", name="body")).to_contain_text('"BatchId"')
    page.get_by_role("link", name="The latest in its session").click()
    expect(page.locator(".detail")).to_contain_text("RUM would drop this event")
    expect(page.locator(".event.dropped")).to_contain_text("would be dropped")


def test_the_chart_can_be_walked_and_zoomed_with_keys(busy: LocalRum, visit: Open) -> None:
    """What a mouse can do, the keyboard can."""
    page = visit(busy)
    chart = page.get_by_role("application").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(chart.get_by_role("status")).to_contain_text("Page views")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    page.get_by_role("link", name="Clear").click()
    expect(page).to_have_url(f"{busy.url}/")


def test_everything_can_be_done_with_keys(busy: LocalRum, visit: Open) -> None:
    """Views by number, rows by letter, up again, and help that tells all of it."""
    page = visit(busy)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("2")
    expect(page.locator("h1")).to_contain_text("Sessions")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".sessions a").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator(".chapter").first).to_be_visible()
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
def test_nothing_is_wider_than_a_phone(busy: LocalRum, visit: Open, path: str) -> None:
    """The page scrolls one way."""
    name = path.strip("/") or "overview"
    if path == "session":
        path = f"/sessions/{busy.dropped[0].event.session_id}"
    page = visit(busy, path, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=ARTIFACTS / f"phone-{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/sessions", "/pages", "/errors", "/http", "/refused", "session"])
def test_text_has_contrast_in_light_and_dark(busy: LocalRum, visit: Open, scheme: str, path: str) -> None:
    """4.5 to 1 at least, as WCAG 2 asks for, for every text on the page."""
    name = path.strip("/") or "overview"
    if path == "session":
        event = busy.dropped[0].event
        path = f"/sessions/{event.session_id}?event={event.id}"
    page = visit(busy, path, color_scheme=scheme)
    expect(page.locator("main [data-row]").first).to_be_visible()
    low = page.evaluate(LOW_CONTRAST)
    page.screenshot(path=ARTIFACTS / f"{scheme}-{name}.png", full_page=True)
    assert low == []


def test_the_page_has_landmarks_and_names(busy: LocalRum, visit: Open) -> None:
    """One heading, one main part, and no control or image without a name."""
    page = visit(busy)
    assert [page.locator(tag).count() for tag in ("h1", "main", "header", "footer")] == [1, 1, 1, 1]
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, select, [role=img], [tabindex='0']")]
            .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim()))
            .map((element) => element.outerHTML)"""
    )
    assert nameless == []
    assert page.evaluate("document.querySelectorAll('svg:not([aria-hidden], [role=img])').length") == 0


def test_text_from_telemetry_is_text_everywhere(rum: LocalRum, visit: Open) -> None:
    """Markup in every member that takes text, in every view: shown, and never run."""
    body = hostile()
    send(rum, body, {**one_visitor(3), "BatchId": HOSTILE}, {**one_visitor(4), HOSTILE: 1})
    session = body["UserDetails"]["sessionId"]
    assert len(rum.events) == len(body["RumEvents"]) - 1
    page = visit(rum)
    key = page.evaluate("async () => (await (await fetch('/api/console/errors')).json()).errors[0].key")
    url = page.evaluate("async () => (await (await fetch('/api/console/http')).json()).urls[0].url")
    events = page.evaluate(
        f"async () => (await (await fetch('/api/console/session?id={session}')).json()).chapters"
        ".flatMap((chapter) => chapter.events.map((event) => event.key))"
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


def hostile() -> dict[str, Any]:
    """Return a request with markup wherever the schemas take text."""
    body = one_visitor(5)
    metadata = V1 | dict.fromkeys(
        ("domain", "pageId", "title", "browserName", "osName", "deviceType", "countryCode", "pageUrl"), HOSTILE
    )
    details = {
        "page_view_event": V1 | {"pageId": HOSTILE, "referrer": HOSTILE},
        "http_event": V1
        | {
            "request": {"method": HOSTILE, "url": HOSTILE},
            "error": {"type": HOSTILE, "message": HOSTILE, "stack": HOSTILE},
        },
        "js_error_event": V1 | dict.fromkeys(("type", "message", "filename", "stack"), HOSTILE),
        "performance_resource_event": V1
        | {"targetUrl": HOSTILE, "initiatorType": HOSTILE, "fileType": HOSTILE, "duration": 5},
        "dom_event": {"version": "1.1.0", "event": HOSTILE, "element": HOSTILE, "elementId": HOSTILE},
        "custom": {"name": HOSTILE, HOSTILE: HOSTILE},
        "large": {"name": HOSTILE, "text": HOSTILE * 200},
    }
    own = json.dumps(metadata | {"a." + HOSTILE: HOSTILE, "tag": HOSTILE})
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


def test_a_server_that_is_gone_is_told_and_found_again(browser: Browser) -> None:
    """What was shown stays, with a word about it."""
    first = LocalRum()
    first.start()
    port = int(first.url.rpartition(":")[2])
    send(first, one_visitor(1))
    context = browser.new_context()
    page = context.new_page()
    page.goto(first.url)
    expect(page.locator(".sessions li")).to_have_count(1)
    first.stop()
    expect(page.get_by_role("button", name="Offline")).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.screenshot(path=ARTIFACTS / "offline.png")
    with LocalRum(port=port) as second:
        send(second, one_visitor(2))
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.get_by_role("button", name="Live")).to_be_visible(timeout=15_000)
        context.close()
