"""The closed schemas: event types, and equality with the schemas that AWS publishes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from otel_rum_exporter.local import schema

AWS_FOLDER = os.environ.get("RUM_EVENT_SCHEMAS")
NOT_MEANT = {"$id", "$schema", "title", "description"}
NAMES = sorted({*schema.EVENT_TYPES, schema.METADATA})


def _normalised(node: Any, *, names: bool = False) -> Any:
    """Keep the validating keywords only; in a table of names, `title` is a name and stays."""
    if isinstance(node, list):
        return [_normalised(item) for item in node]
    if not isinstance(node, dict):
        return node.replace("#/definitions/", "#/$defs/") if isinstance(node, str) else node
    if names:
        return {name: _normalised(value) for name, value in node.items()}
    found = {}
    for keyword, value in node.items():
        if keyword in NOT_MEANT or (keyword == "value" and isinstance(value, str)):
            continue
        name = "$defs" if keyword == "definitions" else keyword
        table = name in {"properties", "patternProperties", "$defs"}
        found[name] = sorted(value) if name == "required" else _normalised(value, names=table)
    return found


def _aws_schemas() -> dict[str, Any]:
    schemas = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(AWS_FOLDER or "").glob("*.json"))]
    names = {"meta_data": schema.METADATA}
    short = [one["$id"].rpartition(".")[2] for one in schemas]
    return {names.get(name, name): _normalised(one) for name, one in zip(short, schemas, strict=True)}


@pytest.mark.skipif(
    AWS_FOLDER is None,
    reason="set RUM_EVENT_SCHEMAS to a checkout of aws-rum-web's packages/core/src/event-schemas",
)
def test_schemas_equal_those_of_aws() -> None:
    """Members, types, constants and limits of each type are equal, and no type is missing."""
    assert _aws_schemas() == {name: _normalised(schema.load(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_valid_and_closed(name: str) -> None:
    """An open schema would accept members that RUM refuses."""
    loaded = schema.load(name)
    Draft202012Validator.check_schema(loaded)
    assert loaded["additionalProperties"] is False


def test_event_types_are_those_of_the_web_client() -> None:
    """One schema for each type in AWS's web client."""
    assert len(schema.EVENT_TYPES) == 17
    assert {"http_event", "xray_trace_event", "rrweb_event", "page_close_event"} <= schema.EVENT_TYPES


def test_violation_in_a_nested_subsegment_is_found() -> None:
    """The message has its path."""
    inner = {"id": "2", "name": "b", "start_time": 1, "color": "red"}
    outer = {"id": "1", "name": "a", "start_time": 1, "subsegments": [inner]}
    trace = {"name": "t", "id": "0", "trace_id": "1-0-0", "start_time": 1, "subsegments": [outer]}
    assert schema.violation("xray_trace_event", trace, "details") == (
        'details.subsegments[0].subsegments[0] has the unknown member "color": the schema of xray_trace_event is closed'
    )


def test_deepest_accepted_value_can_be_validated() -> None:
    """The depth limit leaves room for the validator's recursion."""
    trace = {"id": "1", "name": "a", "start_time": 1}
    for _ in range(31):
        trace = {**trace, "subsegments": [trace]}
    assert schema.violation("xray_trace_event", {**trace, "trace_id": "1-0-0"}, "details") is None
