"""Hostile requests: the gateway responds with success or a client error, and its memory stays bounded."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from otel_rum_exporter.gateway import Gateway, GatewaySettings
from tests.gateway.bodies import json_spans, spans
from tests.otlp.encodings import nested_json_span, nested_protobuf_span
from tests.spans import START_NS, make_config

BODIES = max(2000, int(os.environ.get("FUZZ_REQUESTS", "0")) // 12)
ALLOWED_STATUSES = {200, 400, 413, 415}
MAX_BODY_BYTES = 256 * 1024
MAX_GROWTH_BYTES = 64 * 1024 * 1024

PROTOBUF, JSON = b"application/x-protobuf", b"application/json"
TYPES = (PROTOBUF, PROTOBUF, JSON, JSON, b"application/json; charset=utf-8", b"text/plain", b"")
LOG = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","eventName":"e","body":{}}]}]}]}' % START_NS


class _AcceptingClient:
    """A `rum` client that accepts every request."""

    def put_rum_events(self, **_: Any) -> None:
        """Do nothing."""


SEEDS = (
    spans("work", "more", session_id="s", numbers=(1, 2, 3), ratio=0.5),
    json_spans(
        {"kind": 3, "status": {"code": 2}, "events": [{"name": "exception"}]}, resource={"service.name": "shop"}
    ),
    LOG,
    json_spans(
        {"startTimeUnixNano": "99999999999999999999"}, {"attributes": [{"key": "n", "value": {"intValue": 1e300}}]}
    ),
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":{"doubleValue":NaN}}]}]}]}]}',
    nested_json_span(20),
    nested_json_span(100),
    nested_protobuf_span(20),
    nested_protobuf_span(100),
)
BOMBS = (
    gzip.compress(b"\x0a\x00" * MAX_BODY_BYTES),
    gzip.compress(b"\0" * 8_000_000),
    gzip.compress(b"{" + b" " * 8_000_000 + b"}"),
    gzip.compress(b"[" * (MAX_BODY_BYTES - 1)),
    gzip.compress(b'{"resourceSpans":[' + b"{}," * 80_000 + b"{}]}"),
    gzip.compress(gzip.compress(b"\0" * 8_000_000)),
    b"".join(gzip.compress(b"{") for _ in range(500)),
)


def _mutated(random_source: random.Random, seed: bytes) -> bytes:
    body = bytearray(seed)
    for _ in range(random_source.choice((0, 1, 1, 2, 4, 8))):
        at = random_source.randrange(len(body) + 1)
        until = at + random_source.choice((0, 1, 1, 2, 20))
        body[at:until] = random_source.choice(
            (b"", random_source.randbytes(1), random_source.randbytes(4), bytes(body[at:until]) * 2)
        )
    return bytes(body)


def _request(random_source: random.Random) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    if random_source.random() < 0.01:
        return random_source.choice(BOMBS), [
            (b"content-type", random_source.choice((PROTOBUF, JSON))),
            (b"content-encoding", b"gzip"),
        ]
    seed = random_source.choice(SEEDS)
    body, headers = _mutated(random_source, seed), []
    matching = JSON if seed.startswith(b"{") else PROTOBUF
    headers.append((b"content-type", matching if random_source.random() < 0.8 else random_source.choice(TYPES)))
    compression = random_source.choice((b"", b"", b"", b"gzip", b"deflate", b"identity", b"br"))
    if compression:
        headers.append((b"content-encoding", compression))
        if compression == b"gzip":
            compressed = gzip.compress(body, 1)
            body = compressed if random_source.random() < 0.7 else _mutated(random_source, compressed)
    return body, headers


async def _status(app: ASGIApp, path: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.1", 5),
        "server": ("127.0.0.1", 4318),
    }
    await app(scope, receive, send)
    return statuses[0]


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of this process is read from /proc")
def test_hostile_bodies_are_accepted_or_rejected_within_bounded_memory() -> None:
    """Mutated telemetry, compression bombs, nested values: 200, 400, 413 or 415."""
    settings = GatewaySettings.read(
        {"max_body_bytes": MAX_BODY_BYTES, "client_requests_per_second": 0, "client_bytes_per_second": 0}, {}
    )
    config = make_config(region="eu-central-1", max_requests_per_second=0, max_memory_bytes=16 * 1024 * 1024)
    gateway = Gateway(config, settings, _AcceptingClient())
    random_source = random.Random(20261124)
    statuses: Counter[int] = Counter()

    async def run(bodies: int) -> None:
        for _ in range(bodies):
            body, headers = _request(random_source)
            path = random_source.choice(("/v1/traces", "/v1/traces", "/v1/logs"))
            status = await _status(gateway.app, path, body, headers)
            assert status in ALLOWED_STATUSES, (status, path, headers, body[:2000])
            statuses[status] += 1

    async def run_all() -> tuple[int, int]:
        await run(BODIES // 5)
        before = _resident_bytes()
        await run(BODIES - BODIES // 5)
        return before, _resident_bytes()

    before, after = asyncio.run(run_all())
    gateway.close()
    assert after - before < MAX_GROWTH_BYTES
    assert statuses.keys() == ALLOWED_STATUSES
    assert min(statuses.values()) > BODIES / 2000, statuses
