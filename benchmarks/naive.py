"""A minimal exporter to compare with: a dictionary for each span, the standard library's JSON, and boto3."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind


class NaiveExporter(SpanExporter):
    """An exporter that sends one request for each session of a batch."""

    def __init__(self, *, app_monitor_id: str, endpoint: str, signed: bool = True) -> None:
        self._app_monitor_id = app_monitor_id
        self._client = boto3.client(
            "rum",
            region_name="eu-central-1",
            endpoint_url=endpoint,
            config=Config(inject_host_prefix=False, signature_version=None if signed else UNSIGNED),
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sessions: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for span in spans:
            attributes = dict(span.attributes or {})
            identity = str(attributes.pop("session.id")), str(attributes.pop("user.id"))
            metadata = {"version": "1.0.0", "domain": "museum.example", **span.resource.attributes}
            for kind, details in self._details(span, attributes):
                sessions[identity].append(
                    {
                        "id": str(uuid.uuid4()),
                        "timestamp": datetime.fromtimestamp((span.end_time or 0) / 1e9, tz=timezone.utc),
                        "type": kind,
                        "metadata": json.dumps(metadata),
                        "details": json.dumps(details),
                    }
                )
        for (session_id, user_id), events in sessions.items():
            self._client.put_rum_events(
                Id=self._app_monitor_id,
                BatchId=str(uuid.uuid4()),
                AppMonitorDetails={"id": self._app_monitor_id, "version": "1.0.0"},
                UserDetails={"userId": user_id, "sessionId": session_id},
                RumEvents=events,
            )
        return SpanExportResult.SUCCESS

    def _details(self, span: ReadableSpan, attributes: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        context = span.get_span_context()
        assert context is not None
        details = {
            "version": "1.0.0",
            "name": span.name,
            "traceId": f"{context.trace_id:032x}",
            "spanId": f"{context.span_id:016x}",
            "durationMs": ((span.end_time or 0) - (span.start_time or 0)) / 1e6,
            "status": span.status.status_code.name,
            **attributes,
        }
        if span.kind is SpanKind.CLIENT:
            kind = "com.amazon.rum.http_event"
        elif "app.screen.name" in attributes:
            kind = "com.amazon.rum.page_view_event"
        else:
            kind = "span"
        made = [(kind, details)]
        for event in span.events:
            if event.name == "exception":
                exception = dict(event.attributes or {})
                error = {
                    "version": "1.0.0",
                    "type": exception["exception.type"],
                    "message": exception["exception.message"],
                    "stack": exception["exception.stacktrace"],
                }
                made.append(("com.amazon.rum.js_error_event", error))
        return made
