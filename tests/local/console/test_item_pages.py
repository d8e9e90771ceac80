"""The pages of one item, and what is done with data: copies, recordings, clearing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from otel_rum_exporter.local import LocalRum
from tests.local.console.chromium import needs_chromium
from tests.local.console.test_navigation import LONG, events_body
from tests.local.http_client import post_bodies
from tests.local.web_sessions import TRACE, V1, faulty_bodies, traced_body

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Return the page that all tests of the module use; page errors fail the test that causes them."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def test_custom_events_have_a_view_with_names_and_attributes(page: Page, shop: LocalRum) -> None:
    """An attribute's value links to the events that have it, and an event to its session."""
    page.goto(f"{shop.url}/custom")
    row = page.locator("tr[data-row=checkout]")
    expect(row).to_contain_text("640 ms")
    page.get_by_role("link", name="add_to_cart").click()
    expect(page.locator("h1")).to_have_text("add_to_cart")
    page.get_by_role("link", name="member", exact=True).click()
    expect(page).to_have_url(re.compile("q=tier%3Dmember"))
    expect(page.locator("tbody tr")).to_have_count(1)
    page.go_back()
    page.go_back()
    row.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("checkout")
    expect(page.locator(".tag-list")).to_have_count(0)  # of one event
    page.locator(".samples a").first.click()
    expect(page.locator("button[aria-expanded=true]")).to_contain_text("checkout")


@pytest.mark.parametrize("path", ["/http?url=https://tea.example/none", "/custom?type=none"])
def test_link_to_a_url_or_type_that_is_not_stored_says_so(page: Page, shop: LocalRum, path: str) -> None:
    """A list of other items would hide that this one is missing; filters that exclude all of it can be cleared."""
    page.goto(f"{shop.url}{path}&browser=Firefox")
    expect(page.locator("h1")).to_contain_text("none")
    page.get_by_role("link", name="Clear them").click()
    expect(page.locator("main")).to_contain_text("This item is not stored")
    expect(page.locator("main table")).to_have_count(0)
    page.locator(".up a").click()
    expect(page.locator("main table")).to_be_visible()


def test_trace_is_a_waterfall_that_its_events_link_to(page: Page, shop: LocalRum) -> None:
    """A step opens its event."""
    page.goto(f"{shop.url}/custom?type=checkout")
    page.locator(".samples a").first.click()
    page.locator(".detail").get_by_role("link", name="Trace").click()
    expect(page).to_have_url(f"{shop.url}/traces/{TRACE}")
    expect(page.locator(".step b")).to_have_text(["tea.example", "api.tea.example", "order"])
    boxes = [box for bar in page.locator(".step .took").all() if (box := bar.bounding_box())]
    assert [box["x"] for box in boxes] == sorted(box["x"] for box in boxes)
    assert boxes[0]["width"] > boxes[1]["width"] > boxes[2]["width"]
    page.locator(".step a").last.click()
    expect(page.locator("button[aria-expanded=true]")).to_contain_text("checkout")


def test_page_has_a_view_with_the_pages_before_and_after_it(page: Page, shop: LocalRum) -> None:
    """Its links lead to other pages, and to the filtered lists."""
    page.goto(f"{shop.url}/pages")
    page.get_by_role("link", name="/cart", exact=True).click()
    expect(page.locator("h1")).to_have_text("/cart")
    expect(page.get_by_role("region", name="Activity")).to_contain_text("Failed requests")
    page.get_by_role("region", name="After this page").get_by_role("link", name="/checkout").click()
    expect(page.locator("h1")).to_have_text("/checkout")
    expect(page).to_have_url(re.compile("/pages/%2Fcheckout$"))
    page.get_by_role("link", name=re.compile("^Errors ")).click()
    expect(page).to_have_url(re.compile(r"/errors\?page=%2Fcheckout"))


def test_user_has_a_view_of_all_sessions(page: Page, rum: LocalRum) -> None:
    """A session links to it."""
    other = LONG.replace("00000001", "00000002")
    first, second = events_body(LONG, ["E"], time.time()), events_body(other, ["F"], time.time() - 60)
    second["UserDetails"]["userId"] = LONG
    post_bodies(rum, [first, second])
    page.goto(f"{rum.url}/sessions/{other}")
    page.get_by_role("link", name=LONG).click()
    expect(page.locator("h1")).to_contain_text("User")
    expect(page.locator(".sessions li")).to_have_count(2)


def test_error_folds_frames_of_libraries_and_shows_its_distribution(page: Page, shop: LocalRum) -> None:
    """A value links to the errors that have it; the folded frames can be read."""
    page.goto(f"{shop.url}/errors?q=price%20-undefined")
    page.locator(".errors a").click()
    stack = page.get_by_role("region", name="Stack trace", exact=True)
    expect(stack).to_contain_text("at pay")
    expect(stack.get_by_text("at run")).to_be_hidden()
    stack.get_by_text("1 frame of libraries").click()
    expect(stack.get_by_text("at run")).to_be_visible()
    expect(page.locator(".tag-list")).to_have_count(0)  # of one occurrence
    page.goto(f"{shop.url}/errors?q=CouponExpiredError")
    page.locator(".errors a").click()
    page.locator(".tag-list").get_by_role("link", name="/checkout").click()
    expect(page).to_have_url(re.compile("q=pageId%3D%2Fcheckout"))


def test_browsers_and_devices_link_to_the_overview_of_a_value(page: Page, shop: LocalRum) -> None:
    """The numbers are those of the sessions."""
    page.goto(f"{shop.url}/devices")
    row = page.get_by_role("region", name="Browsers").locator("tr[data-row='browser Firefox']")
    sessions = row.locator(".n").inner_text()
    row.get_by_role("link").click()
    expect(page.locator(".figures strong").first).to_have_text(sessions)


def copied(page: Page, label: str) -> str:
    """Press a copy button of the open event; return the text."""
    page.evaluate("navigator.clipboard.writeText('')")
    page.locator(".detail").get_by_role("button", name=label).click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    text = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    return text


def test_event_is_copied_as_curl_and_as_a_pytest_test_that_work(page: Page, rum: LocalRum) -> None:
    """With texts that a shell or Python would interpret."""
    body = events_body(LONG, ["E"], time.time())
    body["RumEvents"][0]["details"] = json.dumps(V1 | {"type": "It's $HOME", "message": 'a\n`b` "c" \\ END \u00e9 {x}'})
    post_bodies(rum, [body])
    page.goto(f"{rum.url}/sessions/{LONG}?event={body['RumEvents'][0]['id']}")
    test, command = copied(page, "Copy as pytest assertion"), copied(page, "Copy as curl")
    assert test.count("assert ") == 3
    module: dict[str, Any] = {}
    exec(test, module)
    module["test_js_error_event_is_sent"](rum)
    (sent,) = rum.events
    wrong = events_body(LONG, ["Other"], time.time())
    post_bodies(rum, [wrong])
    with pytest.raises(AssertionError):
        module["test_js_error_event_is_sent"](rum)
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=30)
    assert (rum.events[-1].details, rum.events[-1].session_id) == (sent.details, sent.session_id)


def test_recording_is_saved_cleared_and_loaded(page: Page, rum: LocalRum, tmp_path: Path) -> None:
    """The loaded requests are accepted and refused as before; a file of another kind is refused."""
    post_bodies(rum, [traced_body(time.time()), *faulty_bodies(time.time())])
    before = ([one.id for one in rum.events], len(rum.refused), len(rum.dropped))
    page.goto(rum.url)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save recording").click()
    file = tmp_path / "recording.jsonl"
    download.value.save_as(file)
    page.get_by_role("button", name="Clear all data").click()
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator("h1")).to_have_text("Waiting for the first event")
    assert not rum.events
    page.get_by_label("Recording").set_input_files(file)
    expect(page.locator(".recording [role=status]")).to_have_text("3 requests loaded, 1 refused again.")
    assert [one.id for one in rum.events] == before[0]
    assert (len(rum.refused), len(rum.dropped)) == before[1:]
    file.write_text('{"path": "/api/console/clear", "body": {}}\n', encoding="utf-8")
    page.get_by_label("Recording").set_input_files(file)
    expect(page.locator(".recording [role=status]")).to_contain_text("Line 1 of recording.jsonl is no request")
    assert len(rum.events) == len(before[0])


def test_every_view_works_with_one_event_of_any_kind(page: Page, rum: LocalRum) -> None:
    """Nothing else is stored."""
    body = events_body(LONG, ["E"], time.time())
    body["RumEvents"][0] |= {"type": "work", "details": json.dumps({"traceId": TRACE}), "metadata": json.dumps({})}
    body["SessionMetadata"] = json.dumps(V1 | {"domain": "tea.example"})
    post_bodies(rum, [body])
    empty = {"/errors": "js_error_event", "/http": "http_event"}
    items = (f"/sessions/{LONG}", f"/users/{LONG}", f"/traces/{TRACE}", "/custom?type=work")
    for path in ("/", "/sessions", "/pages", "/errors", "/http", "/custom", "/devices", "/refused", *items):
        page.goto(rum.url + path)
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("main")).not_to_contain_text(re.compile("NaN|undefined|Infinity|Attributes"))
        expect(page.locator("main")).to_contain_text(empty.get(path, ""))
    page.keyboard.press("6")
    expect(page.locator("h1")).to_contain_text("Custom events")
