"""OTLP over HTTP: what clients do with connections, chunked bodies and origins.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection
"""

from __future__ import annotations

import pytest
from target import JSON, Target, both_encodings, gzipped, valid_body


@pytest.mark.requirement("H11", "SHOULD", "the same request may be sent again")
@both_encodings
def test_repeated_request(target: Target, encoding: str) -> None:
    """A client without a response repeats a request that the server may have accepted.

    https://opentelemetry.io/docs/specs/otlp/#all-other-responses
    """
    with target.connection() as connection:
        statuses = [
            target.send_on(connection, "/v1/traces", valid_body("traces", encoding), content_type=encoding).status
            for _ in range(3)
        ]
    assert statuses == [200] * 3


@pytest.mark.requirement("H12", "SHOULD", "a connection stays open after success and after an error")
def test_connections_are_kept(target: Target) -> None:
    """Clients reuse their connections, also after an error response.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection
    """
    with target.connection() as connection:
        for body, status in ((valid_body("traces", JSON), 200), (b"{", 400), (valid_body("traces", JSON), 200)):
            assert target.send_on(connection, "/v1/traces", body, content_type=JSON).status == status


@pytest.mark.requirement("X1", "MUST", "bodies may be chunked, without a Content-Length")
@both_encodings
@pytest.mark.parametrize("compression", ["identity", "gzip"])
@pytest.mark.parametrize("size", [7, 1000])
def test_chunked(target: Target, encoding: str, compression: str, size: int) -> None:
    """OpenTelemetry's JavaScript exporter sends no Content-Length.

    https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    """
    body = valid_body("traces", encoding)
    sent = gzipped(body) if compression == "gzip" else body
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    response = target.send("/v1/traces", pieces, content_type=encoding, content_encoding=compression)
    assert (response.status, response.export()) == (200, {})


@pytest.mark.requirement("X1", "MUST", "bodies may be chunked, without a Content-Length")
def test_chunked_and_too_large(target: Target) -> None:
    """The limit applies to bodies without a Content-Length.

    https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
    """
    block = b" " * 65536
    pieces = [block] * (target.max_body_bytes // len(block) + 1)
    assert target.send("/v1/traces", pieces, content_type=JSON).status == 413


@pytest.mark.requirement("X2", "MAY", "browsers may send from an allowed origin")
@both_encodings
def test_cors(target: Target, encoding: str) -> None:
    """The preflight response allows method and headers, and pages can read the response.

    https://fetch.spec.whatwg.org/#http-cors-protocol
    """
    if target.origin is None:
        pytest.skip("--origin is not set")
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
    response = target.export(encoding, origin=target.origin)
    assert (response.status, response.headers["access-control-allow-origin"]) in {(200, target.origin), (200, "*")}
    broken = target.export(encoding, b"{", origin=target.origin)
    assert "access-control-allow-origin" in broken.headers, "pages can read the error"


@pytest.mark.requirement("X2", "MAY", "browsers may send from an allowed origin")
def test_cors_of_others(target: Target) -> None:
    """An origin that is not allowed gets no CORS headers.

    https://fetch.spec.whatwg.org/#http-cors-protocol
    """
    if target.origin is None:
        pytest.skip("--origin is not set")
    other = "https://other.example"
    for response in (
        target.send("/v1/traces", method="OPTIONS", origin=other, access_control_request_method="POST"),
        target.export(JSON, origin=other),
    ):
        assert response.headers.get("access-control-allow-origin") not in {other, "*"}


@pytest.mark.requirement("X3", "SHOULD", "slow clients do not delay others")
def test_slow_clients(target: Target) -> None:
    """Many requests with unfinished bodies do not block a complete one.

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
