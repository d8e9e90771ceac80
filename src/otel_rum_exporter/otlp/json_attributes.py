"""Attributes and values of OTLP in JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from . import proto_json
from .model import MAX_VALUE_DEPTH, MalformedError, ignore
from .proto_json import Message, optional

MAX_NAME_CHARS = 60


def attributes_of(
    fields: Message, name: str = "attributes", depth: int = 0, ignored: list[MalformedError] | None = None
) -> dict[str, Any]:
    """Return attributes. With `ignored`, malformed ones are left out and added to it."""
    found: dict[str, Any] = {}
    for index, member in enumerate(optional(ignored, [], proto_json.items, fields, name)):
        if type(member) is dict and depth <= MAX_VALUE_DEPTH:
            # Nearly all values are texts and integers: read here with one call at most.
            key, value = member.get("key"), member.get("value")
            if type(key) is str and type(value) is dict:
                text = value.get("stringValue")
                if type(text) is str:
                    found[key] = text
                    continue
                if len(value) == 1 and (number := proto_json.whole(value.get("intValue"))) is not None:
                    found[key] = number
                    continue
        try:
            key, found_value = _pair(proto_json.message(member), depth)
        except MalformedError as error:
            error = error.within(f"{name}[{index}]")
            if ignored is None:
                raise error from None
            ignore(error, ignored)
        else:
            found[key] = found_value
    return found


def _pair(member: Message, depth: int) -> tuple[str, Any]:
    found = proto_json.submessage(member, "value", partial(any_value, depth=depth))
    if "key" not in member:
        raise MalformedError("key", "is missing")
    return proto_json.text(member, "key"), found


def any_value(value: Message, depth: int = 0) -> Any:
    """Return the value of an AnyValue; None if it is empty or of an unknown kind."""
    if depth > MAX_VALUE_DEPTH:
        raise MalformedError("", f"is nested more than {MAX_VALUE_DEPTH} deep")
    for kind, read in _SCALARS.items():
        if value.get(kind) is not None:
            return read(value, kind)
    member = partial(any_value, depth=depth + 1)
    array = proto_json.submessage(value, "arrayValue", lambda array: proto_json.each(array, "values", member))
    if array is not None:
        return array
    if value and value.keys().isdisjoint(_KINDS):
        raise MalformedError("", f"has {min(map(str, value))[:MAX_NAME_CHARS]!r}, and none of OTLP's kinds of values")
    return proto_json.submessage(value, "kvlistValue", lambda fields: attributes_of(fields, "values", depth + 1))


_SCALARS: dict[str, Callable[[Message, str], Any]] = {
    "stringValue": proto_json.text,
    "boolValue": proto_json.truth,
    "intValue": proto_json.numeric,
    "doubleValue": proto_json.number,
    "bytesValue": proto_json.data,
}

_KINDS = frozenset((*_SCALARS, "arrayValue", "kvlistValue"))
