"""Attribute values to JSON: every value has a form, and OpenTelemetry's rules apply to those without one."""

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.mapping.attribute_values import MAX_DEPTH, json_object, json_value, size_bytes

ANY_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=50)
    | st.text(st.characters(codec=None), max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (b"\x00\xff", "AP8="),
        (2**53 - 1, 2**53 - 1),
        (2**53, str(2**53)),
        (1 - 2**53, 1 - 2**53),
        (-(2**53), str(-(2**53))),
        ("a\ud800b", "a?b"),
        ((1, None, "x"), [1, None, "x"]),
        ({"a": {"b": b"!"}, "none": None}, {"a": {"b": "IQ=="}}),
        (True, True),
        (None, None),
    ],
)
def test_values_without_a_json_form_follow_opentelemetrys_rules(value: object, expected: object) -> None:
    """NaN, bytes, huge integers and lone surrogates each have a documented form."""
    assert expected == json_value(value)


def test_an_integer_too_long_for_decimal_digits_becomes_hexadecimal() -> None:
    """Python raises for integers with thousands of decimal digits."""
    assert json_value(1 << 20_000) == "0x1" + "0" * 5000


def test_a_value_whose_text_raises_becomes_the_name_of_its_type() -> None:
    """No object can stop an export."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

    assert json_value(Hostile()) == "<Hostile>"


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}], ids=["lists", "maps"])
def test_deep_nesting_ends_in_text(wrap: Callable[[Any], Any]) -> None:
    """JSON has a bounded depth, whatever the depth of the value."""
    value: Any = "end"
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert json_value(value) == value
    for _ in range(200):
        value = wrap(value)
    found: Any = json_value(value)
    for _ in range(MAX_DEPTH):
        assert not isinstance(found, str)
        found = found[0] if isinstance(found, list) else found["a"]
    assert isinstance(found, str)


@given(st.dictionaries(st.text(st.characters(codec=None), max_size=8), ANY_VALUES, max_size=6))
def test_every_attribute_map_becomes_strict_json(attributes: dict[str, Any]) -> None:
    """Two independent encoders accept every value that an application can set, with NaN forbidden."""
    found = json_object(attributes)
    assert json.loads(json.dumps(found, allow_nan=False)) == orjson.loads(orjson.dumps(found))


@pytest.mark.parametrize(
    "value", ["x" * 10_000, b"x" * 10_000, {"x" * 10_000: 1}, [["x" * 5000], {"k": ("x" * 5000,)}]]
)
def test_the_size_of_a_value_includes_nested_values(value: object) -> None:
    """Keys, values and items count."""
    assert 10_000 < size_bytes(value) < 11_000


def test_the_size_of_many_small_values_is_not_small() -> None:
    """Empty values take memory too, at any depth."""
    value: list[Any] = [None] * 1_000
    for _ in range(10_000):
        value = [value]
    assert 500_000 < size_bytes(value) < 1_000_000


@given(ANY_VALUES)
def test_every_value_has_a_size(value: object) -> None:
    """The estimate accepts every value that an application can set."""
    assert size_bytes(value) > 0
