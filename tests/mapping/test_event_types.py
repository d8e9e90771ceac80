"""The field tables of built-in events equal the schemas of the local RUM, and AWS's if they are available."""

from __future__ import annotations

from typing import Any

import pytest

from otel_rum_exporter.local import schema
from otel_rum_exporter.mapping.event_types import BUILT_IN, PREFIX
from otel_rum_exporter.mapping.fields import Field, Holds
from tests.mapping.event_drafts import AWS_FOLDER, aws_schema

JSON_TYPES = {
    Holds.TEXT: "string",
    Holds.NUMBER: "number",
    Holds.INTEGER: "integer",
    Holds.BOOLEAN: "boolean",
    Holds.OBJECT: "object",
    Holds.OBJECTS: "array",
}


def schema_of(fields: tuple[Field, ...]) -> dict[str, Any]:
    """Return fields as part of a JSON Schema."""
    return {
        "required": sorted(field.name for field in fields if field.is_required),
        "properties": {field.name: _property(field) for field in fields},
    }


def _property(field: Field) -> dict[str, Any]:
    members = [schema_of(field.members)] if field.members else []
    return {
        "type": JSON_TYPES[field.holds],
        "choices": sorted(field.choices),
        "chars": field.chars,
        "members": members,
    }


def essence_of(node: dict[str, Any], root: dict[str, Any], within: str = "") -> dict[str, Any]:
    """Return the part of a JSON Schema that fields can express; recursive references end it."""
    return {
        "required": sorted(node.get("required", ())),
        "properties": {
            name: _essence(_resolved(value, root), root, within) for name, value in node["properties"].items()
        },
    }


def _essence(node: dict[str, Any], root: dict[str, Any], within: str) -> dict[str, Any]:
    inner = _resolved(node.get("items", node), root)
    is_closed = inner.get("additionalProperties") is False and "properties" in inner
    name = inner.get("name", "")
    has_members = is_closed and not (name and name == within)
    return {
        "type": node["type"],
        "choices": sorted(node.get("enum") or ([node["const"]] if "const" in node else [])),
        "chars": node.get("minLength"),
        "members": [essence_of(inner, root, name)] if has_members else [],
    }


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = {**found, "name": node["$ref"].rpartition("/")[2]}
    return node


def test_every_built_in_type_has_fields() -> None:
    """The list is closed: RUM silently drops other types with its prefix."""
    assert {PREFIX + name for name in schema.EVENT_TYPES} == BUILT_IN.keys()


@pytest.mark.parametrize("kind", BUILT_IN)
def test_the_fields_are_those_of_the_schemas(kind: str) -> None:
    """Names, types, choices, lengths and required fields."""
    name = kind.removeprefix(PREFIX)
    ours = schema_of(BUILT_IN[kind].fields)
    theirs = schema.load(name)
    assert ours == essence_of(theirs, theirs)
    if AWS_FOLDER:
        assert ours == essence_of(aws_schema(name), aws_schema(name))
