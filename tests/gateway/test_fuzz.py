"""Whatever is sent, the gateway answers that it took it or that the sender is wrong, and holds no memory for it."""

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
from tests.spans import START_NS, make_config

BODIES = int(os.environ.get("FUZZ_REQUESTS", "5000"))
ALLOWED = {200, 400, 413, 415}
MAX_BODY_BYTES = 256 * 1024
MAX_GROWTH_BYTES = 64 * 1024 * 1024

PROTOBUF, JSON = b"application/x-protobuf", b"application/json"
TYPES = (PROTOBUF, PROTOBUF, JSON, JSON, b"application/json; charset=utf-8", b"text/plain", b"")
LOG = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","eventName":"e","body":{}}]}]}]}' % START_NS


class _AcceptingClient:
    """A `rum` client that accepts every request."""

    def put_rum_events(self, **_: Any) -> None:
        """Do nothing."""


def _nested(depth: int) -> bytes:
    value = b'{"arrayValue":{"values":[' * depth + b"{}" + b"]}}" * depth
    return json_spans({"attributes": [{"key": "k", "value": "HERE"}]}).replace(b'"HERE"', value)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, 0x80 | len(content) & 0x7F, len(content) >> 7]) + content


def _nested_protobuf(depth: int) -> bytes:
    value = _field(1, b"x")
    for _ in range(depth):
        value = _field(5, _field(1, value))
    span = _field(1, b"t" * 16) + _field(2, b"s" * 8) + _field(9, _field(1, b"k") + _field(2, value))
    return _field(1, _field(2, _field(2, span)))


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
    _nested(20),
    _nested(100),
    _nested_protobuf(20),
    _nested_protobuf(100),
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


def _mutated(chance: random.Random, seed: bytes) -> bytes:
    body = bytearray(seed)
    for _ in range(chance.choice((0, 1, 1, 2, 4, 8))):
        at = chance.randrange(len(body) + 1)
        until = at + chance.choice((0, 1, 1, 2, 20))
        body[at:until] = chance.choice((b"", chance.randbytes(1), chance.randbytes(4), bytes(body[at:until]) * 2))
    return bytes(body)


def _request(chance: random.Random) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    if chance.random() < 0.002:
        return chance.choice(BOMBS), [
            (b"content-type", chance.choice((PROTOBUF, JSON))),
            (b"content-encoding", b"gzip"),
        ]
    seed = chance.choice(SEEDS)
    body, headers = _mutated(chance, seed), []
    fitting = JSON if seed.startswith(b"{") else PROTOBUF
    headers.append((b"content-type", fitting if chance.random() < 0.8 else chance.choice(TYPES)))
    compression = chance.choice((b"", b"", b"", b"gzip", b"deflate", b"identity", b"br"))
    if compression:
        headers.append((b"content-encoding", compression))
        if compression == b"gzip":
            packed = gzip.compress(body, 1)
            body = packed if chance.random() < 0.7 else _mutated(chance, packed)
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
    chance = random.Random(20261124)
    statuses: Counter[int] = Counter()

    async def run(bodies: int) -> None:
        for _ in range(bodies):
            body, headers = _request(chance)
            path = chance.choice(("/v1/traces", "/v1/traces", "/v1/logs"))
            status = await _status(gateway.app, path, body, headers)
            assert status in ALLOWED, (status, path, headers, body[:2000])
            statuses[status] += 1

    async def run_all() -> tuple[int, int]:
        await run(BODIES // 5)
        before = _resident_bytes()
        await run(BODIES - BODIES // 5)
        return before, _resident_bytes()

    before, after = asyncio.run(run_all())
    gateway.close()
    assert after - before < MAX_GROWTH_BYTES
    assert statuses.keys() == ALLOWED
    assert min(statuses.values()) > BODIES / 2000, statuses
