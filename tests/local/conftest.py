"""A running stand-in and ways to talk to it, none of which share code with it."""

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from otel_rum_exporter.local import LocalRum

APP_MONITOR = "11111111-1111-4111-8111-111111111111"
BATCH = "22222222-2222-4222-8222-222222222222"
EVENT = "33333333-3333-4333-8333-333333333333"
SESSION = "44444444-4444-4444-8444-444444444444"
USER = "55555555-5555-4555-8555-555555555555"
METADATA = {"version": "1.0.0", "domain": "shop.example"}


@dataclass(frozen=True)
class Reply:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["message"])


@pytest.fixture(scope="module")
def running(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Serve all tests of a module, since starting and stopping takes longer than most of them."""
    with LocalRum() as rum:
        yield rum


@pytest.fixture
def rum(running: LocalRum) -> Iterator[LocalRum]:
    """Give the stand-in of the module; what tests send and set is cleared, its app monitors are not."""
    running.clear()
    yield running
    running.clear()


@pytest.fixture
def app_monitor() -> str:
    """Give the id that the valid body is for."""
    return APP_MONITOR


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Make the wire form of a valid custom event; `details` and `metadata` are encoded when they are objects."""

    def make(event_type: str = "checkout", details: Any = None, **members: Any) -> dict[str, Any]:
        made = {
            "id": EVENT,
            "timestamp": 1_790_000_000,
            "type": event_type,
            "details": details or {"ok": True},
        } | members
        return {name: json.dumps(value) if isinstance(value, dict) else value for name, value in made.items()}

    return make


@pytest.fixture
def body(event: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Make a valid decoded PutRumEvents body; members given replace those of the valid one."""

    def make(*events: dict[str, Any], **members: Any) -> dict[str, Any]:
        return {
            "BatchId": BATCH,
            "AppMonitorDetails": {"id": APP_MONITOR, "version": "1.2.3"},
            "UserDetails": {"userId": USER, "sessionId": SESSION},
            "RumEvents": list(events or [event()]),
            "SessionMetadata": json.dumps(METADATA),
        } | members

    return make


@pytest.fixture
def call_to() -> Callable[..., Reply]:
    """Make one HTTP request to a stand-in, on a connection of its own."""

    def make(
        rum: LocalRum, method: str, path: str, content: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        address = urlsplit(rum.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        try:
            connection.request(method, path, content, headers or {})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    return make


@pytest.fixture
def call(rum: LocalRum, call_to: Callable[..., Reply]) -> Callable[..., Reply]:
    """Make one HTTP request to the stand-in of the module."""
    return partial(call_to, rum)


@pytest.fixture
def post_to(call_to: Callable[..., Reply]) -> Callable[..., tuple[int, str | None]]:
    """POST a body to an app monitor of a stand-in; return status and type of error."""

    def make(rum: LocalRum, app_monitor_id: str, content: Any) -> tuple[int, str | None]:
        reply = call_to(rum, "POST", f"/appmonitors/{app_monitor_id}/", json.dumps(content))
        return reply.status, reply.headers.get("x-amzn-errortype")

    return make


@pytest.fixture
def post(call: Callable[..., Reply]) -> Callable[..., Reply]:
    """POST a body to the app monitor; what is not bytes is encoded as JSON."""

    def make(content: Any, headers: dict[str, str] | None = None, path: str = f"/appmonitors/{APP_MONITOR}/") -> Reply:
        encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
        return call("POST", path, encoded, headers)

    return make


@pytest.fixture(scope="module")
def boto(running: LocalRum) -> Iterator[Any]:
    """Give AWS's own client, unsigned and without retries."""
    config = Config(
        inject_host_prefix=False, signature_version=UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=10
    )
    client = boto3.client("rum", region_name="eu-west-1", endpoint_url=running.url, config=config)
    yield client
    client.close()
