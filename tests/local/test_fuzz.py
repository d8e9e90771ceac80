"""Mutated requests: none of them crashes the server or gets a 5xx.

Most requests call the ASGI application directly, some use real sockets. Each run has the same requests;
a twelfth of FUZZ_REQUESTS, at least 3,000.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import socket
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from otel_rum_exporter.local import AppMonitor, Credentials, LocalRum
from otel_rum_exporter.local.schema import EVENT_TYPES, load
from tests.local.http_client import open_socket

Make = Callable[..., Any]
REQUESTS = max(3000, int(os.environ.get("FUZZ_REQUESTS", "0")) // 12)
OVER_SOCKETS = 500
SHOP = "11111111-1111-4111-8111-111111111111"

TOKENS = [
    *(
        b"null",
        b"true",
        b"-0",
        b"1e999",
        b"1e-999",
        b"NaN",
        b"[]",
        b"{}",
        b'""',
        b"9" * 400,
        b"[" * 200,
        b'{"a":' * 100,
    ),
    *(b"\\ud800", b"\\u0000", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b'"', b"\\", b"com.amazon.rum.", b"aws:", b"\x00"),
]
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**30,
        1e308,
        "",
        "x" * 300,
        "\ud800",
        "\x00",
        [],
        {},
        [[]],
        {"": {}},
        "{}",
        "[]",
    ),
    *(
        '{"version":"1.0.0"}',
        "null",
        '"',
        SHOP,
        SHOP.upper(),
        SHOP + "\n",
        "com.amazon.rum.http_event",
        "a b",
        "é" * 3000,
    ),
]
PATHS = [
    *("/appmonitors/{id}", "/appmonitors/{id}/", "/appmonitors/", "/appmonitors", "/appmonitors/{id}/x", "/", "//", ""),
    *("/appmonitor/shop", "/appmonitor/shop/data", "/appmonitor/shop/policy", "/appmonitor/\x00/data", "/api/events"),
    *(
        "/sessions/{id}",
        "/api/console/session?id={id}",
        "/api/console/overview?since=\xff",
        "/console/../x",
        "/api/console/",
    ),
    *("/appmonitors/..", "/appmonitors/%2e%2e/", "/appmonitors/é", "/../../etc/passwd", "/appmonitors/" + "a" * 5000),
]
HEADERS = [
    *(("content-encoding", value) for value in ("gzip", "GZIP", "br", "gzip, gzip", "", "identity", "\xff")),
    *(("content-type", value) for value in ("text/plain", "application/json", "", "\xff", "multipart/form-data")),
    *(("host", value) for value in ("evil.example", "", "[::1", "localhost:x", "127.0.0.1", "\xff", ":::", "[]")),
    *(("origin", value) for value in ("null", "https://shop.example", "", "\xff")),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=A/20261124/eu-west-1/rum/aws4_request, SignedHeaders=host, Signature=0",
    ),
    (
        "authorization",
        f"AWS4-HMAC-SHA256 Credential=A/1/2/rum/aws4_request, SignedHeaders=;;host, Signature={'0' * 64}",
    ),
    ("authorization", "AWS4-HMAC-SHA256 Credential=é/" + "/" * 50),
    *(("x-amz-date", value) for value in ("20261124T000000Z", "99999999T999999Z", "", "\xff")),
    ("x-amz-security-token", "é"),
    ("access-control-request-method", "POST"),
    ("transfer-encoding", "chunked"),
    ("content-length", "-1"),
]


class Mutator:
    """A source of random, nearly valid requests."""

    def __init__(self, seeds: list[dict[str, Any]]) -> None:
        self._random = random.Random(20261124)
        self._seeds = seeds

    def request(self) -> tuple[dict[str, Any], bytes]:
        """Return an ASGI scope and a body."""
        chance = self._random.random
        path = "/appmonitors/{id}/" if chance() < 0.9 else self._random.choice(PATHS)
        path = path.replace("{id}", SHOP if chance() < 0.95 else str(self._random.choice(VALUES)))
        body = self._body()
        headers = [("host", "127.0.0.1:8787")]
        if chance() < 0.2:
            headers = self._random.sample(HEADERS, k=3)
        elif chance() < 0.2:
            body, headers = gzip.compress(body, 1), [*headers, ("content-encoding", "gzip")]
            body = self.corrupt(body) if chance() < 0.5 else body
        method = "POST" if chance() < 0.9 else self._random.choice(["GET", "OPTIONS", "PUT", "HEAD", "DELETE", "BREW"])
        return _scope(method, path, headers), body

    def _body(self) -> bytes:
        document = json.loads(json.dumps(self._random.choice(self._seeds)))
        for _ in range(self._random.choice([0, 1, 1, 1, 2, 5])):
            self._replace(document)
        body = json.dumps(document).encode()
        return self.corrupt(body) if self._random.random() < 0.4 else body

    def _replace(self, document: dict[str, Any]) -> None:
        """Replace the value at a random place of a document, including the JSON in its strings."""
        holder: Any = document
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                return
            key = self._random.choice(keys)
            inner = holder[key]
            if isinstance(inner, str) and inner.startswith("{") and self._random.random() < 0.8:
                try:
                    parsed = json.loads(inner)
                except ValueError:
                    parsed = None
                if isinstance(parsed, dict):
                    self._replace(parsed)
                    holder[key] = json.dumps(parsed)
                    return
            if not isinstance(inner, (dict, list)) or self._random.random() < 0.2:
                break
            holder = inner
        if self._random.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        elif self._random.random() < 0.2 and isinstance(holder, dict):
            holder[self._random.choice(["", "aws:x", "pageTags", "x" * 200, "\ud800", "id", "version"])] = inner
        else:
            holder[key] = deepcopy(self._random.choice(VALUES))

    def corrupt(self, body: bytes) -> bytes:
        """Return a copy with some bytes changed."""
        changed = bytearray(body)
        for _ in range(self._random.choice([1, 1, 2, 8])):
            at = self._random.randrange(len(changed) + 1)
            end = min(len(changed), at + self._random.choice([0, 1, 4, 40]))
            piece = self._random.choice([b"", *TOKENS, bytes([self._random.randrange(256)])])
            changed[at:end] = piece
        return bytes(changed)


def _scope(method: str, path: str, headers: list[tuple[str, str]]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": query.encode("utf-8", "replace"),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8787),
        "state": {},
    }


async def _status(application: Any, scope: dict[str, Any], body: bytes) -> int:
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
    messages = [{"type": "http.request", "body": piece, "more_body": piece is pieces[0]} for piece in pieces]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return int(sent[0]["status"])


def _seeds(body: Make, event: Make) -> list[dict[str, Any]]:
    """Return a valid request for each event type, made from its schema, and one with all of them."""
    events = [event(f"com.amazon.rum.{name}", _example(load(name))) for name in sorted(EVENT_TYPES)]
    custom = event("checkout", metadata={"pageId": "/cart", "plan": "gold", "aws:client": "arw-module"})
    return [body(one) for one in events] + [body(custom, Alias="blue"), body(*events, custom)]


def _example(schema: dict[str, Any]) -> Any:
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    by_type: dict[Any, Callable[[], Any]] = {
        "object": lambda: {name: _example(member) for name, member in schema.get("properties", {}).items()},
        "array": lambda: [_example(schema.get("items", {}))],
        "string": lambda: "x" * max(schema.get("minLength", 1), 1),
        "boolean": lambda: True,
    }
    return by_type.get(schema.get("type"), lambda: 1)()


def test_mutated_requests_get_no_5xx(body: Make, event: Make) -> None:
    """The console and the read operations accept the stored records too."""
    monitors = [AppMonitor(id=SHOP, name="shop", domains=("*.example",)), AppMonitor(aliases=("blue",))]
    applications = [
        LocalRum(max_events=50)._application,
        LocalRum(max_events=50, app_monitors=monitors, credentials=Credentials("A", "secret"))._application,
    ]
    mutator = Mutator(_seeds(body, event))
    views = [f"/api/console/{view}" for view in ("overview", "sessions", "errors", "http", "pages", "refused")]
    paths = ["/", "/api/events", "/appmonitor/shop", *views]
    reading = [_scope("GET", path, [("host", "localhost")]) for path in paths]

    async def run() -> Counter[int]:
        statuses: Counter[int] = Counter()
        for n in range(REQUESTS):
            application = applications[n % 20 == 0]
            scope, content = mutator.request()
            status = await _status(application, scope, content)
            assert status < 500, (status, scope, content)
            statuses[status] += 1
            if n % 200 == 0:
                for one in reading:
                    assert await _status(application, one, b"") < 500
        return statuses

    statuses = asyncio.run(run())
    assert {200, 400, 403, 404, 415, 421} <= statuses.keys()
    assert statuses[200] > REQUESTS // 20


def test_mutated_bytes_do_not_crash_the_server(rum: LocalRum, body: Make, event: Make, post: Make) -> None:
    """The heads are mutated too; afterwards the server works as before."""
    mutator = Mutator(_seeds(body, event))
    for _ in range(OVER_SOCKETS):
        scope, content = mutator.request()
        head = f"{scope['method']} {scope['path']} HTTP/1.1\r\n".encode("utf-8", "replace")
        head += b"".join(b"%s: %s\r\n" % header for header in [*scope["headers"], (b"Connection", b"close")])
        with open_socket(rum) as connection:
            wire = mutator.corrupt(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
            answer = _exchange(connection, wire)
        assert answer[:10] != b"HTTP/1.1 5", (answer, wire)
    assert post(body()).status == 200


def _exchange(connection: socket.socket, wire: bytes) -> bytes:
    try:
        connection.sendall(wire)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)
    except ConnectionError:
        return b""
