"""The FastAPI example joins the sessions of browsers."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

import otel_rum_exporter
from otel_rum_exporter.local import LocalRum
from tests.examples.example import EXAMPLES, TIMEOUT_SECONDS, environment, received_events, wait_until

FOLDER = EXAMPLES / "fastapi_sessions"
SESSION = "8bd4ed93-8bc0-4e5d-a8b4-1f4d3c2b1a00"
OTHER_SESSION = "9ce5fea4-9cd1-4f6e-b9c5-2a5e4d3c2b11"
USER = "3f2b6c1e-0d4a-4b7c-9e8f-7a6b5c4d3e2f"


class Service(NamedTuple):
    """The running example."""

    client: httpx.Client
    process: subprocess.Popen[bytes]

    def responds(self) -> bool:
        """Return whether the service accepts requests."""
        try:
            self.client.get("/")
        except httpx.TransportError:
            return False
        return True


@pytest.fixture
def service(rum: LocalRum) -> Iterator[Service]:
    """Run the FastAPI service."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    settings = environment(RUM_ENDPOINT=rum.url, PORT=str(port))
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        subprocess.Popen([sys.executable, "app.py"], cwd=FOLDER, env=settings) as process,
    ):
        started = Service(client, process)
        try:
            wait_until(started.responds, process)
            yield started
        finally:
            process.kill()


def cookies(session_id: str, *, is_recorded: bool) -> dict[str, str]:
    """Return the cookies of AWS's browser client."""
    session = base64.b64encode(json.dumps({"sessionId": session_id, "record": is_recorded}).encode()).decode()
    return {"cookie": f"cwr_s={session}; cwr_u={USER}"}


def test_service_sends_the_requests_of_recorded_browser_sessions(rum: LocalRum, service: Service) -> None:
    """Their events have the session and the user of the browser."""
    service.client.post("/api/tickets/tosca", headers=cookies(SESSION, is_recorded=True))
    service.client.post("/api/tickets/hamlet", headers=cookies(SESSION, is_recorded=True))
    service.client.post("/api/tickets/tosca", headers=cookies(OTHER_SESSION, is_recorded=False))
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(TIMEOUT_SECONDS)
    events = received_events(rum)
    assert [event.details["response"]["status"] for event in events("http_event")] == [409]
    assert len(events("reserve_seat")) == 2
    in_session = [event for event in events if event.metadata["pageId"] != "/"]
    assert {(event.session_id, event.user_id) for event in in_session} == {(SESSION, USER)}
    assert {event.metadata["pageId"] for event in in_session} == {"/api/tickets/{play}"}


def test_readme_names_both_middleware_classes() -> None:
    """Both are public."""
    names = set(re.findall(r"RumSession\w*Middleware", (FOLDER / "README.md").read_text()))
    assert names == {"RumSessionMiddleware", "RumSessionWsgiMiddleware"}
    assert names <= set(otel_rum_exporter.__all__)
