"""Export requests as clients write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from tests.spans import START_NS, make_span

PROTOBUF, JSON = {"content-type": "application/x-protobuf"}, {"content-type": "application/json"}


def spans(*names: str, resource: Mapping[str, Any] | None = None, **attributes: Any) -> bytes:
    """Return a protobuf body with a span of each name."""
    recorded = [
        make_span(name, {name.replace("_", "."): v for name, v in attributes.items()}, resource=resource)
        for name in names
    ]
    return encode_spans(recorded).SerializeToString()


def json_spans(*spans: Mapping[str, Any], resource: Mapping[str, str] | None = None) -> bytes:
    """Return a JSON body with these spans, with ids and times where they are missing."""
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in (resource or {}).items()]
    whole = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": "work",
            "startTimeUnixNano": str(START_NS),
            "endTimeUnixNano": str(START_NS + 5_000_000),
            **span,
        }
        for number, span in enumerate(spans, 1)
    ]
    block = {"resource": {"attributes": attributes}, "scopeSpans": [{"spans": whole}]}
    return json.dumps({"resourceSpans": [block]}).encode()
