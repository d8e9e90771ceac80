"""Decisions about attribute names are made once for all records that have the same ones."""

from __future__ import annotations

import pytest

from otel_rum_exporter.mapping import attribute_keys as module
from otel_rum_exporter.mapping.attribute_keys import MAX_NAME_CHARS, MAX_NAMES, keys_of


def test_records_with_the_same_names_share_one_set() -> None:
    """Although records with others come between them."""
    first = keys_of({"a": 1, "b": 2})
    assert first.names == ("a", "b")
    assert keys_of({"b": 1}) is not first
    assert keys_of({"a": 3, "b": 4}) is first
    assert first.is_kept


def test_clients_cannot_make_it_keep_any_number_of_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """They choose the names."""
    monkeypatch.setattr(module, "MAX_KEY_SETS", 10)
    monkeypatch.setattr(module, "key_sets", module._KeySets())
    for number in range(100):
        keys_of({f"name {number}": 1})
    assert len(module.key_sets) <= 10


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ({7: 1, "a": 2}, ("a",)),
        (dict.fromkeys(map(str, range(MAX_NAMES + 1))), tuple(map(str, range(MAX_NAMES)))),
        (dict.fromkeys(["x" * 5000, "y" * (MAX_NAME_CHARS + 1), "z" * MAX_NAME_CHARS]), ("z" * MAX_NAME_CHARS,)),
    ],
    ids=["no text", "many", "long"],
)
def test_a_set_that_is_too_large_has_its_first_short_names_and_is_not_kept(
    attributes: dict[object, object], names: tuple[str, ...]
) -> None:
    """No name that the mapping uses is missed in an ordinary record."""
    keys = keys_of(attributes)
    assert keys.names == names
    assert not keys.is_kept


def test_an_answer_about_names_is_computed_once() -> None:
    """For each function of a set, and for each set of wanted names."""
    calls: list[tuple[str, ...]] = []
    keys = keys_of({"computed": 1, "once": 2})
    assert [keys.cached(calls.append), keys.cached(calls.append)] == [None, None]
    assert calls == [("computed", "once")]
    assert [keys.has(frozenset(names)) for names in (["once", "x"], ["x"], ["once", "x"])] == [True, False, True]
