"""The fields of built-in events: the type of each, and its source attributes.

One table per event family has three uses: mapping, where attributes alone set a field; checking details that an
application sets; documentation. RUM's schemas are closed: it silently drops an event with one unknown, missing or
mistyped field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from .record_view import number, text

VERSION = "1.0.0"
"""The schema version of all built-in events except `dom_event`."""


class Holds(Enum):
    """The type of a field, as error messages name it."""

    TEXT = "text"
    NUMBER = "a number"
    INTEGER = "an integer"
    BOOLEAN = "a boolean"
    OBJECT = "an object"
    OBJECTS = "a list of objects"


class Field(NamedTuple):
    """A field of an event's details.

    `sources` are its attributes in order of precedence; `note` describes other sources. A field with neither is set
    only by `rum.event.details`. `choices` are the only accepted values, `chars` the only accepted length. `members` are
    the fields of an object, or of each object in a list; without them any member is accepted.
    """

    name: str
    sources: tuple[str, ...] = ()
    note: str = ""
    holds: Holds = Holds.TEXT
    is_required: bool = False
    choices: frozenset[str] = frozenset()
    chars: int | None = None
    members: tuple[Field, ...] = ()

    @property
    def has_source(self) -> bool:
        """Whether telemetry can set it."""
        return bool(self.sources or self.note)

    def value(self, attributes: Mapping[str, Any]) -> str | float | None:
        """Return the value of a text or number field from attributes; None if they have no valid one."""
        if self.holds is Holds.NUMBER:
            return number(attributes, *self.sources)
        found = text(attributes, *self.sources)
        return None if self.choices and found not in self.choices else found


VERSION_FIELD = Field("version", note=f"`{VERSION}`", is_required=True, choices=frozenset({VERSION}))


def values_from(fields: Iterable[Field], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that attributes set."""
    values = ((field.name, field.value(attributes)) for field in fields if field.sources)
    return {name: value for name, value in values if value is not None}


def is_complete(fields: Iterable[Field], found: Mapping[str, Any]) -> bool:
    """Return whether no required field is missing."""
    return all(field.name in found for field in fields if field.is_required)


def problem(fields: Sequence[Field], details: Mapping[str, Any], path: str = "") -> str | None:
    """Return why RUM would drop an event with these details (JSON values); None if it accepts them."""
    unknown = details.keys() - {field.name for field in fields}
    if unknown:
        return f"RUM has no field {path + min(unknown)!r}"
    for field in fields:
        here = path + field.name
        if field.name not in details:
            if field.is_required:
                return f"{here!r} is missing"
            continue
        found = _problem_of_value(field, details[field.name], here)
        if found:
            return found
    return None


def _problem_of_value(field: Field, value: object, here: str) -> str | None:
    if not _is_of_kind(field.holds, value):
        return f"{here!r} is {value!r:.60}, not {field.holds.value}"
    if field.choices and value not in field.choices:
        return f"{here!r} is {value!r:.60}, not one of {', '.join(sorted(field.choices))}"
    if field.chars is not None and len(str(value)) != field.chars:
        return f"{here!r} is {value!r:.60}, which does not have {field.chars} characters"
    objects = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    problems = (problem(field.members, one, f"{here}.") for one in objects if field.members)
    return next((found for found in problems if found), None)


def _is_of_kind(kind: Holds, value: object) -> bool:
    match kind:
        case Holds.TEXT:
            return isinstance(value, str)
        case Holds.BOOLEAN:
            return isinstance(value, bool)
        case Holds.NUMBER:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case Holds.INTEGER:
            return isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()
        case Holds.OBJECT:
            return isinstance(value, dict)
        case Holds.OBJECTS:
            return isinstance(value, list) and all(isinstance(one, dict) for one in value)
