"""Caches are bounded, and the bound of one name holds for all applications together."""

from __future__ import annotations

import itertools

from otel_rum_exporter.mapping.caches import BoundedDict, Caches, ObjectCache, cache_short_texts


def fill(cache: BoundedDict[int, int], count: int) -> None:
    """Add entries."""
    cache.update(dict.fromkeys(range(count), 0))
    cache.trim()


def test_the_oldest_entries_of_the_largest_application_go_first() -> None:
    """A small one keeps its share."""
    first = Caches()
    large, small = first.bounded("pages", 10), Caches(first).bounded("pages", 10)
    other = first.bounded("traces", 10)
    fill(other, 10)
    fill(small, 3)
    fill(large, 8)
    assert (list(large), list(small), len(other)) == ([1, 2, 3, 4, 5, 6, 7], [0, 1, 2], 10)
    fill(small, 5)
    assert (len(large), len(small)) == (5, 5)
    fill(small, 30)
    assert (len(large), len(small)) == (5, 5)


def test_more_entries_than_the_bound_cost_a_sixteenth_of_it_and_no_small_applications() -> None:
    """So that entries are removed seldom, and many at once; one that was renewed stays."""
    first = Caches()
    large, small = first.bounded("pages", 160), Caches(first).bounded("pages", 160)
    fill(small, 70)
    fill(large, 90)
    assert (len(large), len(small)) == (90, 70)
    large.move_to_end(0)
    fill(large, 91)
    assert (len(large), len(small)) == (80, 70)
    assert list(large)[:2] == [12, 13]
    assert list(large)[-2:] == [0, 90]


def test_the_room_of_an_application_that_is_closed_is_the_others() -> None:
    """Its entries do not count."""
    first = Caches()
    second = Caches(first)
    closed, left = first.bounded("pages", 10), second.bounded("pages", 10)
    fill(closed, 5)
    first.close()
    fill(left, 10)
    assert len(left) == 10


def test_results_by_identity_are_computed_once_until_the_cache_is_full() -> None:
    """Then again, once."""
    numbers = itertools.count(1)
    cache: ObjectCache[object, int] = ObjectCache(lambda _: next(numbers), max_size=2)
    one, two, three = object(), object(), object()
    assert [cache.of(item) for item in (one, two, one, two)] == [1, 2, 1, 2]
    assert [cache.of(item) for item in (three, one, three)] == [3, 4, 3]
    cache.clear()
    assert cache.of(one) == 5


def test_results_for_long_texts_are_not_kept() -> None:
    """Clients choose them."""
    seen: list[str] = []

    @cache_short_texts(max_size=2, max_chars=3)
    def length(text: str) -> int:
        seen.append(text)
        return len(text)

    assert [length(text) for text in ("abc", "abcd", "abc", "abcd")] == [3, 4, 3, 4]
    assert seen == ["abc", "abcd", "abcd"]
    assert [length(text) for text in ("b", "abc", "c", "abc", "c")] == [1, 3, 1, 3, 1]
    assert seen[3:] == ["b", "c", "abc"]
