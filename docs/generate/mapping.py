"""The tables of docs/mapping.md, generated from the mapping, which `make docs` writes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from otel_rum_exporter import config
from otel_rum_exporter._attributes import EVENT_DETAILS
from otel_rum_exporter.config import Config
from otel_rum_exporter.mapping.event_types import BUILT_IN, PREFIX
from otel_rum_exporter.mapping.events.custom import FALLBACK_TYPE, LOG_FIELDS, SPAN_FIELDS
from otel_rum_exporter.mapping.events.performance_resource import FILE_TYPES
from otel_rum_exporter.mapping.events.web_vital import VITALS
from otel_rum_exporter.mapping.explain import explain, text_lines
from otel_rum_exporter.mapping.fields import Field
from otel_rum_exporter.mapping.identity_attributes import FIELDS
from otel_rum_exporter.mapping.mapper import MAX_CUSTOM_TYPES
from otel_rum_exporter.mapping.metadata import DEVICE_KEYS, RESOURCE_KEYS, TRACE_KEYS
from otel_rum_exporter.mapping.private_names import PRIVATE_NAMES
from otel_rum_exporter.mapping.rule import Rule
from otel_rum_exporter.mapping.rules import LOG_RULES, SPAN_RULES
from otel_rum_exporter.mapping.secret_forms import SECRET_TEXTS
from otel_rum_exporter.otlp import decode_json
from otel_rum_exporter.rum.event import MAX_EVENT_BYTES
from otel_rum_exporter.rum.truncation import TEXT_CHARS

SETTINGS = (
    *("http_events", "page_views", "custom_events", "excluded_names", "xray_events", "session_sample_rate"),
    *("max_events_per_second", "keep_errors", "session_start", "metadata_attributes", "url_query_parameters"),
    *("redaction", "enduser_id", "id_hash_key", "domain"),
)
"""The settings that change which events are sent; all others change how they are sent."""

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
    """Return the table of span rules."""
    kept = ("yes" if rule.keeps_exceptions else "no" for rule in SPAN_RULES)
    rows = ((*row, answer) for row, answer in zip(_rules(SPAN_RULES), kept, strict=True))
    return _table(("", "span", "becomes", "exceptions"), rows)


def log_rules() -> str:
    """Return the table of log record rules."""
    return _table(("", "log record", "becomes"), _rules(LOG_RULES))


def identity_fields() -> str:
    """Return the fields of an identity, their attributes and sources."""
    rows = (
        (field.name, _codes(field.attributes), ", ".join(source.value for source in field.sources)) for field in FIELDS
    )
    return _table(("field", "attributes, the first present", "sources, in order of precedence"), rows)


def metadata_keys() -> str:
    """Return the metadata keys and their source attributes."""
    sources = (("resource", RESOURCE_KEYS), ("resource, except a server's", DEVICE_KEYS), ("span", TRACE_KEYS))
    rows = ((f"`{key}`", where, _codes(names)) for where, keys in sources for key, names in keys)
    return _table(("metadata", "set by", "attributes, the first present"), rows)


def event_fields() -> str:
    """Return the fields of built-in events, a table for each type."""
    return "\n\n".join(f"### `{_short(kind)}`\n\n{_field_table(one.fields)}" for kind, one in BUILT_IN.items())


def custom_fields() -> str:
    """Return the fields of custom events."""
    return f"{_field_table(SPAN_FIELDS, 'of a span')}\n\n{_field_table(LOG_FIELDS, 'of a log record')}"


def web_vitals() -> str:
    """Return the web vitals and their events."""
    return _table(("web vital", "event"), ((f"`{name}`", f"`{_short(vital.type)}`") for name, vital in VITALS.items()))


def file_types() -> str:
    """Return the file types and their extensions."""
    rows = ((f"`{name}`", _codes(extensions)) for name, extensions in FILE_TYPES.items())
    return _table(("`fileType`", "extension"), rows)


def never_exported() -> str:
    """Return what is never sent, as a list; the page about privacy has the tables."""
    rows = (f"- {row.what if row.what[:2].isupper() else row.what[0].lower() + row.what[1:]}" for row in PRIVATE_NAMES)
    return "\n".join((*rows, f"- in texts: {'; '.join(row.what for row in SECRET_TEXTS)}", "- in paths and names: ids"))


def limits() -> str:
    """Return how events are kept within RUM's limits."""
    steps = ", ".join(f"{chars:,}" for chars in TEXT_CHARS)
    text = (
        f"An event of more than {MAX_EVENT_BYTES:,} bytes is trimmed until it fits: first its links, then its span "
        f"events, then texts to {steps} characters (a Python traceback keeps its end, any other text its beginning), "
        "then half of its attributes, repeatedly. It gets the metadata attribute `truncated`. A process uses at most "
        f"{MAX_CUSTOM_TYPES} types of custom events; later ones get the type `{FALLBACK_TYPE}`."
    )
    return textwrap.fill(text, 120)


def settings() -> str:
    """Return the settings that change the mapping."""
    table = config.table()
    rows = ((f"`{config.variable(name)}`", table[name].default, table[name].help) for name in SETTINGS)
    return _table(("variable", "default", "what it does"), rows)


def example() -> str:
    """Return a span, its explanation by `otel-rum explain`, and its events."""
    settings = Config.read({"app_monitor_id": _EXAMPLE_APP_MONITOR_ID}, {})
    explanation = explain(decode_json(EXAMPLE), settings, _EXAMPLE_NOW_NS)
    events = [
        {"type": event.type, **{name: orjson.loads(event.members[name]) for name in ("details", "metadata")}}
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
        (f"`{name}`{'*' if field.is_required else ''}", "; ".join(filter(None, (_codes(field.sources), field.note))))
        for name, field in named
        if field.has_source
    )
    other = [name for name, field in named if not field.has_source]
    table = _table((of, "source"), rows)
    return f"{table}\n\nOnly `{EVENT_DETAILS}` sets {_codes(other)}." if other else table


def _with_members(field: Field, path: str = "") -> Iterator[tuple[str, Field]]:
    yield path + field.name, field
    for member in field.members if field.has_source else ():
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
