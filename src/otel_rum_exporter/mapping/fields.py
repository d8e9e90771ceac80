"""The fields of RUM's own events: what each holds, and what tells it.

One table a family, for three readers: the family, where attributes alone tell a field; the check of details that an
application tells itself; the documentation. RUM's schemas are closed: for one field too many, missing or of another
kind it drops the whole event without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .record_view import number, text

VERSION = "1.0.0"
"""Of the schemas of all built-in events but one (`dom_event`)."""


class Holds(Enum):
    """What a field holds, in the words of an error."""

    TEXT = "text"
    NUMBER = "a number"
    WHOLE = "a whole number"
    TRUTH = "true or false"
    OBJECT = "an object"
    OBJECTS = "a list of objects"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event's details.

    `told_by` are the attributes that tell it, first present first; `note` says the rest. One with neither is told by no
    telemetry, but an application may tell it. `choices` are its only values
    where there are some, `chars` is its only length. `members` are an object's, or those of each object of a list;
    where it has none, anything goes.
    """

    name: str
    told_by: tuple[str, ...] = ()
    note: str = ""
    holds: Holds = Holds.TEXT
    is_required: bool = False
    choices: frozenset[str] = frozenset()
    chars: int | None = None
    members: tuple[Field, ...] = ()

    @property
    def is_told(self) -> bool:
        """Whether telemetry tells it."""
        return bool(self.told_by or self.note)

    def value(self, attributes: Mapping[str, Any]) -> str | float | None:
        """Return what attributes tell of a field that holds text or a number; None where they tell nothing of use."""
        if self.holds is Holds.NUMBER:
            return number(attributes, *self.told_by)
        found = text(attributes, *self.told_by)
        return None if self.choices and found not in self.choices else found


VERSION_FIELD = Field("version", note=f"`{VERSION}`", is_required=True, choices=frozenset({VERSION}))


def told(fields: Iterable[Field], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that attributes tell."""
    values = ((field.name, field.value(attributes)) for field in fields if field.told_by)
    return {name: value for name, value in values if value is not None}


def is_whole(fields: Iterable[Field], found: Mapping[str, Any]) -> bool:
    """Say whether no required field is missing."""
    return all(field.name in found for field in fields if field.is_required)


def fault(fields: Sequence[Field], details: Mapping[str, Any], path: str = "") -> str | None:
    """Return why RUM would drop an event with these details, which are JSON; None where it takes them."""
    unknown = details.keys() - {field.name for field in fields}
    if unknown:
        return f"RUM knows no field {path + min(unknown)!r} there"
    for field in fields:
        here = path + field.name
        if field.name not in details:
            if field.is_required:
                return f"{here!r} is missing"
            continue
        found = _fault_of_value(field, details[field.name], here)
        if found:
            return found
    return None


def _fault_of_value(field: Field, value: object, here: str) -> str | None:
    if not _is_of_kind(field.holds, value):
        return f"{here!r} is {value!r:.60}, not {field.holds.value}"
    if field.choices and value not in field.choices:
        return f"{here!r} is {value!r:.60}, not one of {', '.join(sorted(field.choices))}"
    if field.chars is not None and len(str(value)) != field.chars:
        return f"{here!r} is {value!r:.60}, which has not {field.chars} characters"
    objects = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    faults = (fault(field.members, one, f"{here}.") for one in objects if field.members)
    return next((found for found in faults if found), None)


def _is_of_kind(kind: Holds, value: object) -> bool:
    match kind:
        case Holds.TEXT:
            return isinstance(value, str)
        case Holds.TRUTH:
            return isinstance(value, bool)
        case Holds.NUMBER:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case Holds.WHOLE:
            return isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()
        case Holds.OBJECT:
            return isinstance(value, dict)
        case Holds.OBJECTS:
            return isinstance(value, list) and all(isinstance(one, dict) for one in value)
