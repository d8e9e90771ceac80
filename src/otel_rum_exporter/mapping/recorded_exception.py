"""An exception that a span or log record carries, read once.

Apart from `js_error`, because the record of exceptions that were sent reads the same parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .._attributes import EXCEPTION_MESSAGE, EXCEPTION_STACK, EXCEPTION_TYPE
from .record_view import text
from .stack_trace import raised_of, with_lines


class RecordedException(NamedTuple):
    """The parts of an exception; a part that is missing is empty.

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
        own_type = text(attributes, EXCEPTION_TYPE) or ""
        kind = own_type or text(attributes, "error.type") or ""
        message = text(attributes, EXCEPTION_MESSAGE) or ""
        stack = with_lines(text(attributes, EXCEPTION_STACK) or "")
        raised = None if kind else raised_of(stack)
        if raised is not None:
            own_type, kind, message = raised[0], raised[0], message or raised[1]
        return cls(own_type, kind, message, stack, attributes)
