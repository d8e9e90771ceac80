"""The mapping as Markdown, made from the tables that decide it: what `docs/mapping.md` shows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from .. import config
from .._attributes import EVENT_DETAILS, SESSION_ATTRIBUTES, USER_ATTRIBUTES
from ..config import Config
from ..otlp import decode_json
from ..rum.event import MAX_EVENT_BYTES
from ..rum.truncation import TEXT_CHARS
from . import redaction
from .event_types import BUILT_IN, PREFIX
from .events.custom import FALLBACK_TYPE, LOG_FIELDS, SPAN_FIELDS
from .events.performance_resource import FILE_TYPES
from .events.web_vital import VITALS
from .explain import explain, text_lines
from .fields import Field
from .mapper import MAX_CUSTOM_TYPES
from .metadata import DEVICE_KEYS, RESOURCE_KEYS, TRACE_KEYS
from .rules import LOG_RULES, SPAN_RULES, Rule

SETTINGS = (
    *("http_events", "page_views", "custom_events", "excluded_names", "xray_events", "session_sample_rate"),
    *("metadata_attributes", "url_query_parameters", "enduser_id", "id_hash_key", "domain"),
)
"""The settings that change what becomes of a span; all others change how it is sent."""

EXAMPLE = """\
{"resourceSpans": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
  "scopeSpans": [{"spans": [{
    "traceId": "6afe3c1a8d5d4b6f9a3c5e7f90b1c2d3", "spanId": "00f067aa0ba902b7", "name": "POST /checkout", "kind": 2,
    "startTimeUnixNano": "1795046400000000000", "endTimeUnixNano": "1795046400250000000",
    "attributes": [
      {"key": "http.request.method", "value": {"stringValue": "POST"}},
      {"key": "http.route", "value": {"stringValue": "/checkout"}},
      {"key": "url.full", "value": {"stringValue": "https://shop.example/checkout?coupon=SUMMER"}},
      {"key": "http.response.status_code", "value": {"intValue": "500"}},
      {"key": "session.id", "value": {"stringValue": "33d38e21-7c0a-4c1e-9c58-2f6d1b0a9e44"}},
      {"key": "user.id", "value": {"stringValue": "ann@example.com"}}
    ],
    "events": [{"name": "exception", "timeUnixNano": "1795046400240000000", "attributes": [
      {"key": "exception.type", "value": {"stringValue": "shop.CouponExpired"}},
      {"key": "exception.message", "value": {"stringValue": "coupon SUMMER expired"}}
    ]}]
  }]}]
}]}"""

_EXAMPLE_NOW_NS = 1_795_046_401_000_000_000
_EXAMPLE_APP_MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000001"


def span_rules() -> str:
    """Return the table of what becomes of spans."""
    kept = ("yes" if rule.keeps_exceptions else "no" for rule in SPAN_RULES)
    rows = ((*row, answer) for row, answer in zip(_rules(SPAN_RULES), kept, strict=True))
    return _table(("", "a span that is", "becomes", "and its exceptions"), rows)


def log_rules() -> str:
    """Return the table of what becomes of log records."""
    return _table(("", "a log record that is", "becomes"), _rules(LOG_RULES))


def claims() -> str:
    """Return the attributes that tell session and user."""
    rows = (("session", SESSION_ATTRIBUTES), ("user", USER_ATTRIBUTES))
    return _table(("of the event", "attribute, the first present"), ((name, _codes(names)) for name, names in rows))


def metadata_keys() -> str:
    """Return the keys of metadata, and what tells them."""
    sources = (("resource", RESOURCE_KEYS), ("resource, unless it is a server's", DEVICE_KEYS), ("span", TRACE_KEYS))
    rows = ((f"`{key}`", where, _codes(names)) for where, keys in sources for key, names in keys)
    return _table(("metadata", "told by the", "attribute, the first present"), rows)


def event_fields() -> str:
    """Return the fields of RUM's own events, a table for each type."""
    return "\n\n".join(f"### `{_short(kind)}`\n\n{_field_table(one.fields)}" for kind, one in BUILT_IN.items())


def custom_fields() -> str:
    """Return the fields of custom events."""
    return f"{_field_table(SPAN_FIELDS, 'of a span')}\n\n{_field_table(LOG_FIELDS, 'of a log record')}"


def web_vitals() -> str:
    """Return the web vitals and their events."""
    return _table(("web vital", "event"), ((f"`{name}`", f"`{_short(vital.type)}`") for name, vital in VITALS.items()))


def file_types() -> str:
    """Return the types of files, and the extensions that tell them."""
    rows = ((f"`{name}`", _codes(extensions)) for name, extensions in FILE_TYPES.items())
    return _table(("`fileType`", "extension"), rows)


def never_exported() -> str:
    """Return what never leaves, as a list."""
    urls = _codes(sorted(redaction.URL_ATTRIBUTES))
    masked = f"`password={redaction.MASK}`"
    return "\n".join(
        (
            f"- attributes: {_codes(sorted(redaction.NEVER_EXPORTED))}",
            f"- attributes with one of these words in their name: {_codes(redaction.SECRET_WORDS)}",
            f"- captured headers: {_codes(sorted(redaction.NEVER_EXPORTED_HEADERS))}",
            f"- user info, query and fragment of URLs: in events of RUM's own, and in {urls}",
            f"- in messages and other texts: user info and query of URLs, and values after those words, as in {masked}",
        )
    )


def limits() -> str:
    """Return what happens at RUM's limits."""
    steps = ", ".join(f"{chars:,}" for chars in TEXT_CHARS)
    text = (
        f"An event of more than {MAX_EVENT_BYTES:,} bytes loses, until it fits, its links, its span events, of texts "
        f"what exceeds {steps} characters (of a Python traceback the beginning, of any other text the end), then half "
        "of its attributes again and again; it carries the metadata attribute `truncated`. Of custom events there are "
        f"{MAX_CUSTOM_TYPES} types in a process, and those that come later are `{FALLBACK_TYPE}`."
    )
    return textwrap.fill(text, 120)


def settings() -> str:
    """Return the settings that change the mapping."""
    table = config.table()
    rows = ((f"`{config.variable(name)}`", table[name].default, table[name].help) for name in SETTINGS)
    return _table(("variable", "default", "what it does"), rows)


def example() -> str:
    """Return a span, what `otel-rum explain` says of it, and its events, made by the mapping itself."""
    settings = Config.read({"app_monitor_id": _EXAMPLE_APP_MONITOR_ID}, {})
    explanation = explain(decode_json(EXAMPLE), settings, _EXAMPLE_NOW_NS)
    events = [
        {"type": event.type, "details": orjson.loads(event.details), "metadata": orjson.loads(event.metadata)}
        for record in explanation.records
        for event in record.events
    ]
    whole = orjson.dumps(events, option=orjson.OPT_INDENT_2).decode()
    return "\n\n".join((_fenced(EXAMPLE, "json"), _fenced("\n".join(text_lines(explanation))), _fenced(whole, "json")))


def _rules(rules: Iterable[Rule[Any]]) -> Iterator[tuple[str, ...]]:
    for number, rule in enumerate(rules, 1):
        yield str(number), rule.name, rule.becomes


def _field_table(fields: Iterable[Field], of: str = "field") -> str:
    named = [pair for field in fields for pair in _with_members(field)]
    rows = (
        (f"`{name}`{'*' if field.is_required else ''}", "; ".join(filter(None, (_codes(field.told_by), field.note))))
        for name, field in named
        if field.is_told
    )
    untold = [name for name, field in named if not field.is_told]
    table = _table((of, "told by"), rows)
    return f"{table}\n\nOnly `{EVENT_DETAILS}` tells {_codes(untold)}." if untold else table


def _with_members(field: Field, path: str = "") -> Iterator[tuple[str, Field]]:
    yield path + field.name, field
    for member in field.members if field.is_told else ():
        yield from _with_members(member, f"{path}{field.name}.")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _short(event_type: str) -> str:
    return event_type.removeprefix(PREFIX)


def _fenced(text: str, language: str = "") -> str:
    return f"```{language}\n{text}\n```"
