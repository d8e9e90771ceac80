"""OTLP over HTTP.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import email.utils
import gzip
import json

import pytest
from target import ENCODINGS, JSON, PATHS, PROTOBUF, Target, padded, sound, trace_request, zipped

REFUSALS = pytest.mark.parametrize("encoding", ENCODINGS, ids=["protobuf", "json"])


@pytest.mark.duty("H1", "MUST", "traces and logs are taken under their paths")
@REFUSALS
def test_paths(target: Target, signal: str, encoding: str) -> None:
    """Spans are posted to /v1/traces, log records to /v1/logs; success is 200.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    assert target.export(encoding, signal=signal).status == 200


@pytest.mark.duty("H2", "MUST", "both encodings on one port; the answer has the request's")
@REFUSALS
@pytest.mark.parametrize("parameters", ["", "; charset=utf-8", ";charset=UTF-8"])
def test_media_types(target: Target, signal: str, encoding: str, parameters: str) -> None:
    """The Content-Type says which encoding a body has, with parameters or without, and the answer's is the same.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
    """
    answer = target.send(PATHS[signal], sound(signal, encoding), content_type=encoding + parameters)
    assert (answer.status, answer.media_type) == (200, encoding)
    answer.export(signal)


@pytest.mark.duty("H3", "MUST", "bodies come uncompressed or compressed by gzip")
@REFUSALS
def test_gzip(target: Target, signal: str, encoding: str) -> None:
    """Content-Encoding: gzip is understood.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    answer = target.export(encoding, zipped(sound(signal, encoding)), signal, content_encoding="gzip")
    assert (answer.status, answer.export(signal)) == (200, {})


@pytest.mark.duty("H3", "MUST", "bodies come uncompressed or compressed by gzip")
@REFUSALS
def test_gzip_of_several_members(target: Target, encoding: str) -> None:
    """A gzip file may be several in a row, which streaming writers make.

    https://www.rfc-editor.org/rfc/rfc1952#section-2.2
    """
    body = sound("traces", encoding)
    members = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert target.export(encoding, members, content_encoding="gzip").export() == {}


@pytest.mark.duty("H3b", "SHOULD", "an unknown Content-Encoding is refused, not misread")
@REFUSALS
def test_unknown_compression(target: Target, encoding: str) -> None:
    """What is compressed in a way the server does not know is the client's error.

    https://www.rfc-editor.org/rfc/rfc9110#section-8.4
    """
    answer = target.export(encoding, content_encoding="x-conformance")
    assert answer.status in {400, 415}


@pytest.mark.duty("H4", "MUST", "the limit of a request holds before and after decompression: 413")
@REFUSALS
@pytest.mark.parametrize("compression", ["identity", "gzip"])
def test_limit(target: Target, encoding: str, compression: str) -> None:
    """A body larger than the limit is refused with 413, also where only what is in it is too large.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    body = padded(encoding, target.max_body_bytes + 1)
    sent = zipped(body) if compression == "gzip" else body
    headers = {"content_encoding": "gzip"} if compression == "gzip" else {}
    answer = target.export(encoding, sent, **headers)
    assert answer.status == 413
    answer.status_message()
    assert target.export(encoding).status == 200, "the server goes on"


@pytest.mark.duty("H4", "MUST", "the limit of a request holds before and after decompression: 413")
@REFUSALS
def test_limit_is_not_too_low(target: Target, encoding: str) -> None:
    """A body as large as the limit is taken.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    body = zipped(padded(encoding, target.max_body_bytes))
    assert target.export(encoding, body, content_encoding="gzip").status == 200


@pytest.mark.duty("H5", "SHOULD", "answers stay below 4 MiB")
def test_answers_are_short(target: Target) -> None:
    """However much is wrong with a request, its answer has a bound.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
    """
    request = trace_request(*["conformance"] * 20_000)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.trace_id = b""
    answer = target.export(PROTOBUF, request.SerializeToString())
    assert len(answer.body) < 4 * 1024 * 1024


@pytest.mark.duty("H6", "MUST", "full success leaves partial_success unset; an empty request succeeds")
@REFUSALS
def test_full_success(target: Target, signal: str, encoding: str) -> None:
    """Where everything was taken the response says nothing else.

    https://opentelemetry.io/docs/specs/otlp/#full-success-1
    """
    answer = target.export(encoding, signal=signal)
    assert (answer.status, answer.export(signal)) == (200, {})


@pytest.mark.duty("H6", "MUST", "full success leaves partial_success unset; an empty request succeeds")
@pytest.mark.parametrize(
    ("encoding", "body"), [(PROTOBUF, b""), (JSON, b"{}"), (JSON, b'{"resourceSpans":[]}')], ids=repr
)
def test_empty_request(target: Target, encoding: str, body: bytes) -> None:
    """A request without telemetry is none the worse.

    https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-request
    """
    answer = target.export(encoding, body)
    assert (answer.status, answer.export()) == (200, {})


@pytest.mark.duty("H7", "MUST", "partial success is 200 with how many were rejected, and why")
@REFUSALS
def test_partial_success(target: Target, encoding: str) -> None:
    """A partly accepted request has the number of rejected records; a fully accepted one has none.

    https://opentelemetry.io/docs/specs/otlp/#partial-success-1
    """
    if encoding == PROTOBUF:
        request = trace_request("sound", "without an id")
        request.resource_spans[0].scope_spans[0].spans[1].span_id = b""
        body = request.SerializeToString()
    else:
        read = json.loads(sound("traces", JSON))
        spans = read["resourceSpans"][0]["scopeSpans"][0]["spans"]
        spans.append({**spans[0], "spanId": ""})
        body = json.dumps(read).encode()
    answer = target.export(encoding, body)
    assert answer.status == 200
    partial = answer.export().get("partialSuccess")
    if partial:
        rejected = int(partial.get("rejectedSpans", partial.get("rejected", 0)))
        assert rejected in {0, 1}
        assert partial["errorMessage"]


WRONG = pytest.mark.parametrize(
    ("path", "method", "headers", "body", "statuses"),
    [
        pytest.param("/v1/traces", "POST", {}, b"\x0a\x03abc{", {400}, id="undecodable"),
        pytest.param("/v1/nothing", "POST", {}, b"", {404}, id="unknown path"),
        pytest.param("/v1/traces", "PUT", {}, b"", {405}, id="method"),
        pytest.param("/v1/traces", "POST", {"content_encoding": "x-none"}, b"", {400, 415}, id="compression"),
        pytest.param("/v1/traces", "POST", {"content_encoding": "gzip"}, b"not gzip", {400}, id="broken gzip"),
    ],
)


@pytest.mark.duty("H8", "MUST", "the body of every error is a Status in the request's encoding")
@REFUSALS
@WRONG
def test_errors_are_statuses(
    target: Target, encoding: str, path: str, method: str, headers: dict[str, str], body: bytes, statuses: set[int]
) -> None:
    """Whatever is wrong with a request, the answer can be read by who sent it.

    https://opentelemetry.io/docs/specs/otlp/#failures-1
    """
    answer = target.send(path, body, method=method, content_type=encoding, **headers)
    assert answer.status in statuses
    assert answer.media_type == encoding
    answer.status_message()


@pytest.mark.duty("H8b", "SHOULD", "an unknown Content-Type is 415")
def test_unknown_media_type(target: Target) -> None:
    """A body of no encoding of OTLP is not guessed at.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    assert target.send("/v1/traces", b"hello", content_type="text/plain").status in {400, 415}


@pytest.mark.duty("H9", "MUST", "overload is 429 or 503, with Retry-After where the server knows when")
@REFUSALS
def test_overload(target: Target, encoding: str) -> None:
    """A server without room says so in a way that clients retry, and may say when.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-throttling
    """
    with target.overloaded():
        answer = target.export(encoding)
    assert answer.status in {429, 503}
    answer.status_message()
    retry_after = answer.headers.get("retry-after")
    if retry_after is not None:
        assert retry_after.isdecimal() or email.utils.parsedate_to_datetime(retry_after)
    assert target.export(encoding).status == 200


@pytest.mark.duty("H10", "MUST", "what cannot be decoded is 400, which is not retried")
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (PROTOBUF, b"\xff\xff\xff\xff"),
        (PROTOBUF, b"\x0a\x7f"),
        (PROTOBUF, sound("traces", PROTOBUF)[:-3]),
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"[]"),
        (JSON, b'"text"'),
        (JSON, b"\xff\xfe{}"),
        (JSON, sound("traces", JSON)[:-3]),
    ],
    ids=repr,
)
def test_undecodable(target: Target, encoding: str, body: bytes) -> None:
    """A malformed body is the client's error, and no better the next time.

    https://opentelemetry.io/docs/specs/otlp/#bad-data
    """
    answer = target.export(encoding, body)
    assert answer.status == 400
    answer.status_message()


@pytest.mark.duty("H11", "SHOULD", "the same request may come again")
@REFUSALS
def test_repeated_request(target: Target, encoding: str) -> None:
    """A client that got no answer sends again what the server may have taken already.

    https://opentelemetry.io/docs/specs/otlp/#all-other-responses
    """
    with target.connection() as connection:
        statuses = [
            target.ask(connection, "/v1/traces", sound("traces", encoding), content_type=encoding).status
            for _ in range(3)
        ]
    assert statuses == [200] * 3


@pytest.mark.duty("H12", "SHOULD", "a connection stays open after success and after an error")
def test_connections_are_kept(target: Target) -> None:
    """Clients keep their connections; an error that was answered costs none.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection
    """
    with target.connection() as connection:
        for body, status in ((sound("traces", JSON), 200), (b"{", 400), (sound("traces", JSON), 200)):
            assert target.ask(connection, "/v1/traces", body, content_type=JSON).status == status


@pytest.mark.duty("X1", "MUST", "bodies may come chunked, without a Content-Length")
@REFUSALS
@pytest.mark.parametrize("compression", ["identity", "gzip"])
@pytest.mark.parametrize("size", [7, 1000])
def test_chunked(target: Target, encoding: str, compression: str, size: int) -> None:
    """OpenTelemetry's JavaScript exporter sends no Content-Length.

    https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    """
    body = sound("traces", encoding)
    sent = zipped(body) if compression == "gzip" else body
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    answer = target.send("/v1/traces", pieces, content_type=encoding, content_encoding=compression)
    assert (answer.status, answer.export()) == (200, {})


@pytest.mark.duty("X1", "MUST", "bodies may come chunked, without a Content-Length")
def test_chunked_and_too_large(target: Target) -> None:
    """The limit needs no Content-Length to hold.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    block = b" " * 65536
    pieces = [block] * (target.max_body_bytes // len(block) + 1)
    assert target.send("/v1/traces", pieces, content_type=JSON).status == 413


@pytest.mark.duty("X2", "MAY", "browsers may send from an origin that is allowed")
@REFUSALS
def test_cors(target: Target, encoding: str) -> None:
    """The preflight allows method and headers, and the answer itself may be read by the page.

    https://fetch.spec.whatwg.org/#http-cors-protocol
    """
    if target.origin is None:
        pytest.skip("no --origin is given")
    preflight = target.send(
        "/v1/traces",
        method="OPTIONS",
        origin=target.origin,
        access_control_request_method="POST",
        access_control_request_headers="content-type,x-custom",
    )
    allowed = preflight.headers
    assert preflight.status in {200, 204}
    assert allowed["access-control-allow-origin"] in {target.origin, "*"}
    assert "POST" in allowed.get("access-control-allow-methods", "POST")
    assert "content-type" in allowed["access-control-allow-headers"].lower()
    answer = target.export(encoding, origin=target.origin)
    assert (answer.status, answer.headers["access-control-allow-origin"]) in {(200, target.origin), (200, "*")}
    broken = target.export(encoding, b"{", origin=target.origin)
    assert "access-control-allow-origin" in broken.headers, "a page may read why it was refused"


@pytest.mark.duty("X2", "MAY", "browsers may send from an origin that is allowed")
def test_cors_of_others(target: Target) -> None:
    """An origin that is not allowed gets no CORS headers.

    https://fetch.spec.whatwg.org/#http-cors-protocol
    """
    if target.origin is None:
        pytest.skip("no --origin is given")
    other = "https://other.example"
    for answer in (
        target.send("/v1/traces", method="OPTIONS", origin=other, access_control_request_method="POST"),
        target.export(JSON, origin=other),
    ):
        assert answer.headers.get("access-control-allow-origin") not in {other, "*"}


@pytest.mark.duty("X3", "SHOULD", "a client that sends slowly holds up no other")
def test_slow_clients(target: Target) -> None:
    """Many requests whose bodies never end leave room for one that does.

    https://github.com/open-telemetry/opentelemetry-collector/tree/main/config/confighttp
    """
    unfinished = []
    try:
        for _ in range(32):
            opened = target.connection()
            connection = opened.__enter__()
            unfinished.append(opened)
            connection.putrequest("POST", "/v1/traces")
            for name, value in {"Content-Type": JSON, "Content-Length": "100000", **target.headers}.items():
                connection.putheader(name, value)
            connection.endheaders(b'{"resourceSpans":')
        assert target.export(JSON).status == 200
    finally:
        for opened in unfinished:
            opened.__exit__(None, None, None)
