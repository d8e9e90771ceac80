"""Clicks and other interactions."""

from typing import Any

import pytest

from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of, mapped
from tests.spans import START_NS, make_span

CLICKS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "browser.user_action.click",
        {
            "browser.page.x": 12,
            "browser.page.y": 410,
            "browser.tag_name": "BUTTON",
            "browser.element.attributes": {"id": "buy", "sku": "4711"},
            "browser.mouse_event.button": "left",
            "browser.css_selector": "#cart > button",
        },
        {"element": "BUTTON", "elementId": "buy", "cssLocator": "#cart > button"},
    ),
    (
        "app.widget.click",
        {"app.widget.id": "f9bc787d", "app.widget.name": "Pay", "app.screen.coordinate.x": 8, "app.screen.id": "s1"},
        {"element": "Pay", "elementId": "f9bc787d", "interactionId": "s1"},
    ),
    ("app.screen.click", {"app.screen.coordinate.x": 8, "app.screen.coordinate.y": 9}, {"element": "screen"}),
]


@pytest.mark.parametrize("url", [{"url.full": "https://shop.example/"}, {"http.url": "https://shop.example/"}])
def test_an_interaction_is_a_dom_event(url: dict[str, str]) -> None:
    """The span of `instrumentation-user-interaction`, in old and stable conventions."""
    attributes = {"event_type": "click", "target_element": "BUTTON", "target_xpath": '//*[@id="buy"]', **url}
    span = make_span("click", attributes)
    (draft,) = drafts_of(span)
    assert (draft[0], draft[1]) == ("com.amazon.rum.dom_event", START_NS)
    assert draft[2] == {
        "version": "1.1.0",
        "event": "click",
        "element": "BUTTON",
        "cssLocator": '//*[@id="buy"]',
        "interactionId": f"{span.context.span_id:016x}",
    }


@pytest.mark.parametrize(("name", "attributes", "expected"), CLICKS)
def test_a_click_log_record_is_a_dom_event(name: str, attributes: dict[str, Any], expected: dict[str, Any]) -> None:
    """For browsers, widgets and screens."""
    assert mapped(make_log(name, attributes)) == [("dom_event", {"version": "1.1.0", "event": "click", **expected})]


@pytest.mark.parametrize(
    ("name", "before", "page"),
    [
        ("Navigation: /planet/3?tab=a", "http://shop.example/", "/planet/*"),
        ("Navigation: /cart#pay", "http://shop.example/a/b", "/cart"),
        ("Navigation: /#/orders/42", "http://shop.example/#/", "/orders/*"),
        ("Navigation: /cart", "http://[", "/cart"),
        ("Navigation: /cart", None, "/cart"),
    ],
)
def test_an_interaction_that_changed_the_route_shows_a_page(name: str, before: str | None, page: str) -> None:
    """OTel's instrumentation renames the span; its URL is the page before."""
    attributes = {"event_type": "click", "target_element": "A"} | ({"http.url": before} if before else {})
    (click, _), (shown, details) = mapped(make_span(name, attributes))
    assert (click, shown, details["pageId"]) == ("dom_event", "page_view_event", page)
    assert "tab" not in str(details)


def test_a_span_of_another_kind_with_the_name_of_a_navigation_shows_no_page() -> None:
    """Only an interaction has the attributes of one."""
    assert [kind for kind, _ in mapped(make_span("Navigation: /cart"))] != ["page_view_event"]
