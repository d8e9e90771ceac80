"""Typed fields of a protobuf message in OTLP's JSON encoding; each error has its path.

OTLP's JSON differs from protobuf's: ids are hex, enums are integers, and keys are lowerCamelCase only.
Unknown fields are ignored, and null is a field that was not set:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import json
import re
from binascii import unhexlify
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any, ParamSpec, TypeVar

import orjson

from .model import MalformedError, ignore

Message = Mapping[str, Any]
T = TypeVar("T")
P = ParamSpec("P")

MAX_UINT32 = 2**32 - 1
MAX_UINT64 = 2**64 - 1

_QUOTED_CHARS = 60
_HEX = frozenset("0123456789abcdefABCDEF")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_NANOS = re.compile(r"(\.\d{6})\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_URL_SAFE_BASE64 = str.maketrans("-_", "+/")


def parse(body: bytes | str) -> Any:
    """Parse JSON.

    The standard library accepts what exporters send and the faster parser rejects: escaped lone surrogates, a byte
    order mark and NaN.

    Raises:
        ValueError: if it is not JSON, or nested too deeply.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise ValueError(str(error) if _is_text(body) else "it is not text in UTF-8") from None


def _is_text(body: bytes | str) -> bool:
    if isinstance(body, bytes):
        try:
            body.decode()
        except UnicodeDecodeError:
            return False
    return True


def message(value: object) -> Message:
    """Return a value as a message."""
    if isinstance(value, dict):
        return value
    raise MalformedError("", f"is {_quoted(value)}, not an object")


def text(fields: Message, name: str) -> str:
    """Return a string; empty if there is none."""
    value = fields.get(name)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise MalformedError(name, f"is {_quoted(value)}, not a string")


def truth(fields: Message, name: str) -> bool:
    """Return a boolean."""
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise MalformedError(name, f"is {_quoted(value)}, neither true nor false")


def integer(fields: Message, name: str, low: int = 0, high: int = MAX_UINT64) -> int:
    """Return an integer within a range, written as a number or as a string."""
    value = fields.get(name)
    if value is None:
        return 0
    number = whole(value)
    if number is not None and low <= number <= high:
        return number
    raise MalformedError(name, f"is {_quoted(value)}, not an integer from {low} to {high}")


def number(fields: Message, name: str) -> float:
    """Return a number; those without a JSON form are words such as "NaN"."""
    value = fields.get(name)
    try:
        if value is None:
            return 0.0
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise MalformedError(name, f"is {_quoted(value)}, not a number")


def data(fields: Message, name: str) -> bytes:
    """Return bytes from Base64 of either alphabet, with or without padding."""
    written = text(fields, name).translate(_URL_SAFE_BASE64).rstrip("=")
    try:
        return base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
    except ValueError:
        raise MalformedError(name, f"is {_quoted(written)}, not Base64") from None


def numeric(fields: Message, name: str) -> int | float:
    """Return the number of an attribute that is written as an integer.

    JavaScript writes integral numbers of any size as integers, also 1e300.
    """
    value = fields.get(name)
    found = whole(value)
    if found is not None:
        return found
    return number(fields, name)


def time_ns(fields: Message, name: str) -> int:
    """Return a time, also as protobuf.js writes it (`low` and `high`), as Node's pair of s and ns, and in ISO 8601."""
    value = fields.get(name)
    if isinstance(value, dict):
        high, low = value.get("high"), value.get("low")
        if type(high) is int and type(low) is int:
            return int((high % 2**32 << 32) + low % 2**32)
    if isinstance(value, list) and len(value) == 2 and all(type(part) is int and part >= 0 for part in value):
        return min(int(value[0]) * 10**9 + int(value[1]), MAX_UINT64)
    if isinstance(value, str) and _ISO_DATE.match(value):
        with suppress(ValueError):
            since = (
                datetime.fromisoformat(_NANOS.sub(r"\1", value).replace("Z", "+00:00")).astimezone(timezone.utc)
                - _EPOCH
            )
            return max(0, since // timedelta(microseconds=1) * 1000)
    return integer(fields, name)


def hex_id(fields: Message, name: str, digits: int) -> int:
    """Return an id; 0, which is invalid, if there is none.

    Protobuf's own JSON has Base64 instead of hex digits; other libraries write bytes, UUIDs, or a trace id of 64 bits.
    """
    value = fields.get(name)
    if type(value) is str and len(value) == digits:
        try:
            return int.from_bytes(unhexlify(value), "big")
        except ValueError:
            pass
    size = digits // 2
    if not isinstance(value, str):
        given = _bytes(value)
        if given is not None and len(given) == size:
            return int.from_bytes(given, "big")
        value = text(fields, name)
    if not value:
        return 0
    bare = value.removeprefix("0x").replace("-", "")
    if len(bare) in {digits, 16} and _HEX.issuperset(bare):
        return int(bare, 16)
    if len(value.rstrip("=")) == (size * 4 + 2) // 3 and len(value) != digits:
        return int.from_bytes(data(fields, name), "big")
    raise MalformedError(name, f"is {_quoted(value)}, not {digits} hex digits")


def _bytes(value: object) -> bytes | None:
    """Return a list of bytes, as JSON libraries write binary data; None if a value is none."""
    if isinstance(value, dict):
        value = value.get("data") if value.get("type") == "Buffer" else [*value.values()]
    if not isinstance(value, list) or not all(type(byte) is int and 0 <= byte < 256 for byte in value):
        return None
    return bytes(value)


def enum(fields: Message, name: str, names: Mapping[str, int]) -> int:
    """Return the number of an enum's member; its name is accepted, although OTLP forbids it."""
    value = fields.get(name)
    if isinstance(value, str) and value.upper() in names:
        return names[value.upper()]
    return integer(fields, name, -(2**31), 2**31 - 1)


def items(fields: Message, name: str) -> list[Any]:
    """Return the raw members of a repeated field."""
    value = fields.get(name)
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise MalformedError(name, f"is {_quoted(value)}, not a list")


def each(
    fields: Message, name: str, read: Callable[[Message], T], ignored: list[MalformedError] | None = None
) -> tuple[T, ...]:
    """Return the results of `read` for the messages of a repeated field.

    With `ignored`, malformed messages are left out and added to it.
    """
    found = []
    for index, item in enumerate(optional(ignored, [], items, fields, name)):
        known = len(ignored) if ignored is not None else 0
        try:
            found.append(read(message(item)))
            if ignored is not None and len(ignored) > known:
                ignored[known:] = [error.within(f"{name}[{index}]") for error in ignored[known:]]
        except MalformedError as error:
            error = error.within(f"{name}[{index}]")
            if ignored is None:
                raise error from None
            ignore(error, ignored)
    return tuple(found)


def optional(
    ignored: list[MalformedError] | None, default: T, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Return the result of `read`; the default if a part is malformed, which is added to `ignored` if given."""
    try:
        return read(*args, **kwargs)
    except MalformedError as error:
        if ignored is None:
            raise
        ignore(error, ignored)
        return default


def submessage(fields: Message, name: str, read: Callable[[Message], T]) -> T | None:
    """Return the result of `read` for the message in a field; None if there is none."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        return read(message(value))
    except MalformedError as error:
        raise error.within(name) from None


def whole(value: object) -> int | None:
    """Return an integer in any encoding; None if a value is none."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 20:
        return int(value)
    return None


def _quoted(value: object) -> str:
    """Return a value for an error message: texts and numbers themselves, for others their kind."""
    if isinstance(value, str):
        return repr(value if len(value) <= _QUOTED_CHARS else f"{value[:_QUOTED_CHARS]}...")
    if isinstance(value, bool) or value is None:
        return orjson.dumps(value).decode()
    if isinstance(value, (int, float)):
        return f"{value!r:.{_QUOTED_CHARS}}"
    return "a list" if isinstance(value, list) else "an object"
