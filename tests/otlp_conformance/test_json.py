"""The JSON encoding, and values in both.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from typing import Any

import pytest
from target import JSON, PROTOBUF, SPAN_ID, TRACE_ID, Target, json_span, trace_request


@pytest.mark.requirement("J1", "MUST", "JSON has hex ids, integer enums, integers as text or number, unknown fields")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"traceId": TRACE_ID.upper(), "spanId": SPAN_ID.upper()}, id="ids in upper case"),
        pytest.param({"parentSpanId": SPAN_ID}, id="parent"),
        pytest.param({"parentSpanId": ""}, id="empty parent"),
        pytest.param({"kind": 3, "status": {"code": 2, "message": "no"}}, id="enums are integers"),
        pytest.param({"startTimeUnixNano": "1795000000000000000"}, id="64-bit integer as text"),
        pytest.param({"startTimeUnixNano": 1795000000000000000}, id="64-bit integer as number"),
        pytest.param({"attributes": [{"key": "n", "value": {"intValue": "5"}}]}, id="int value as text"),
        pytest.param({"attributes": [{"key": "n", "value": {"intValue": 5}}]}, id="int value as number"),
        pytest.param({"ofLaterVersions": {"a": [1]}, "another": None}, id="unknown fields"),
        pytest.param({"attributes": [], "events": [], "links": []}, id="empty lists"),
        pytest.param({"flags": 257, "traceState": "a=b"}, id="flags and trace state"),
    ],
)
def test_json(target: Target, fields: dict[str, Any]) -> None:
    """OTLP's JSON differs from protobuf's own. Clients write each of these forms.

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    response = target.export(JSON, json_span(**fields))
    assert (response.status, response.export()) == (200, {})


@pytest.mark.requirement("J1b", "MUST", "JSON ids are not Base64")
def test_base64_ids_are_rejected(target: Target) -> None:
    """An id in Base64, the form of protobuf's JSON, rejects its span or the request.

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    response = target.export(JSON, json_span(traceId="W47/95gDgQPSabYzgT/GDA=="))
    assert response.status == 400 or response.export().get("partialSuccess")


VALUES: list[Any] = [
    {},
    {"stringValue": ""},
    {"boolValue": False},
    {"doubleValue": 1},
    {"doubleValue": "NaN"},
    {"bytesValue": "AQI="},
    {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "mixed"}, {}]}},
    {"kvlistValue": {"values": [{"key": "k", "value": {"kvlistValue": {"values": []}}}]}},
]


@pytest.mark.requirement("J2", "MUST", "attributes may have any value: empty, bytes, mixed lists, maps")
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_values_in_json(target: Target, value: Any) -> None:
    """An attribute's value is any AnyValue.

    https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
    """
    response = target.export(JSON, json_span(attributes=[{"key": "k", "value": value}]))
    assert (response.status, response.export()) == (200, {})


@pytest.mark.requirement("J2", "MUST", "attributes may have any value: empty, bytes, mixed lists, maps")
def test_values_in_protobuf(target: Target) -> None:
    """The same in protobuf.

    https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
    """
    request = trace_request("conformance")
    attributes = request.resource_spans[0].scope_spans[0].spans[0].attributes
    attributes.add(key="empty")
    attributes.add(key="bytes").value.bytes_value = b"\x00\xff"
    attributes.add(key="nan").value.double_value = float("nan")
    mixed = attributes.add(key="mixed").value.array_value.values
    mixed.add().int_value = -(2**63)
    mixed.add().string_value = "mixed"
    mixed.add()
    attributes.add(key="map").value.kvlist_value.values.add(key="k").value.kvlist_value.SetInParent()
    response = target.export(PROTOBUF, request.SerializeToString())
    assert (response.status, response.export()) == (200, {})


@pytest.mark.requirement("J3", "SHOULD", "deeply nested values are no server error")
@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_values(target: Target, depth: int) -> None:
    """A server may limit the depth, but must not fail.

    https://opentelemetry.io/docs/specs/otlp/#bad-data
    """
    value = '{"arrayValue":{"values":[' * depth + "{}" + "]}}" * depth
    body = json_span(attributes=[{"key": "deep", "value": "DEEP"}]).replace(b'"DEEP"', value.encode())
    assert target.export(JSON, body).status in {200, 400, 413}
