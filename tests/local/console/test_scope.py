"""Filters, as they stand in the URL."""

import pytest

from otel_rum_exporter.local.console.scope import RANGES, choices
from tests.local.console.records import MONITOR, NOW, error, event, page_view, request, scope


@pytest.mark.parametrize("name", RANGES)
def test_a_range_ends_now(name: str) -> None:
    """It begins as long ago as it says."""
    one = scope(range=name)
    assert (one.since, one.until) == (one.now - RANGES[name], None)


def test_a_part_of_the_chart_is_a_time_span() -> None:
    """From is in it, to is not."""
    events = [event("a", at=at) for at in (0, 1, 2)]
    assert scope(from_=int(NOW) + 1, to=int(NOW) + 2).in_time(events) == [events[1]]


@pytest.mark.parametrize("query", [{"from": "x"}, {"from": "-1"}, {"to": "9" * 40}, {"range": "2y"}, {"from": "²"}])
def test_what_cannot_be_read_filters_nothing(query: dict[str, str]) -> None:
    """A URL that somebody broke still shows something."""
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
def test_dimensions_narrow_by_equality(query: dict[str, str], *, fits: bool) -> None:
    """All that are given must fit."""
    metadata = {"pageId": "/cart", "browserName": "Firefox", "countryCode": "DE"}
    assert scope(**query).fits(event("a", metadata=metadata)) is fits


@pytest.mark.parametrize(
    ("words", "fits"), [("COUPON", True), ("coupon expired", True), ("coupon s-1", True), ("coupon teapot", False)]
)
def test_every_word_must_be_found(words: str, *, fits: bool) -> None:
    """In ids, type, page or details, whatever the case."""
    assert scope(q=words).fits(error("Coupon has expired", session_id="s-1")) is fits


def test_words_are_found_inside_details() -> None:
    """A URL is a member of a member."""
    assert scope(q="api/orders").fits(request("https://tea.example/api/orders", 500))


def test_the_choices_are_what_there_is() -> None:
    """The most frequent first, with the number of their events; what is not told is no choice."""
    events = [page_view("/"), page_view("/cart"), page_view("/cart"), event("a")]
    assert choices(events)["page"] == [["/cart", 2], ["/", 1]]
    assert choices(events)["browser"] == []
