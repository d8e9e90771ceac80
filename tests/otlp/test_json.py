"""OTLP in JSON: all forms that clients write, and errors for everything else."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode

from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.otlp import (
    DecodedSpan,
    OtlpError,
    Signal,
    TooManyRecordsError,
    decode_json,
    decode_json_file,
    spelling,
)
from otel_rum_exporter.otlp.model import MAX_IGNORED_PARTS
from tests.otlp.encodings import JSON_SPAN, SPAN_ID, TRACE_ID, Json, fields_of, json_request, json_span
from tests.spans import exception_event, make_span


def _decoded(**fields: Any) -> DecodedSpan:
    result = decode_json(json_request({**JSON_SPAN, **fields}))
    assert result.failures == ()
    return result.spans[0]


def _failure(**fields: Any) -> str:
    result = decode_json(json_request({**JSON_SPAN, **fields}, JSON_SPAN))
    assert len(result.spans) == 1, "the valid span beside it must be decoded"
    return str(result.failures[0]).removeprefix("resourceSpans[0].scopeSpans[0].spans[0].")


def test_empty_log_record_is_valid() -> None:
    """Missing fields are None."""
    (decoded,) = decode_json('{"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}]}]}').log_records
    data = decoded.log_record
    assert (data.timestamp, data.trace_id, data.span_id, data.severity_number, data.body, data.event_name) == (
        None,
    ) * 6
    assert (decoded.resource.attributes, decoded.instrumentation_scope) == ({}, None)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (0, SpanKind.INTERNAL),
        (2, SpanKind.SERVER),
        (5, SpanKind.CONSUMER),
        (99, SpanKind.INTERNAL),
        ("SPAN_KIND_CLIENT", SpanKind.CLIENT),
        ("client", SpanKind.CLIENT),
        (None, SpanKind.INTERNAL),
    ],
)
def test_kind_may_be_a_number_or_a_name(kind: object, expected: SpanKind) -> None:
    """Unknown kinds, for example of later versions of OTLP, are INTERNAL."""
    assert _decoded(kind=kind).kind is expected


def test_an_empty_body_is_not_called_another_encoding() -> None:
    """Only bytes that are no UTF-8 are."""
    for body, is_text in ((b"", True), (b"{", True), (b'{"\xe9', False)):
        with pytest.raises(OtlpError) as raised:
            decode_json(body)
        assert ("not text in UTF-8" not in str(raised.value)) is is_text


def test_status_may_be_a_number_or_a_name() -> None:
    """Only errors keep their description."""
    status = _decoded(status={"code": "STATUS_CODE_ERROR", "message": "no"}).status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "no")
    status = _decoded(status={"code": 1, "message": "yes"}).status
    assert (status.status_code, status.description) == (StatusCode.OK, None)


@pytest.mark.parametrize(("flags", "is_remote"), [(0x301, True), (0x101, False), (0x201, False), (0, False)])
def test_parent_is_remote_if_both_flags_are_set(flags: int, *, is_remote: bool) -> None:
    """Bit 9 is valid only together with bit 8."""
    parent = _decoded(flags=flags, parentSpanId=SPAN_ID).parent
    assert parent is not None
    assert parent.is_remote is is_remote


IN_BYTES = [*bytes.fromhex(SPAN_ID)]


@pytest.mark.parametrize(
    "span_id",
    [
        *(f"0x{SPAN_ID}", SPAN_ID.upper(), IN_BYTES, {"type": "Buffer", "data": IN_BYTES}),
        {str(index): byte for index, byte in enumerate(IN_BYTES)},
    ],
)
def test_ids_of_other_libraries_are_read(span_id: object) -> None:
    """Their JSON has bytes, or the digits of a number."""
    assert _decoded(spanId=span_id).context.span_id == int(SPAN_ID, 16)


def test_a_trace_id_may_be_a_uuid_or_have_64_bits() -> None:
    """As other tracing systems have."""
    for trace_id, expected in (
        ("5b8efff7-9803-8103-d269-b633813fc600", 0x5B8EFFF798038103D269B633813FC600),
        ("1f" * 8, 0x1F1F1F1F1F1F1F1F),
    ):
        assert _decoded(traceId=trace_id).context.trace_id == expected


TIME_NS = 1_795_046_400_000_000_000


@pytest.mark.parametrize(
    "time",
    [
        *(TIME_NS, str(TIME_NS), float(TIME_NS), [TIME_NS // 10**9, 0], "2026-11-19T00:00:00Z", "2026-11-19T00:00:00"),
        *(
            "2026-11-19T01:00:00.000000000+01:00",
            {"low": TIME_NS % 2**32 - 2**32, "high": TIME_NS >> 32, "unsigned": True},
        ),
    ],
)
def test_times_of_other_libraries_are_read(time: object) -> None:
    """protobuf.js writes two halves, Node seconds and nanoseconds, and others a date."""
    assert _decoded(startTimeUnixNano=time).start_time == TIME_NS


@pytest.mark.parametrize("parent", [None, "", "0" * 16])
def test_root_span_has_no_parent(parent: object) -> None:
    """Exporters write it in three ways."""
    assert _decoded(parentSpanId=parent).parent is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        (None, None),
        ({"intValue": 5}, 5),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 5.0}, 5),
        ({"doubleValue": 5}, 5.0),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"bytesValue": "-_8"}, b"\xfb\xff"),
        ({"bytesValue": "+/8="}, b"\xfb\xff"),
        ({"arrayValue": {}}, ()),
        ({"kvlistValue": {"values": []}}, {}),
        ({"stringValue": ""}, ""),
        ({"boolValue": False}, False),
    ],
)
def test_all_forms_of_values_are_decoded(value: object, expected: object) -> None:
    """Integers are numbers or strings, bytes are Base64 of either alphabet, and an empty value is None."""
    assert _decoded(attributes=[{"key": "k", "value": value}]).attributes == {"k": expected}


def test_lone_surrogate_is_accepted() -> None:
    """JavaScript escapes half of a surrogate pair, which strict parsers reject. The mapping replaces it."""
    assert SpanView.of(_decoded(name="cut \ud83d")).name == "cut ?"


def test_unknown_fields_are_ignored() -> None:
    """Later versions add some."""
    assert _decoded(later={"a": []}).parent is None


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"traceId": "W47/95gDgQPSabYzgT"}, "traceId is 'W47/95gDgQPSabYzgT', not 32 hex digits"),
        ({"spanId": 7}, "spanId is 7, not a string"),
        ({"spanId": "0x12345678901234"}, "spanId is '0x12345678901234', not 16 hex digits"),
        ({"traceId": [1, 2, 3]}, "traceId is a list, not a string"),
        ({"traceId": {"type": "Buffer", "data": "x"}}, "traceId is an object, not a string"),
    ],
)
def test_malformed_span_is_rejected_with_path_and_reason(fields: Json, failure: str) -> None:
    """The valid span beside it is decoded."""
    assert _failure(**fields) == failure


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"name": ["x"]}, "name is a list, not a string"),
        ({"kind": "CALL"}, f"kind is 'CALL', not an integer from {-(2**31)} to {2**31 - 1}"),
        ({"startTimeUnixNano": -1}, f"startTimeUnixNano is -1, not an integer from 0 to {2**64 - 1}"),
        ({"endTimeUnixNano": "soon"}, f"endTimeUnixNano is 'soon', not an integer from 0 to {2**64 - 1}"),
        ({"status": []}, "status is a list, not an object"),
        ({"attributes": {"a": 1}}, "attributes is an object, not a list"),
        ({"attributes": [{"Key": "a", "Value": {}}]}, "attributes[0].key is missing"),
        (
            {"attributes": [{"key": "a", "value": {"Text": 1}}]},
            "attributes[0].value has 'Text', and none of OTLP's kinds of values",
        ),
        ({"attributes": [{"key": "k", "value": "v"}]}, "attributes[0].value is 'v', not an object"),
        (
            {"attributes": [{"key": "k", "value": {"arrayValue": {"values": [{}, {"boolValue": 1}]}}}]},
            "attributes[0].value.arrayValue.values[1].boolValue is 1, neither true nor false",
        ),
        ({"events": [{"attributes": 3}]}, "events[0].attributes is 3, not a list"),
        ({"attributes": [{"value": {"bytesValue": "?"}}]}, "attributes[0].value.bytesValue is '?', not Base64"),
        ({"attributes": [{"value": {"doubleValue": "x"}}]}, "attributes[0].value.doubleValue is 'x', not a number"),
        ({"flags": True}, f"flags is true, not an integer from 0 to {2**32 - 1}"),
        ({"droppedLinksCount": -1}, f"droppedLinksCount is -1, not an integer from 0 to {2**32 - 1}"),
        ({"parentSpanId": "x"}, "parentSpanId is 'x', not 16 hex digits"),
        ({"events": [{"name": 1}]}, "events[0].name is 1, not a string"),
        ({"links": [{"traceId": "0" * 32, "spanId": SPAN_ID}]}, "links[0].traceId is missing or all zeros"),
        ({"links": 1}, "links is 1, not a list"),
    ],
)
def test_malformed_part_costs_only_itself(fields: Json, failure: str) -> None:
    """The span is decoded without it. The failure has path and reason."""
    good = {"key": "good", "value": {"stringValue": "yes"}}
    attributes = fields.get("attributes", [])
    given = {**JSON_SPAN, **fields}
    if isinstance(attributes, list):
        given["attributes"] = [*attributes, good]
    result = decode_json(json_request(given, JSON_SPAN))
    assert (len(result.spans), result.rejected) == (2, 0)
    assert [str(one) for one in result.failures] == [
        f"resourceSpans[0].scopeSpans[0].spans[0].{failure}; it is ignored"
    ]
    if isinstance(attributes, list):
        assert result.spans[0].attributes["good"] == "yes"
        assert result.spans[0].dropped_attributes == len(attributes)
    assert result.spans[0].dropped_links == ("links" in fields and isinstance(fields["links"], list))


def test_malformed_parts_of_a_log_record_cost_only_themselves() -> None:
    """Also its ids, because a log record needs none."""
    record = {"eventName": "e", "traceId": "x", "spanId": 1, "timeUnixNano": -1, "severityNumber": "bad", "flags": "x"}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{**record, "body": {"arrayValue": 1}, "attributes": 1}]}]}]}
    result = decode_json(json.dumps(body))
    (decoded,) = result.log_records
    assert decoded.log_record.event_name == "e"
    assert (result.rejected, len(result.failures)) == (0, 7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (18446744073709552000, 2**64),
        (1e300, int(1e300)),
        (1.5, 1.5),
        ("1.5", 1.5),
        ("9223372036854775808", 2**63),
        (-(2**70), -(2**70)),
    ],
)
def test_an_integer_of_any_size_is_a_number(value: object, expected: float) -> None:
    """JavaScript's exporters write each integral number as an integer."""
    assert _decoded(attributes=[{"key": "k", "value": {"intValue": value}}]).attributes == {"k": expected}


@pytest.mark.parametrize(
    "spelled",
    [
        lambda text: text.replace("scopeSpans", "instrumentationLibrarySpans").replace(
            '"scope"', '"instrumentationLibrary"'
        ),
        lambda text: re.sub(r'"([a-z]+[A-Z]\w*)":', lambda name: f'"{_snake(name[1])}":', text),
        lambda text: text.replace("scopeSpans", "instrumentation_library_spans"),
        lambda text: text.replace(TRACE_ID, _base64(TRACE_ID)).replace(SPAN_ID, _base64(SPAN_ID)),
        lambda text: text.replace(SPAN_ID, _base64(SPAN_ID).rstrip("=")),
    ],
)
@pytest.mark.parametrize("signal", [None, *Signal])
def test_another_spelling_of_otlp_is_read(spelled: Callable[[str], str], signal: Signal | None) -> None:
    """Versions before 0.15, protobuf's field names and its form of ids; each has one meaning."""
    span = json_span(make_span("work", {"a_b": 1, "instrumentationLibrarySpans": "x"}, events=[exception_event()]))
    span |= {"traceId": TRACE_ID, "spanId": SPAN_ID, "parentSpanId": SPAN_ID}
    body = json_request(span, resource={"service_name": "shop"}, scope={"name": "s"}).decode()
    expected, found = decode_json(body), decode_json(spelled(body), signal)
    assert found.failures == ()
    assert list(map(fields_of, found.spans)) == list(map(fields_of, expected.spans))


def test_a_list_of_requests_is_searched_for_other_spellings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search for each of a million empty requests takes hours."""
    searches: list[bytes] = []
    monkeypatch.setattr(spelling, "_MAYBE_OTHER_SPELLING", SimpleNamespace(search=searches.append))
    body = json.dumps([{"resourceSpans": []}, {"resourceLogs": []}, json.loads(json_request(JSON_SPAN))])
    assert len(decode_json(body).spans) == 1
    assert searches == [body.encode()]


@pytest.mark.parametrize("signal", Signal)
def test_the_signal_of_a_body_is_its_own(signal: Signal) -> None:
    """Spans that are sent to the path of logs are read."""
    log = {"scopeLogs": [{"logRecords": [{"eventName": "e"}]}]}
    for body, expected in ((json_request(JSON_SPAN), (1, 0)), (json.dumps({"resourceLogs": [log]}), (0, 1))):
        result = decode_json(body, signal)
        assert (len(result.spans), len(result.log_records)) == expected


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        ({"spans": [JSON_SPAN]}, "spans is not read: OTLP has resourceSpans here"),
        ({"resourceSpans": [{"spans": [JSON_SPAN]}]}, "resourceSpans[0].spans is not read: OTLP has scopeSpans here"),
        (
            {"resourceSpans": [{"scopeSpans": [{"traces": [JSON_SPAN]}]}]},
            "resourceSpans[0].scopeSpans[0].traces is not read: OTLP has spans here",
        ),
        ({"resourceMetrics": [{}]}, "resourceMetrics is not for RUM: only spans and log records are"),
    ],
)
def test_a_body_of_unknown_members_names_them(body: Json, failure: str) -> None:
    """It is not an empty request."""
    result = decode_json(json.dumps(body), Signal.TRACES)
    assert (result.records, [str(one) for one in result.failures]) == ((), [failure])


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def _base64(hex_id: str) -> str:
    return base64.b64encode(bytes.fromhex(hex_id)).decode()


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        ({"resourceSpans": 5}, "resourceSpans is 5, not a list"),
        ({"resourceSpans": [None]}, "resourceSpans[0] is null, not an object"),
        ({"resourceSpans": [{"resource": 1}]}, "resourceSpans[0].resource is 1, not an object"),
        (
            {"resourceSpans": [{"scopeSpans": [{"scope": {"name": 1}}]}]},
            "resourceSpans[0].scopeSpans[0].scope.name is 1, not a string; it is ignored",
        ),
        (
            {"resourceSpans": [{"resource": {"attributes": [{"key": "k", "value": 1}]}}]},
            "resourceSpans[0].resource.attributes[0].value is 1, not an object; it is ignored",
        ),
        ({"resourceMetrics": []}, "resourceMetrics is not for RUM: only spans and log records are"),
    ],
)
def test_malformed_block_is_rejected_with_path_and_reason(body: Json, failure: str) -> None:
    """Above the records, a failure rejects the whole block."""
    result = decode_json(json.dumps(body))
    assert [str(one) for one in result.failures] == [failure]
    assert result.records == ()


@pytest.mark.parametrize("part", ["links", "events", "attributes"])
def test_span_with_many_malformed_parts_is_rejected(part: str) -> None:
    """Two bytes of JSON can be a malformed part. The span beside it is decoded."""
    malformed = {**JSON_SPAN, part: [0] * (MAX_IGNORED_PARTS + 1)}
    result = decode_json(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [malformed, JSON_SPAN]}]}]}))
    assert (len(result.spans), result.rejected, result.ignored) == (1, 1, 0)
    assert [str(one) for one in result.failures] == [
        f"resourceSpans[0].scopeSpans[0].spans[0] has more than {MAX_IGNORED_PARTS} malformed parts"
    ]


@pytest.mark.parametrize("part", ["events", "links"])
def test_an_event_or_link_counts_as_several_values(part: str) -> None:
    """Three bytes can be an event of hundreds of bytes in memory: a request of 8 MB took more than a gigabyte."""
    body = json_request({**JSON_SPAN, part: [{"traceId": TRACE_ID, "spanId": SPAN_ID}] * 250})
    assert len(decode_json(body, max_records=125).spans) == 1
    with pytest.raises(TooManyRecordsError, match="more than 2480 values"):
        decode_json(body, max_records=124)


@pytest.mark.parametrize(
    ("resource", "failure"),
    [
        ("shop", ".resource is 'shop', not an object"),
        ({"attributes": {"service.name": "shop"}}, ".resource.attributes is an object, not a list"),
        (
            {"attributes": [0] * (MAX_IGNORED_PARTS + 1)},
            f".resource has more than {MAX_IGNORED_PARTS} malformed parts",
        ),
    ],
)
def test_malformed_resource_rejects_all_its_spans(resource: object, failure: str) -> None:
    """As in protobuf. It may have named another app monitor than the default one."""
    bad = {"resource": resource, "scopeSpans": [{"spans": [JSON_SPAN, JSON_SPAN]}]}
    result = decode_json(json.dumps({"resourceSpans": [bad, {"scopeSpans": [{"spans": [JSON_SPAN]}]}]}))
    assert (len(result.spans), result.rejected) == (1, 2)
    assert [str(one) for one in result.failures] == [f"resourceSpans[0]{failure}"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON: "),
        (b"\xff\xfe\x00", "not JSON: "),
        (b"\x0a\x03abc", "not JSON: "),
        (b"[" * 100_000, "not JSON: "),
        (b"[]", "JSON, but not OTLP: it is a list, not an object"),
        (b"null", "JSON, but not OTLP: it is null, not an object"),
        (b'{"resources": []}', "JSON, but not OTLP: it has neither resourceSpans nor resourceLogs"),
    ],
)
def test_other_input_is_an_otlp_error(body: bytes, reason: str) -> None:
    """The message has the reason."""
    with pytest.raises(OtlpError, match=reason):
        decode_json(body)


ARBITRARY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(TRACE_ID) | st.just(SPAN_ID),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resource", "attributes", "key", "value", "values", "intValue", "arrayValue", "kvlistValue"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@given(
    st.dictionaries(
        st.sampled_from([*json_span(make_span()), "parentSpanId", "body", "severityNumber", "eventName"]),
        ARBITRARY,
        max_size=6,
    ),
    st.sampled_from(["resource", "scope", "scopeSpans", "spans", "other"]),
    ARBITRARY,
)
def test_arbitrary_fields_raise_nothing(fields: Json, place: str, arbitrary: object) -> None:
    """The result is records that the mapping can read, and failures."""
    scope_block = {"spans": [{**JSON_SPAN, **fields}, JSON_SPAN], "logRecords": [fields], place: arbitrary}
    resource = {place: arbitrary} if place == "resource" else {}
    block = {"scopeSpans": [scope_block], "scopeLogs": [scope_block], **resource}
    result = decode_json(json.dumps({"resourceSpans": [block], "resourceLogs": [block]}))
    for record in result.records:
        assert (SpanView.of(record) if isinstance(record, DecodedSpan) else LogView.of(record)).id_parts
    assert all(str(failure) for failure in result.failures)


@given(st.binary() | st.text() | ARBITRARY.map(json.dumps))
def test_arbitrary_bodies_raise_only_otlp_errors(body: bytes | str) -> None:
    """Also as a file."""
    content = body.encode() if isinstance(body, str) else body
    for decode in (decode_json, decode_json_file):
        with contextlib.suppress(OtlpError):
            decode(content)
