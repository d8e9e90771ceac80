"""Filters in the URL of the console."""

from typing import Any

import pytest

from otel_rum_exporter.local import Event
from otel_rum_exporter.local.console.index import Index
from otel_rum_exporter.local.console.scope import RANGES
from otel_rum_exporter.local.console.selection import Selection
from tests.local.console.records import MONITOR, NOW, error, event, page_view, request, scope


def selected(events: list[Event], **query: Any) -> list[Event]:
    """Return the events that a view of an index shows."""
    selection = Selection(Index(events), scope(**query))
    return [fact.event for name in selection.type_counts for fact in selection.of_type(name)]


@pytest.mark.parametrize("name", RANGES)
def test_range_ends_now(name: str) -> None:
    """A range of 15 minutes begins 15 minutes ago."""
    one = scope(range=name)
    assert (one.since, one.until) == (one.now - RANGES[name], None)


def test_time_range_includes_from_and_excludes_to() -> None:
    """A step of the chart is such a range."""
    events = [event("a", at=at) for at in (0, 1, 2)]
    assert selected(events, from_=int(NOW) + 1, to=int(NOW) + 2) == [events[1]]


@pytest.mark.parametrize("query", [{"from": "x"}, {"from": "-1"}, {"to": "9" * 40}, {"range": "2y"}, {"from": "²"}])
def test_invalid_parameters_are_ignored(query: dict[str, str]) -> None:
    """An invalid URL still shows data."""
    assert (scope(**query).since, scope(**query).until) == (None, None)
    assert scope(offset="-5").number("offset", 0, 10) == 0


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"page": "/cart"}, True),
        ({"page": "/"}, False),
        ({"browser": "Firefox", "country": "DE"}, True),
        ({"browser": "Firefox", "country": "FR"}, False),
        ({"monitor": MONITOR}, True),
        ({"os": "Linux"}, False),
        ({"nonsense": "x"}, True),
    ],
)
def test_all_given_dimensions_must_match(query: dict[str, str], *, fits: bool) -> None:
    """Values are compared for equality."""
    metadata = {"pageId": "/cart", "browserName": "Firefox", "countryCode": "DE"}
    assert scope(**query).fits(event("a", metadata=metadata)) is fits


@pytest.mark.parametrize(
    ("words", "fits"), [("COUPON", True), ("coupon expired", True), ("coupon s-1", True), ("coupon teapot", False)]
)
def test_all_search_words_must_match_ignoring_case(words: str, *, fits: bool) -> None:
    """Ids, type, page and details are searched."""
    assert scope(q=words).fits(error("Coupon has expired", session_id="s-1")) is fits


@pytest.mark.parametrize(
    ("search", "found"),
    [("browser=Firefox", "a"), ("browserName=firefox,chrome", "ab"), ("tier=gold", "a"), ("tier=gol", ""),
     ("cart.size=3", "a"), ("traced=true", "b"), ("-browser=firefox", "bc"), ("not browser=firefox", "bc"),
     ("order -timed", "b"), ('"timed out"', "a"), ('-"timed out"', "bc"), ('message="order 1 timed out"', "a"),
     ("type=checkout", "c"), ("user", ""), ("page=/cart,/", "abc"), ("page=/cart -browser=chrome,firefox", "c"),
     ("not", "abc"), ("-", "abc"), ('"', "abc"), ("=", ""), ("kind=card", "c"), ("payment=card", "c"),
     ("otel.status_code=error", "c"), ("status_code=error", ""), ("tier=gold,silver", "a"), ("not tier=gold", "bc"),
     ("payment=card,cash", "c"), ("not payment=card", "ab")],
)  # fmt: skip
def test_search_has_fields_several_values_and_negation(search: str, found: str) -> None:
    """Fields of metadata and details, custom attributes included; a field's value is compared as a whole."""
    firefox = {"pageId": "/cart", "browserName": "Firefox", "tier": "gold", "cart.size": 3}
    events = [
        error("order 1 timed out", id="a", metadata=firefox),
        error("order 2 refused", id="b", metadata={"pageId": "/", "browserName": "Chrome", "traced": True}),
        event(
            "checkout",
            {"attributes": {"payment": "card", "kind": "card"}, "otel": {"status_code": "ERROR"}},
            id="c",
            metadata={"pageId": "/cart"},
        ),
    ]
    assert "".join(one.id for one in selected(events, q=search)) == found
    assert [one.id for one in events if scope(q=search).fits(one)] == list(found)


def test_search_finds_words_in_nested_details() -> None:
    """A URL is nested in the details."""
    assert scope(q="api/orders").fits(request("https://tea.example/api/orders", 500))


def test_choices_list_values_by_frequency() -> None:
    """Missing values are not listed."""
    events = [page_view("/"), page_view("/cart"), page_view("/cart"), event("a")]
    assert Index(events).choices()["page"] == [["/cart", 2], ["/", 1]]
    assert Index(events).choices()["browser"] == []
