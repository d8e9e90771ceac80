"""Spans and log records without a built-in event: a custom event with the whole content.

Scope, status and dropped counts are under `otel`, as OpenTelemetry asks of exporters to other formats:
https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any
from unicodedata import combining, normalize

from opentelemetry.trace import StatusCode

from ..._attributes import METHODS, TARGETS, URLS, plain
from ..._pattern import lazy_pattern
from ...config import Config
from ...rum.event import EventDraft
from .. import routes, urls
from ..attribute_keys import AttributeKeys
from ..attribute_values import json_text, json_value
from ..caches import cache_short_texts
from ..fields import Field
from ..log_view import LogView
from ..path_ids import mask_path
from ..record_view import CONSUMER, NS_PER_MILLI, SERVER, SPAN_ID, View, epoch_ns
from ..span_view import SpanView

FALLBACK_TYPE = "otel.span"
HOME, UNROUTED = "home", "unrouted"
WORKERS = ("remoulade.actor_name", "messaging.sidekiq.job_class", "messaging.resque.job_class", "code.namespace")
"""Attributes that name the work of messages whose spans may all have the name of their queue."""

MAX_TYPE_CHARS = 256
MAX_CACHED_NAMES = 1000
MAX_CACHED_CHARS = 1024


SPAN_FIELDS = (
    Field("name", note="the span's, with path ids masked"),
    Field("kind", note="the span's, as `INTERNAL`; `SERVER` for each request served"),
    Field("startTime", note="ISO 8601, in UTC"),
    Field("durationMs", note="in milliseconds"),
    Field("traceId", note="32 hex digits"),
    Field("spanId", note="16 hex digits"),
    Field("parentSpanId", note="16 hex digits"),
    Field("otel.scope", note="`name` and `version` of the instrumentation"),
    Field("otel.status_code", note="`OK` or `ERROR`"),
    Field("otel.status_description", note="the description of the status"),
    Field("otel.dropped_attributes_count", note="if the SDK dropped some"),
    Field("otel.dropped_events_count", note="if the SDK dropped some"),
    Field("otel.dropped_links_count", note="if the SDK dropped some"),
    Field("attributes", note="the span's, except what is never sent"),
    Field("events", note="`name`, `time` and `attributes` of each, except exceptions"),
    Field("links", note="`traceId` and `spanId` of each"),
)
LOG_FIELDS = (
    Field("name", note="the event's, with path ids masked"),
    Field("time", note="ISO 8601, in UTC"),
    Field("otel.scope", note="`name` and `version` of the instrumentation"),
    Field("severityNumber", note="OTel's, 1 to 24"),
    Field("traceId", note="32 hex digits, within a span"),
    Field("spanId", note="16 hex digits, within a span"),
    Field("body", note="as JSON"),
    Field("attributes", note="the record's, except what is never sent"),
)
"""Custom events have no schema. These fields are for the documentation; a test compares them with what is sent."""

_DATABASES = ("db.system.name", "db.system")
_OF_WORK = frozenset((*METHODS, *_DATABASES, *WORKERS))
_HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "HTTP"})
_NOT_IN_TYPES = lazy_pattern(r"[^A-Za-z0-9_.-]+")
_ID = lazy_pattern(
    r"[\d._-]+|\d[\d.]*(?:[num]?s|secs?|[KMG]i?B)|0x[0-9a-fA-F]+|(?=[a-fA-F-]*\d)[0-9a-fA-F-]{8,}|(?=\D*\d)[A-Za-z0-9_~=-]{20,}"
)
"""A word of a name that is a number, a measurement, a digest, a UUID or a token."""
_FILE_PATH = lazy_pattern(
    r"""(?<![^\s"'`])(?:[^\s"'`\\/]*[\\/])+[^\s"'`\\/]*\.
        (?:[cm]?[jt]sx?|css|csv|erb|haml|html?|java|jinja2?|j2|jpe?g|json|log|md|mustache|pdf|php|png|pyc?|rb|rs|slim|sql
         |svg|tmpl|tpl|twig|txt|vue|webp|xml|ya?ml)(?![\w/])
        (?:[^\s\\]*\\\S*)?
      | (?<!\S)\S*\\\S*""",
    re.VERBOSE | re.IGNORECASE,
)
"""A path of a file, or a word with a backslash. Both begin only where a word does, so that a long name is not slow."""
_SQL = lazy_pattern(
    r"(?:\s|\(|/\*(?:[^*]|\*(?!/))*\*/|--[^\n]*\n|EXPLAIN\s(?:ANALYZE\s)?)*(SELECT|INSERT|UPDATE|DELETE|MERGE|REPLACE|CREATE|ALTER|DROP|TRUNCATE|WITH|CALL|EXEC(?:UTE)?)\b"
    r"(?=.*\b(?:FROM|INTO|SET|VALUES|TABLE|INDEX|VIEW|WHERE|AS|\w+\s*\()|\s*\()",
    re.IGNORECASE | re.DOTALL,
)
_TABLE = lazy_pattern(
    r"\b(?:FROM|INTO|UPDATE|TABLE(?:\s+IF\s+(?:NOT\s+)?EXISTS)?|JOIN)\s+[\"`\[]?([A-Za-z_][\w.]*)", re.IGNORECASE
)
_VERB = lazy_pattern(r"[A-Za-z_]{2,32}(?=\s|$)")

_UNSET = StatusCode.UNSET
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def span_events(keys: AttributeKeys, config: Config) -> Callable[[SpanView], Sequence[EventDraft]]:
    """Return a function that returns the custom event of a span, if custom events are enabled."""
    if config.custom_events == "none":
        return lambda _: ()
    has_work = keys.may_have(_OF_WORK)

    def events(view: SpanView) -> Sequence[EventDraft]:
        details = _details(view, config)
        name = (_kind_of_work(view) if has_work else None) or details["name"]
        return ((event_type(name), view.end_ns, details),)

    return events


def span_event(view: SpanView, config: Config) -> Sequence[EventDraft]:
    """Return the custom event of a span, if custom events are enabled."""
    return span_events(view.keys, config)(view)


def is_named(view: LogView, _config: Config) -> bool:
    """Return whether a log record is an event: it has a name, unlike a plain log line."""
    return bool(view.name)


def log_event(view: LogView, config: Config) -> Iterator[EventDraft]:
    """Yield the custom event of a named log record, if custom events are enabled."""
    if config.custom_events != "none":
        details = _log_details(view, config)
        yield (event_type(details["name"]), view.end_ns, details)


@cache_short_texts(MAX_CACHED_NAMES, MAX_CACHED_CHARS)
def event_type(span_name: str) -> str:
    """Return the custom event type for a span name: letters, digits, `_`, `.` and `-`, never a built-in type.

    RUM counts every type, so SQL becomes its verb and table, and ids, digests and file paths are left out.
    """
    if not span_name.isascii():
        # As far as possible: RUM's types have no other letters.
        span_name = "".join(c for c in normalize("NFKD", span_name) if not combining(c))
    sql = _SQL.match(span_name)
    if sql:
        table = _TABLE.search(span_name)
        span_name = f"{sql[1].upper()} {table[1] if table else ''}"
    words = _NOT_IN_TYPES.split(_FILE_PATH.sub(" ", mask_path(span_name) if "/" in span_name else span_name))
    kept = [word for word, _ in itertools.groupby(word for word in words if word and not _ID.fullmatch(word))]
    name = "_".join(kept)[:MAX_TYPE_CHARS].strip("_")
    if name in _HTTP_METHODS:
        return f"{name}_{UNROUTED}"
    if not name:
        return FALLBACK_TYPE
    return f"otel.{name}"[:MAX_TYPE_CHARS] if name.lower().startswith("com.amazon.") else name


def _kind_of_work(view: SpanView) -> str | None:
    """Return what names the type of a span better than its name does, which may contain a path or a statement."""
    method = view.text(*METHODS) if view.kind is SERVER else None
    if method:
        route = routes.of_request(view)
        if route is None:
            target = view.text(*TARGETS, *URLS)
            return f"{method} {HOME if target and urls.path(target) == '/' else UNROUTED}"
        return f"{method} {route if route.strip('/') else HOME}"
    system = view.text(*_DATABASES)
    if system:
        operation = view.text("db.operation.name", "db.operation") or view.name
        verb = _VERB.match(operation)
        return f"{system} {verb[0].upper() if verb else ''}"
    worker = view.text(*WORKERS) if view.kind is CONSUMER else None
    return f"{view.name} {worker}" if worker and worker not in view.name else None


def _details(view: SpanView, config: Config) -> dict[str, Any]:
    span = view.span
    details: dict[str, Any] = {
        "name": view.redactor.name(view.name),
        "kind": (view.kind or view.span.kind)._name_,
        "startTime": _iso(view.start_ns),
        "durationMs": (view.end_ns - view.start_ns) / NS_PER_MILLI,
        "traceId": view.trace_id,
        "spanId": view.span_id,
        "otel": _otel(view),
        "attributes": view.redactor.attributes(view.attributes, config.url_query_parameters, view.keys),
    }
    if view.parent_key is not None:
        details["parentSpanId"] = view.parent_key[SPAN_ID].hex()
    events = [event for event in view.events if event.name != "exception"] if view.events else ()
    if events:
        details["events"] = [
            {
                "name": view.redactor.name(json_text(event.name)),
                "time": _iso(epoch_ns(event.timestamp)),
                "attributes": view.redactor.attributes(plain(event.attributes), config.url_query_parameters),
            }
            for event in events
        ]
    links = span.links
    if links:
        details["links"] = [
            {"traceId": f"{link.context.trace_id:032x}", "spanId": f"{link.context.span_id:016x}"} for link in links
        ]
    return details


def _log_details(view: LogView, config: Config) -> dict[str, Any]:
    details: dict[str, Any] = {"name": view.redactor.name(view.name), "time": _iso(view.end_ns), "otel": _scope(view)}
    if view.severity:
        details["severityNumber"] = view.severity
    if view.trace_id:
        details |= {"traceId": view.trace_id, "spanId": view.span_id}
    body = json_value(view.redactor.value("body", view.body, config.url_query_parameters))
    if body is not None:
        details["body"] = body
    details["attributes"] = view.redactor.attributes(view.attributes, config.url_query_parameters, view.keys)
    return details


def _scope(view: View) -> dict[str, Any]:
    if view.scope is None:
        return {}
    version = view.scope.version
    name, version = view.scope_name, version if type(version) is str else json_text(version or "")
    of = _known_scope if len(name) + len(version) <= MAX_CACHED_CHARS else _scope_of
    return {"scope": of(name, version)}


def _scope_of(name: str, version: str) -> dict[str, str]:
    found = {"name": json_text(name)} if name else {}
    return {**found, "version": json_text(version)} if version else found


_known_scope = lru_cache(maxsize=MAX_CACHED_NAMES)(_scope_of)


def _otel(view: SpanView) -> dict[str, Any]:
    status = view.span.status
    found = _scope(view)
    code = status.status_code
    if code is not _UNSET:
        found["status_code"] = code.name
    if status.description:
        found["status_description"] = view.redactor.text("status.description", json_text(status.description))
    if view.dropped is not None:
        found.update((f"dropped_{name}_count", count) for name, count in view.dropped._asdict().items() if count)
    return found


def _iso(time_ns: int) -> str:
    seconds, millis = divmod(time_ns // NS_PER_MILLI, 1000)
    return "%s.%03dZ" % (_iso_second(seconds), millis)  # noqa: UP031 - an f-string parses its format each time


@lru_cache(maxsize=1000)
def _iso_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
