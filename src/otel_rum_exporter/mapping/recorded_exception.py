"""An exception that a span or log record carries, read once.

Apart from `js_error`, because the record of exceptions that were sent reads the same parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._attributes import EXCEPTION_MESSAGE, EXCEPTION_STACK, EXCEPTION_TYPE
from .attribute_values import json_text
from .stack_trace import raised_of, with_lines


@dataclass(slots=True)
class RecordedException:
    """The parts of an exception, which never change; a part that is missing is empty.

    `own_type` is `exception.type`, and `type` the same, else `error.type`.
    """

    own_type: str
    type: str
    message: str
    stack: str
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> RecordedException:
        """Read an exception. Without a type, it has the type and message in its stack."""
        kind, message = attributes.get(EXCEPTION_TYPE), attributes.get(EXCEPTION_MESSAGE)
        stack = attributes.get(EXCEPTION_STACK)
        # Nearly all texts need no change.
        if not (type(kind) is str and kind.isascii()):
            kind = _text(kind)
        if not (type(message) is str and message.isascii()):
            message = _text(message)
        if not (type(stack) is str and stack.isascii()):
            stack = _text(stack)
        own_type, stack = kind, stack if "\n" in stack else with_lines(stack)
        if not kind:
            kind = _text(attributes.get("error.type"))
            raised = None if kind else raised_of(stack)
            if raised is not None:
                own_type, kind, message = raised[0], raised[0], message or raised[1]
        # A call of the class takes longer.
        made = cls.__new__(cls)
        made.own_type = own_type
        made.type = kind
        made.message = message
        made.stack = stack
        made.attributes = attributes
        return made


def _text(value: object) -> str:
    return json_text(value) if isinstance(value, str) else ""
