"""Fields of built-in events: which values RUM accepts, and which attributes set them."""

from __future__ import annotations

from typing import Any

import pytest

from otel_rum_exporter.mapping.fields import Field, Holds, is_complete, problem, values_from

VALUES: tuple[Any, ...] = ("x", True, 1, 2.0, 2.5, {}, {"a": 1}, [], [{}], [1], None)
ACCEPTED: dict[Holds, list[Any]] = {
    Holds.TEXT: ["x"],
    Holds.BOOLEAN: [True],
    Holds.NUMBER: [1, 2.0, 2.5],
    Holds.INTEGER: [1, 2.0],
    Holds.OBJECT: [{}, {"a": 1}],
    Holds.OBJECTS: [[], [{}]],
}


@pytest.mark.parametrize("kind", Holds)
def test_a_field_accepts_values_of_its_type_alone(kind: Holds) -> None:
    """As JSON Schema does: a boolean is no number, and 2.0 is an integer."""
    found = [value for value in VALUES if problem([Field("f", holds=kind)], {"f": value}) is None]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in ACCEPTED[kind]]
    assert problem([Field("f", holds=kind)], {"f": None}) == f"'f' is None, not {kind.value}"


def test_a_problem_names_the_field_by_its_path() -> None:
    """Also in objects, and in lists of them."""
    inner = (Field("code", holds=Holds.NUMBER, is_required=True), Field("id", chars=3))
    fields = [
        Field("kind", choices=frozenset({"a", "b"})),
        Field("one", holds=Holds.OBJECT, members=inner),
        Field("many", holds=Holds.OBJECTS, members=inner),
        Field("any", holds=Holds.OBJECT),
    ]
    whole = {"kind": "b", "one": {"code": 1}, "many": [{"code": 1, "id": "abc"}], "any": {"x": 1}}
    assert problem(fields, whole) is None
    assert problem(fields, {}) is None
    changes: list[dict[str, Any]] = [
        {"other": 1},
        {"kind": "c"},
        {"one": {}},
        {"many": [{"code": 1}, {"code": 1, "id": "abcd"}]},
        {"many": [{"code": 1, "x": 1}]},
    ]
    found = [problem(fields, {**whole, **change}) for change in changes]
    assert found == [
        "RUM has no field 'other'",
        "'kind' is 'c', not one of a, b",
        "'one.code' is missing",
        "'many.id' is 'abcd', which does not have 3 characters",
        "RUM has no field 'many.x'",
    ]


def test_attributes_set_the_fields_that_they_have_valid_values_for() -> None:
    """The first attribute of a field counts. A field without one may still be required."""
    fields = [
        Field("size", ("new", "old"), holds=Holds.NUMBER),
        Field("state", ("state",), choices=frozenset({"done"})),
        Field("name", ("name",), is_required=True),
        Field("noted", note="of the span"),
    ]
    assert values_from(fields, {"new": "no", "old": 7, "state": "lost", "name": "n", "noted": "x"}) == {
        "size": 7,
        "name": "n",
    }
    assert values_from(fields, {"new": 1, "old": 7, "state": "done"}) == {"size": 1, "state": "done"}
    assert [is_complete(fields, {name: 1}) for name in ("size", "name")] == [False, True]
    assert [field.has_source for field in (*fields, Field("details alone"))] == [True] * 4 + [False]
