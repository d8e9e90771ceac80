"""Collects what an instrumentation records, and converts it to events as an exporter does."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.event_types import PREFIX
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.rum.event import RumEvent
from tests.mapping.event_drafts import check
from tests.spans import START_NS, make_config

NOW = Moment(START_NS, 0)


class BoomError(Exception):
    """An application's error."""


class Telemetry:
    """Providers of spans and log records for an instrumentation."""

    def __init__(self) -> None:
        self.spans = TracerProvider()
        self._spans = InMemorySpanExporter()
        self.spans.add_span_processor(SimpleSpanProcessor(self._spans))
        self.logs = LoggerProvider()
        self._logs = InMemoryLogRecordExporter()
        self.logs.add_log_record_processor(SimpleLogRecordProcessor(self._logs))

    @property
    def finished(self) -> tuple[ReadableSpan, ...]:
        """Return the spans, in the order in which they ended."""
        return self._spans.get_finished_spans()

    @property
    def log_records(self) -> tuple[ReadableLogRecord, ...]:
        """Return the log records."""
        return self._logs.get_finished_logs()

    def scopes(self) -> set[str]:
        """Return the scopes that recorded something, without the part that all of them have."""
        spans = (span.instrumentation_scope for span in self.finished)
        logs = (record.instrumentation_scope for record in self.log_records)
        return {scope.name.removeprefix("opentelemetry.instrumentation.") for scope in (*spans, *logs) if scope}

    @contextlib.contextmanager
    def below_a_command(self) -> Iterator[None]:
        """Enclose what is recorded in the span of a command that never ends, as Click's instrumentation does."""
        command = self.spans.get_tracer("opentelemetry.instrumentation.click").start_span("python -m uvicorn")
        with trace.use_span(command):
            yield

    def events(self, *, batch_spans: int = 1000, **settings: Any) -> Counter[str]:
        """Count the events by type and what they are about. Each is valid, and nothing secret is in one."""
        converter = Converter(
            make_config(session_start="never", **settings),
            new_id=lambda: str(uuid.uuid4()),
            ledger=(ledger := Ledger()),
            log=RateLimitedLog(),
        )
        spans = self.finished
        converted = (
            *(converter.spans(spans[at : at + batch_spans], NOW) for at in range(0, len(spans), batch_spans)),
            converter.log_records(self.log_records, NOW),
            converter.close(NOW),
        )
        assert ledger.pending == 0
        assert not ledger.dropped
        return Counter(
            _described(RumEvent(*event)) for one in converted for events in one.events.values() for event in events
        )


def _described(event: RumEvent) -> str:
    members = event.members
    details = json.loads(members["details"])
    check((event.type, int(members["timestamp"] * 1e9), details))
    assert "SECRET" not in members["details"]
    assert details.get("duration", 1) > 0
    if "targetUrl" in details:
        assert re.fullmatch(r"http://[\w.]+(:\d+)?/[^?#]*", details["targetUrl"])
        assert (details["fileType"] == "image") == details["targetUrl"].endswith(".png")
    if "request" in details:
        assert ("response" in details) != ("error" in details)
        assert details.get("error", {}).get("type") != "Error"
    if "response" in details:
        assert details["response"]["statusText"] == HTTPStatus(details["response"]["status"]).phrase
    if "stack" in details and _name(details["type"]) == BoomError.__name__:
        assert details["message"] == "no"
    return f"{event.type.removeprefix(PREFIX)} {_about(details, json.loads(members['metadata']))}".strip()


def _about(details: dict[str, Any], metadata: dict[str, Any]) -> str:
    if "request" in details:
        outcome = details["response"]["status"] if "response" in details else _name(details["error"]["type"])
        return f"{details['request']['method']} {urlsplit(details['request'].get('url', '')).path} {outcome}"
    if "pageId" in details:
        return str(details["pageId"])
    if "message" in details:
        return f"{_name(details['type'])} in {details.get('filename', '').rpartition('/')[2]}"
    if "targetUrl" in details:
        return str(urlsplit(details["targetUrl"]).path)
    return str(metadata.get("pageId", "")) if "navigationType" in details or "duration" in details else ""


def _name(kind: str) -> str:
    return kind.rpartition(".")[2]
