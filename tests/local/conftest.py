"""Fixtures: a running local RUM, valid requests, and clients."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from otel_rum_exporter.local import LocalRum
from tests.local.http_client import Reply
from tests.local.http_client import call as call_server

APP_MONITOR = "11111111-1111-4111-8111-111111111111"
BATCH = "22222222-2222-4222-8222-222222222222"
EVENT = "33333333-3333-4333-8333-333333333333"
SESSION = "44444444-4444-4444-8444-444444444444"
USER = "55555555-5555-4555-8555-555555555555"
METADATA = {"version": "1.0.0", "domain": "shop.example"}


@pytest.fixture(scope="module")
def running(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run one server per module: start and stop take longer than most tests."""
    with LocalRum() as rum:
        yield rum


@pytest.fixture
def rum(running: LocalRum) -> Iterator[LocalRum]:
    """Return the server of the module, cleared before and after each test except for its app monitors."""
    running.clear()
    yield running
    running.clear()


@pytest.fixture
def app_monitor() -> str:
    """Return the app monitor id of the valid body."""
    return APP_MONITOR


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Make a valid custom event of a request; `details` and `metadata` may be objects."""

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
    """Make a valid decoded PutRumEvents body; arguments replace its members."""

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
def call(rum: LocalRum) -> Callable[..., Reply]:
    """Make one HTTP request to the server of the module."""
    return partial(call_server, rum)


@pytest.fixture
def post_to() -> Callable[..., tuple[int, str | None]]:
    """POST a body to an app monitor of a server; return status and error type."""

    def make(rum: LocalRum, app_monitor_id: str, content: Any) -> tuple[int, str | None]:
        reply = call_server(rum, "POST", f"/appmonitors/{app_monitor_id}/", json.dumps(content))
        return reply.status, reply.headers.get("x-amzn-errortype")

    return make


@pytest.fixture
def post(call: Callable[..., Reply]) -> Callable[..., Reply]:
    """POST a body to the app monitor; values other than bytes are encoded as JSON."""

    def make(content: Any, headers: dict[str, str] | None = None, path: str = f"/appmonitors/{APP_MONITOR}/") -> Reply:
        encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
        return call("POST", path, encoded, headers)

    return make


@pytest.fixture(scope="module")
def boto(running: LocalRum) -> Iterator[Any]:
    """Return boto3's client, unsigned and without retries."""
    config = Config(
        inject_host_prefix=False, signature_version=UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=10
    )
    client = boto3.client("rum", region_name="eu-west-1", endpoint_url=running.url, config=config)
    yield client
    client.close()
