"""Rows of a table of settings, and how their values are read from text, code or YAML.

A reader raises ValueError with the fault and the fix; its caller adds the name of the setting and the value.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlsplit

from ._uuid import UUID

MAX_METADATA_ATTRIBUTES = 9
"""RUM keeps ten custom attributes of an event. One of them is `truncated`, which marks trimmed events."""

T = TypeVar("T")

Names: TypeAlias = Callable[[str], str]
"""The name of a given setting in errors: its keyword in code, its option on the command line."""


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """A function that reads a value. `form` is what the help of a command shows for it; a choice lists its words."""

    form: str
    read: Callable[[object], T]

    def __call__(self, value: object) -> T:
        """Read a value, or raise ValueError with the fault and the fix."""
        return self.read(value)

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed words; empty if there are others."""
        return tuple(self.form[1:-1].split("|")) if self.form.startswith("[") else ()


def reader(form: str) -> Callable[[Callable[[object], T]], Reader[T]]:
    """Make a function a reader of this form."""
    return lambda read: Reader(form, read)


class Setting(NamedTuple):
    """The description of one setting, from which its documentation is generated."""

    help: str
    parse: Reader[Any]
    default: str
    fallbacks: tuple[str, ...] = ()
    secret: bool = False


@reader("TEXT")
def plain_text(value: object) -> str:
    """Read text."""
    if isinstance(value, str):
        return value.strip()
    raise ValueError("is not text; give a string")


@reader("TEXT")
def filled(value: object) -> str:
    """Read text that is not empty."""
    text = plain_text(value)
    if text:
        return text
    raise ValueError("is empty; leave it out, or give a value")


@reader("UUID")
def uuid(value: object) -> str:
    """Read a UUID."""
    if isinstance(value, str) and UUID.fullmatch(value.strip()):
        return value.strip()
    raise ValueError("is not a UUID; copy the app monitor's ID (not its name) from the CloudWatch console")


@reader("REGION:UUID")
def identity_pool_id(value: object) -> str:
    """Read the id of a Cognito identity pool, which begins with its region."""
    if isinstance(value, str) and re.fullmatch(r"[\w-]+:" + UUID.pattern, value.strip()):
        return value.strip()
    raise ValueError(
        "is not the id of an identity pool; use for example eu-west-1:00000000-1111-4222-8333-444444444444"
    )


@reader("ARN")
def role_arn(value: object) -> str:
    """Read the ARN of an IAM role."""
    if isinstance(value, str) and re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/\S+", value.strip()):
        return value.strip()
    raise ValueError("is not the ARN of a role; use for example arn:aws:iam::123456789012:role/NAME")


@reader("URL")
def http_url(value: object) -> str:
    """Read an http(s) URL, without a slash at its end."""
    if isinstance(value, str) and _is_http_url(value.strip()):
        return value.strip().rstrip("/")
    raise ValueError("is not an http(s) URL; use for example http://127.0.0.1:8787")


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0) and text.split() == [text]
    except ValueError:  # a port that is no number or above 65535, or half of an IPv6 address
        return False


@reader("[true|false]")
def truth(value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise ValueError("is neither true nor false; use one of them")


def whole(minimum: int, example: int, maximum: int | None = None) -> Reader[int]:
    """Return a reader of whole numbers."""
    limits = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"

    @reader("INTEGER")
    def parse(value: object) -> int:
        digits = value.strip() if isinstance(value, str) else value
        try:
            number = int(digits) if not isinstance(digits, (bool, float)) else None  # type: ignore[call-overload]
        except (TypeError, ValueError):
            number = None
        if number is None or number < minimum or number > (number if maximum is None else maximum):
            raise ValueError(f"is not a whole number {limits}; use for example {example}")
        return int(number)

    return parse


@reader("NUMBER")
def share(value: object) -> float:
    """Read a number from 0 to 1."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise ValueError("is not a number from 0 to 1; use for example 0.1")
    return number


@reader("NUMBER")
def amount(value: object) -> float:
    """Read a number of at least 0."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0.0 <= number < math.inf:
        raise ValueError("is not a number of at least 0; use for example 10")
    return number


def one_of(*choices: str) -> Reader[str]:
    """Return a reader of one of some words, in upper or lower case."""

    @reader(f"[{'|'.join(choices)}]")
    def parse(value: object) -> str:
        if isinstance(value, str) and value.strip().lower() in choices:
            return value.strip().lower()
        raise ValueError(f"is not one of {', '.join(choices)}")

    return parse


def function_or(parse: Reader[Any]) -> Reader[Any]:
    """Return a reader of a function, or of what `parse` reads."""
    return Reader(parse.form, lambda value: value if callable(value) else parse(value))


@reader("NAME,...")
def names_list(value: object) -> tuple[str, ...]:
    """Read names from text, separated by commas, or from a list."""
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, (list, tuple)) and all(isinstance(item, str) for item in items):
        return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
    raise ValueError("is not a list of names; separate them by commas")


@reader("NAME,...")
def metadata_names(value: object) -> tuple[str, ...]:
    """Read names of attributes, at most as many as RUM keeps."""
    names = names_list(value)
    if len(names) > MAX_METADATA_ATTRIBUTES:
        raise ValueError(f"names {len(names)} attributes; RUM keeps at most {MAX_METADATA_ATTRIBUTES}")
    return names


def row(
    default: T,
    help: str,  # noqa: A002 - the name of the column
    parse: Reader[Any] = plain_text,
    *,
    shown: str | None = None,
    fallbacks: tuple[str, ...] = (),
    secret: bool = False,
) -> T:
    """Return a field of a table of settings; `shown` is the default in the documentation."""
    described = Setting(help, parse, shown if shown is not None else str(default).lower(), fallbacks, secret)
    made: T = field(default=default, repr=not secret, metadata={"setting": described})
    return made


def rows_of(table: type) -> dict[str, Setting]:
    """Return the settings of a table by keyword, in the order of the documentation."""
    return {item.name: item.metadata["setting"] for item in dataclasses.fields(table)}


class Reading(NamedTuple):
    """The value of a setting, and where it was found.

    `place` is the name of the argument, option or variable; None stands for the default. With a `fault`, `value` is the
    default.
    """

    place: str | None
    value: Any
    fault: str | None = None


def readings_of(
    table: type, given: Mapping[str, object], environment: Mapping[str, str], prefix: str, named: Names = str
) -> dict[str, Reading]:
    """Read each setting from its argument, else from its variables, else from its default."""
    return {item.name: _reading(item, given, environment, prefix, named) for item in dataclasses.fields(table)}


def unknown_name(name: str, settings: Mapping[str, Setting]) -> str:
    """Return the message for a name that is not a setting, with the most similar setting."""
    import difflib

    near = difflib.get_close_matches(name, settings, n=1)
    return f"{name!r} is not a setting; " + (f"the most similar is {near[0]!r}" if near else "see the settings table")


def _reading(
    item: dataclasses.Field[Any], given: Mapping[str, object], environment: Mapping[str, str], prefix: str, named: Names
) -> Reading:
    setting: Setting = item.metadata["setting"]
    place, raw = _found(item.name, setting, given, environment, prefix, named)
    if place is None:
        return Reading(None, item.default)
    try:
        return Reading(place, setting.parse(raw))
    except ValueError as fault:
        return Reading(place, item.default, f"{place}{'' if setting.secret else f'={raw!r:.120}'} {fault}")


def _found(
    name: str,
    setting: Setting,
    given: Mapping[str, object],
    environment: Mapping[str, str],
    prefix: str,
    named: Names,
) -> tuple[str | None, object]:
    if given.get(name) is not None:
        return named(name), given[name]
    for place in (prefix + name.upper(), *setting.fallbacks):
        if environment.get(place, "").strip():
            return place, environment[place]
    return None, None
