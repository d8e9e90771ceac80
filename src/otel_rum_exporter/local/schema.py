"""The closed JSON schemas of RUM's event types and of metadata, and messages for violations.

The schemas are the files in `schemas/`, one per event type without its `com.amazon.rum.` prefix.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from .json_text import quote

METADATA = "metadata"

_FOLDER = files(__package__) / "schemas"

EVENT_TYPES = frozenset(
    file.name.removesuffix(".json") for file in _FOLDER.iterdir() if file.name.endswith("_event.json")
)


def load(name: str) -> dict[str, Any]:
    """Load a schema by name: an event type without its prefix, or `METADATA`."""
    schema: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema


METADATA_MEMBERS = frozenset(load(METADATA)["properties"])


def violation(name: str, value: object, at: str) -> str | None:
    """Return a message for the first violation of the schema in `value`, None when valid; `at` is its path."""
    error = next(_validator(name).iter_errors(value), None)
    return None if error is None else _describe(error, name, at)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(load(name))


def _describe(error: ValidationError, name: str, at: str) -> str:
    path = at + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    rule: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "required":
            missing = next(member for member in rule if member not in value)
            return f"{path}.{missing} is required"
        case "additionalProperties":
            unknown = next(member for member in value if member not in schema["properties"])
            return f"{path} has the unknown member {quote(unknown)}: the schema of {name} is closed"
        case "type":
            must = f"be of type {rule if isinstance(rule, str) else ' or '.join(rule)}"
        case "minLength" | "maxLength":
            must = f"have at {'least' if error.validator == 'minLength' else 'most'} {rule} characters"
        case _:
            must = f"be {'one of ' if error.validator == 'enum' else ''}{quote(rule)}"
    return f"{path} must {must}, is {quote(value)}"
