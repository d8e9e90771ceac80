"""What surrounds the views of the console: limits, names and texts of any kind."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from otel_rum_exporter.local import AppMonitor, LocalRum
from tests.local.console.chromium import needs_chromium
from tests.local.console.test_navigation import LONG, events_body
from tests.local.http_client import post_bodies
from tests.local.web_sessions import APP_MONITOR, RUM, V1

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


def test_unknown_page_is_a_page_with_links(page: Page, rum: LocalRum) -> None:
    """Programs still get RUM's error as JSON."""
    answer = page.goto(f"{rum.url}/nosuch")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("h1")).to_have_text("This page does not exist")
    page.get_by_role("link", name="Overview", exact=True).last.click()
    expect(page).to_have_url(f"{rum.url}/")


def test_app_monitors_are_shown_by_name(page: Page) -> None:
    """In the filter and on a session."""
    other = str(uuid.UUID(int=9, version=4))
    monitors = [AppMonitor(id=APP_MONITOR, name="tea-shop"), AppMonitor(id=other, name="office")]
    first = events_body(LONG, ["E"], time.time())
    with LocalRum(app_monitors=monitors) as rum:
        post_bodies(rum, [first, first | {"BatchId": other, "AppMonitorDetails": {"id": other}}])
        page.goto(f"{rum.url}/sessions?monitor={other}")
        expect(page.get_by_label("app monitor", exact=True).locator("option")).to_have_text(
            ["Any app monitor", "office (1)", "tea-shop (1)"]
        )
        page.locator(".sessions a").click()
        expect(page.locator(".facts").first).to_contain_text("office")


@pytest.mark.parametrize(
    ("view", "width"), [("", 390), ("sessions", 390), ("errors", 390), ("refused", 390), ("", 1280)]
)
def test_texts_of_any_kind_stay_in_their_cards(page: Page, odd: LocalRum, view: str, width: int) -> None:
    """Long texts without spaces, blank ones, and right-to-left marks; the badge of Refused is not cut off."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{odd.url}/{view}")
    expect(page.locator("main [data-row]").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".card *")].filter((element) => {
            const card = element.closest(".card").getBoundingClientRect(), box = element.getBoundingClientRect();
            for (let one = element.parentElement; one && !one.matches(".card"); one = one.parentElement)
                if (getComputedStyle(one).overflowX !== "visible") return false;
            return box.width && (box.right > card.right + 1 || box.left < card.left - 1);
        }).map((element) => element.outerHTML.slice(0, 200))"""
    )
    assert outside == []
    badge = page.locator(".masthead .badge").bounding_box()
    assert badge is not None
    assert badge["x"] >= 0
    assert badge["x"] + badge["width"] <= width
    if view == "errors":
        expect(page.locator(".errors")).to_contain_text("(blank: U+200B U+0020)")
        expect(page.locator(".errors b").first).to_have_css("unicode-bidi", "isolate")


@pytest.mark.parametrize("view", ["", "pages", "errors", "http", "refused"])
def test_rows_have_the_beginning_of_a_long_text_and_blank_links_have_a_name(
    page: Page, odd: LocalRum, view: str
) -> None:
    """A text of 2,000 characters would fill the screen."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{odd.url}/{view}")
    expect(page.locator("main [data-row]").first).to_be_visible()
    heights = page.locator("main [data-row]").evaluate_all("rows => rows.map((row) => row.offsetHeight)")
    assert max(heights) < 300
    assert "" not in [text.strip() for text in page.locator("main a").all_inner_texts()]


@pytest.fixture(scope="module")
def odd(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run a server with odd texts and many losses."""
    long_text = "x" * 2000
    with LocalRum() as rum:
        names = ["\u200b ", "\u202eevil\u202e", long_text]
        body = events_body(LONG, names, time.time() - 5)
        for event in body["RumEvents"]:
            event["metadata"] = json.dumps(V1 | {"domain": "tea.example", "pageId": long_text[:256]})
        for url in names:
            call = V1 | {"request": {"method": "GET", "url": url}, "response": {"status": -1}}
            visited = V1 | {"pageId": url}
            for name, details in (("http_event", call), ("page_view_event", visited)):
                copied = body["RumEvents"][0] | {"id": str(uuid.uuid4()), "type": RUM + name}
                body["RumEvents"].append(copied | {"details": json.dumps(details)})
        refused = [body | {"BatchId": long_text}] * 1200
        dropped = events_body(LONG, [long_text * 4], time.time())
        post_bodies(rum, [body, dropped, *refused])
        yield rum


def test_one_event_is_singular_and_bars_are_not_covered(page: Page, rum: LocalRum) -> None:
    """The duration is beside the timeline."""
    body = events_body(LONG, ["E"], time.time())
    body["RumEvents"][0] |= {"type": "work", "details": json.dumps({"name": "order", "durationMs": 500})}
    post_bodies(rum, [body])
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(rum.url)
    expect(page.locator("h1 small")).to_have_text(re.compile(r"1 event, 0.00001 USD at list price$"))
    expect(page.locator(".sessions .n")).to_have_text("1 event")
    page.locator(".sessions a").click()
    bar, text = page.locator(".event .took").bounding_box(), page.locator(".event .took-text").bounding_box()
    expect(page.locator(".event .took-text")).to_have_text("500 ms")
    assert bar is not None
    assert text is not None
    assert bar["x"] + bar["width"] <= text["x"]


def test_thresholds_of_web_vitals_stay_with_their_units(page: Page, shop: LocalRum) -> None:
    """A narrow card has each threshold on one line."""
    page.set_viewport_size({"width": 390, "height": 720})
    page.goto(shop.url)
    lines = page.locator(".vitals .scale").first.evaluate("""element => {
        const node = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        const shown = [];
        while (node.nextNode()) {
            const text = node.currentNode.textContent;
            for (let at = 0; at < text.length; at++) {
                const range = document.createRange();
                range.setStart(node.currentNode, at);
                range.setEnd(node.currentNode, at + 1);
                const top = Math.round(range.getBoundingClientRect().top);
                if (!shown.length || Math.abs(shown.at(-1)[0] - top) > 4) shown.push([top, ""]);
                shown.at(-1)[1] += text[at];
            }
        }
        return shown.map(([, line]) => line.trim());
    }""")
    assert [line.replace("\u00a0", " ") for line in lines] == ["good ≤ 2.5 s,", "poor > 4 s"]


def test_times_of_a_short_session_differ(page: Page, rum: LocalRum) -> None:
    """The session takes 102 ms."""
    post_bodies(rum, [events_body(LONG, [f"E{n}" for n in range(103)], time.time())])
    page.goto(f"{rum.url}/sessions/{LONG}")
    labels = page.locator(".whole .axis span")
    expect(labels).to_have_count(3)
    assert len(set(labels.all_inner_texts())) == 3


@pytest.mark.parametrize("query", ["from=x&to=y", "from=99999999999999"])
def test_range_that_is_no_time_still_shows_the_page(page: Page, shop: LocalRum, query: str) -> None:
    """The fields of the range are empty."""
    page.goto(f"{shop.url}/sessions?{query}")
    expect(page.locator("h1")).to_contain_text("Sessions")
    expect(page.locator("input[name=from]")).to_have_value("")


def test_times_of_a_session_of_days_have_their_days(page: Page, rum: LocalRum) -> None:
    """A session of a server can take weeks: a time alone would name many moments."""
    now = time.time()
    post_bodies(rum, [events_body(LONG, [name], now - days * 86_400) for name, days in (("E", 3), ("F", 0))])
    page.goto(f"{rum.url}/sessions/{LONG}")
    labels = page.locator(".whole .axis span")
    expect(labels).to_have_text([re.compile(r"^\d+ [A-Z][a-z]+, \d\d:\d\d$")] * 3)
    expect(page.locator(".visit header")).to_contain_text(labels.first.inner_text())


def test_numbers_of_a_chart_are_grouped_like_other_numbers(page: Page, rum: LocalRum) -> None:
    """As in the figures above it."""
    now = time.time()
    bodies = [events_body(LONG, [f"E{part}.{n}" for n in range(100)], now) for part in range(11)]
    for event in (event for body in bodies for event in body["RumEvents"]):
        event["timestamp"] = now
    post_bodies(rum, bodies)
    page.goto(rum.url)
    expect(page.locator(".plot .top").first).to_have_text("2,000")


@pytest.mark.parametrize("path", ["/http?url=https://tea.example/api/orders", "/custom?type=add_to_cart"])
def test_rows_of_calls_and_events_show_their_page_on_a_phone(page: Page, shop: LocalRum, path: str) -> None:
    """The name wraps instead of being cut."""
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(shop.url + path)
    expect(page.locator(".samples .what").first).to_be_visible()
    cut = page.locator(".samples .what").evaluate_all("all => all.filter((one) => one.scrollWidth > one.clientWidth)")
    assert cut == []


@pytest.mark.parametrize("width", [390, 1000, 1280])
@pytest.mark.parametrize("view", ["", "pages", "http", "devices"])
def test_columns_of_a_table_keep_the_same_distance_from_both_edges(
    page: Page, shop: LocalRum, view: str, width: int
) -> None:
    """The last column that is shown counts: a phone hides some. No table scrolls."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{shop.url}/{view}")
    expect(page.locator("main table").first).to_be_visible()
    paddings = page.locator("main table tr").evaluate_all("""rows => rows.map((row) => {
        const shown = [...row.cells].filter((cell) => cell.offsetWidth);
        return [getComputedStyle(shown[0]).paddingLeft, getComputedStyle(shown.at(-1)).paddingRight];
    })""")
    assert {padding for pair in paddings for padding in pair} == {"16px"}
    assert page.locator(".table").evaluate_all("all => all.filter((one) => one.scrollWidth > one.clientWidth)") == []


def test_chart_has_round_labels_and_a_drag_chooses_a_range(page: Page, shop: LocalRum) -> None:
    """The range is in the URL; a click chooses one step."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(shop.url)
    plot = page.locator(".plot").first
    plot.scroll_into_view_if_needed()
    top, middle = (int(plot.locator(name).inner_text()) for name in (".top", ".middle"))
    assert top == 2 * middle
    assert str(top).rstrip("0") in {"1", "2", "4", "6", "8"}
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 50)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    chosen = re.search(r"from=(\d+)&to=(\d+)", page.url)
    assert chosen is not None
    assert int(chosen[2]) - int(chosen[1]) > 300


def test_times_are_in_a_named_zone_and_ranges_can_be_absolute(browser: Browser, shop: LocalRum) -> None:
    """The range stays the same in another zone, and the choice of the zone is kept."""
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.goto(f"{shop.url}/?from=1790000000&to=1790003600")
    since, until = page.get_by_label("From, Asia/Tokyo, GMT+09:00"), page.get_by_label("to, Asia/Tokyo, GMT+09:00")
    expect(since).to_have_value("2026-09-21T23:13:20")
    expect(page.locator("footer")).to_contain_text("Times are in Asia/Tokyo, GMT+09:00")
    page.get_by_role("button", name="change the time zone").click()
    expect(page.get_by_label("From, UTC")).to_have_value("2026-09-21T14:13:20")
    page.get_by_label("to, UTC").fill("2026-09-21T14:13:21")
    page.get_by_label("to, UTC").blur()
    expect(page).to_have_url(re.compile("from=1790000000&to=1790000001"))
    page.reload()
    expect(page.locator("footer")).to_contain_text("Times are in UTC")
    page.get_by_label("Time", exact=True).select_option("Last hour")
    expect(until).to_have_count(0)
    expect(page.locator(".figures strong").first).not_to_have_text("0")
    page.get_by_label("Time", exact=True).select_option("Absolute")
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+$"))
    context.close()


def test_session_shows_its_strip_labels_of_time_and_each_duration_once(page: Page, shop: LocalRum) -> None:
    """Lists whose rows are links have headings that sort."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{shop.url}/sessions")
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page).to_have_url(re.compile("sort=events"))
    counts = page.locator(".sessions li .n").evaluate_all("cells => cells.map((cell) => parseInt(cell.textContent))")
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) > 1
    page.locator(".sessions li a").first.click()
    expect(page.get_by_role("img", name="The whole session")).to_be_visible()
    ruler = page.locator(".ruler").first.locator("i")
    assert ruler.first.inner_text() == "0"
    assert re.fullmatch(r"[\d.]+ m?s", ruler.nth(2).inner_text())
    load = page.locator(".event.k-load").first
    expect(load.locator(".took-text")).to_have_text(re.compile(r"[\d.]+ m?s"))
    expect(load.locator(".what")).not_to_have_text(re.compile(r"\d"))
