"""OTLP over HTTP.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import email.utils
import gzip
import json

import pytest
from target import JSON, PATHS, PROTOBUF, Target, both_encodings, gzipped, padded, trace_request, valid_body


@pytest.mark.requirement("H1", "MUST", "spans and log records are accepted on their paths")
@both_encodings
def test_paths(target: Target, signal: str, encoding: str) -> None:
    """Spans are posted to /v1/traces, log records to /v1/logs; success is 200.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    assert target.export(encoding, signal=signal).status == 200


@pytest.mark.requirement("H2", "MUST", "both encodings on one port; the response has the encoding of the request")
@both_encodings
@pytest.mark.parametrize("parameters", ["", "; charset=utf-8", ";charset=UTF-8"])
def test_media_types(target: Target, signal: str, encoding: str, parameters: str) -> None:
    """The Content-Type, with or without parameters, selects the encoding of request and response.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
    """
    response = target.send(PATHS[signal], valid_body(signal, encoding), content_type=encoding + parameters)
    assert (response.status, response.media_type) == (200, encoding)
    response.export(signal)


@pytest.mark.requirement("H3", "MUST", "bodies may be uncompressed or compressed with gzip")
@both_encodings
def test_gzip(target: Target, signal: str, encoding: str) -> None:
    """The server accepts `Content-Encoding: gzip`.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    response = target.export(encoding, gzipped(valid_body(signal, encoding)), signal, content_encoding="gzip")
    assert (response.status, response.export(signal)) == (200, {})


@pytest.mark.requirement("H3", "MUST", "bodies may be uncompressed or compressed with gzip")
@both_encodings
def test_gzip_of_several_members(target: Target, encoding: str) -> None:
    """Streaming writers produce several gzip members in a row, which are one body.

    https://www.rfc-editor.org/rfc/rfc1952#section-2.2
    """
    body = valid_body("traces", encoding)
    members = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert target.export(encoding, members, content_encoding="gzip").export() == {}


@pytest.mark.requirement("H3b", "SHOULD", "an unknown Content-Encoding is rejected")
@both_encodings
def test_unknown_compression(target: Target, encoding: str) -> None:
    """An unknown compression is the client's error.

    https://www.rfc-editor.org/rfc/rfc9110#section-8.4
    """
    response = target.export(encoding, content_encoding="x-conformance")
    assert response.status in {400, 415}


@pytest.mark.requirement("H4", "MUST", "the limit of a request holds before and after decompression: 413")
@both_encodings
@pytest.mark.parametrize("compression", ["identity", "gzip"])
def test_limit(target: Target, encoding: str, compression: str) -> None:
    """A body above the limit is rejected with 413, even if only its decompressed size is too large.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    body = padded(encoding, target.max_body_bytes + 1)
    sent = gzipped(body) if compression == "gzip" else body
    headers = {"content_encoding": "gzip"} if compression == "gzip" else {}
    response = target.export(encoding, sent, **headers)
    assert response.status == 413
    response.status_message()
    assert target.export(encoding).status == 200, "the server continues"


@pytest.mark.requirement("H4", "MUST", "the limit of a request holds before and after decompression: 413")
@both_encodings
def test_limit_is_not_too_low(target: Target, encoding: str) -> None:
    """A body of exactly the limit is accepted.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    body = gzipped(padded(encoding, target.max_body_bytes))
    assert target.export(encoding, body, content_encoding="gzip").status == 200


@pytest.mark.requirement("H5", "SHOULD", "responses are smaller than 4 MiB")
def test_responses_are_short(target: Target) -> None:
    """The response to a request with many errors is limited.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
    """
    request = trace_request(*["conformance"] * 20_000)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.trace_id = b""
    response = target.export(PROTOBUF, request.SerializeToString())
    assert len(response.body) < 4 * 1024 * 1024


@pytest.mark.requirement("H6", "MUST", "full success leaves partial_success unset; an empty request succeeds")
@both_encodings
def test_full_success(target: Target, signal: str, encoding: str) -> None:
    """The response is empty if all records are accepted.

    https://opentelemetry.io/docs/specs/otlp/#full-success-1
    """
    response = target.export(encoding, signal=signal)
    assert (response.status, response.export(signal)) == (200, {})


@pytest.mark.requirement("H6", "MUST", "full success leaves partial_success unset; an empty request succeeds")
@pytest.mark.parametrize(
    ("encoding", "body"), [(PROTOBUF, b""), (JSON, b"{}"), (JSON, b'{"resourceSpans":[]}')], ids=repr
)
def test_empty_request(target: Target, encoding: str, body: bytes) -> None:
    """A request without telemetry is valid.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-request
    """
    response = target.export(encoding, body)
    assert (response.status, response.export()) == (200, {})


@pytest.mark.requirement("H7", "MUST", "partial success is 200 with the number of rejected records and the reason")
@both_encodings
def test_partial_success(target: Target, encoding: str) -> None:
    """A server that accepts a part reports the rest; a server that accepts everything reports nothing.

    https://opentelemetry.io/docs/specs/otlp/#partial-success-1
    """
    if encoding == PROTOBUF:
        request = trace_request("valid", "without an id")
        request.resource_spans[0].scope_spans[0].spans[1].span_id = b""
        body = request.SerializeToString()
    else:
        read = json.loads(valid_body("traces", JSON))
        spans = read["resourceSpans"][0]["scopeSpans"][0]["spans"]
        spans.append({**spans[0], "spanId": ""})
        body = json.dumps(read).encode()
    response = target.export(encoding, body)
    assert response.status == 200
    partial = response.export().get("partialSuccess")
    if partial:
        rejected = int(partial.get("rejectedSpans", partial.get("rejected", 0)))
        assert rejected in {0, 1}
        assert partial["errorMessage"]


invalid_requests = pytest.mark.parametrize(
    ("path", "method", "headers", "body", "statuses"),
    [
        pytest.param("/v1/traces", "POST", {}, b"\x0a\x03abc{", {400}, id="undecodable"),
        pytest.param("/v1/nothing", "POST", {}, b"", {404}, id="unknown path"),
        pytest.param("/v1/traces", "PUT", {}, b"", {405}, id="method"),
        pytest.param("/v1/traces", "POST", {"content_encoding": "x-none"}, b"", {400, 415}, id="compression"),
        pytest.param("/v1/traces", "POST", {"content_encoding": "gzip"}, b"not gzip", {400}, id="broken gzip"),
    ],
)


@pytest.mark.requirement("H8", "MUST", "the body of every error is a Status in the request's encoding")
@both_encodings
@invalid_requests
def test_errors_are_statuses(
    target: Target, encoding: str, path: str, method: str, headers: dict[str, str], body: bytes, statuses: set[int]
) -> None:
    """The client can decode the response to any invalid request.

    https://opentelemetry.io/docs/specs/otlp/#failures-1
    """
    response = target.send(path, body, method=method, content_type=encoding, **headers)
    assert response.status in statuses
    assert response.media_type == encoding
    response.status_message()


@pytest.mark.requirement("H8b", "SHOULD", "an unknown Content-Type is 415")
def test_unknown_media_type(target: Target) -> None:
    """The server does not guess the encoding.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    assert target.send("/v1/traces", b"hello", content_type="text/plain").status in {400, 415}


@pytest.mark.requirement("H9", "MUST", "overload is 429 or 503, with an optional Retry-After")
@both_encodings
def test_overload(target: Target, encoding: str) -> None:
    """An overloaded server makes clients retry, and may set the delay.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-throttling
    """
    with target.overloaded():
        response = target.export(encoding)
    assert response.status in {429, 503}
    response.status_message()
    retry_after = response.headers.get("retry-after")
    if retry_after is not None:
        assert retry_after.isdecimal() or email.utils.parsedate_to_datetime(retry_after)
    assert target.export(encoding).status == 200


@pytest.mark.requirement("H10", "MUST", "an undecodable body is 400, which clients do not retry")
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (PROTOBUF, b"\xff\xff\xff\xff"),
        (PROTOBUF, b"\x0a\x7f"),
        (PROTOBUF, valid_body("traces", PROTOBUF)[:-3]),
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b'"text"'),
        (JSON, b"\xff\xfe{}"),
        (JSON, valid_body("traces", JSON)[:-3]),
    ],
    ids=repr,
)
def test_undecodable(target: Target, encoding: str, body: bytes) -> None:
    """A malformed body is the client's error. A retry would fail again.

    https://opentelemetry.io/docs/specs/otlp/#bad-data
    """
    response = target.export(encoding, body)
    assert response.status == 400
    response.status_message()
