"""Map SDK records to event drafts, and validate them by the local RUM's schemas, and by AWS's if they are available."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan

from otel_rum_exporter.config import Config
from otel_rum_exporter.local import schema
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.rum.event import EventDraft
from tests.spans import make_config

AWS_FOLDER = os.environ.get("RUM_EVENT_SCHEMAS")


def view_of(record: ReadableSpan | ReadableLogRecord) -> SpanView | LogView:
    """Return the view of a record."""
    return SpanView.of(record) if isinstance(record, ReadableSpan) else LogView.of(record)


def drafts_of(record: ReadableSpan | ReadableLogRecord, config: Config | None = None) -> Sequence[EventDraft]:
    """Map a record, and validate its event drafts."""
    drafts = Mapper(config or make_config()).map(view_of(record))[1]
    for draft in drafts:
        check(draft)
    return drafts


def mapped(
    record: ReadableSpan | ReadableLogRecord, config: Config | None = None
) -> list[tuple[str, Mapping[str, Any]]]:
    """Map a record to the short types and the details of its events."""
    return [(draft[0].removeprefix(PREFIX), draft[2]) for draft in drafts_of(record, config)]


def types(record: ReadableSpan | ReadableLogRecord, config: Config | None = None) -> list[str]:
    """Map a record to the short types of its events."""
    return [name for name, _ in mapped(record, config)]


def check(draft: EventDraft) -> None:
    """Raise unless RUM accepts the event."""
    details = json.loads(orjson.dumps(draft[2]))
    if not draft[0].startswith(PREFIX):
        assert isinstance(details, dict)
        return
    name = draft[0].removeprefix(PREFIX)
    assert name in schema.EVENT_TYPES
    assert schema.violation(name, details, "details") is None
    if AWS_FOLDER:
        _aws_validator(name).validate(details)


def aws_schema(name: str) -> dict[str, Any]:
    """Return AWS's schema of an event type."""
    return _aws_schemas()[name]


@cache
def _aws_validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(aws_schema(name))


@cache
def _aws_schemas() -> dict[str, dict[str, Any]]:
    loaded = [json.loads(path.read_text(encoding="utf-8")) for path in Path(AWS_FOLDER or "").glob("*.json")]
    return {one["$id"].rpartition(".")[2]: _without_ids(one) for one in loaded}


def _without_ids(node: Any) -> Any:
    """Remove nested `$id`s, because references do not resolve with them."""
    if isinstance(node, list):
        return [_without_ids(item) for item in node]
    if isinstance(node, dict):
        return {key: _without_ids(value) for key, value in node.items() if key != "$id"}
    return node
