"""The examples of sessions run as their readers run them, against a real `LocalRum`; RUM would keep all they send."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from otel_rum_exporter.local import Events, LocalRum

EXAMPLES = Path(__file__).parents[2] / "examples"
BOUND_SECONDS = 60
SESSION = "8bd4ed93-8bc0-4e5d-a8b4-1f4d3c2b1a00"
OTHER_SESSION = "9ce5fea4-9cd1-4f6e-b9c5-2a5e4d3c2b11"
USER = "3f2b6c1e-0d4a-4b7c-9e8f-7a6b5c4d3e2f"
NIL = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def tickets(rum: LocalRum) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the FastAPI service, and return its URL and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = environment(RUM_ENDPOINT=rum.url, PORT=str(port))
    with subprocess.Popen([sys.executable, "app.py"], cwd=EXAMPLES / "fastapi_sessions", env=settings) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_open(url, process)
            yield url, process
        finally:
            process.kill()


def test_fastapi_example_is_in_the_browsers_session(rum: LocalRum, tickets: tuple[str, Any]) -> None:
    """What a visitor met, on the server and below, is in the visitor's session; one not recorded is not sent."""
    url, process = tickets
    with httpx.Client(base_url=url, trust_env=False) as client:
        for session, record, play in (
            (SESSION, True, "tosca"),
            (SESSION, True, "hamlet"),
            (OTHER_SESSION, False, "tosca"),
        ):
            told = base64.b64encode(json.dumps({"sessionId": session, "record": record}).encode()).decode()
            client.post(f"/api/tickets/{play}", headers={"cookie": f"cwr_s={told}; cwr_u={USER}"})
    process.send_signal(signal.SIGTERM)
    process.wait(BOUND_SECONDS)
    events = kept_by(rum)
    assert [event.details["response"]["status"] for event in events("http_event")] == [409]
    assert len(events("reserve_seat")) == 2
    in_session = [event for event in events if event.metadata["pageId"] != "/"]
    assert {(event.session_id, event.user_id) for event in in_session} == {(SESSION, USER)}
    assert {event.metadata["pageId"] for event in in_session} == {"/api/tickets/{play}"}


def test_fastapi_example_is_one_line_for_the_session() -> None:
    """The table of lines in its README names middleware that exists."""
    import otel_rum_exporter

    text = (EXAMPLES / "fastapi_sessions" / "README.md").read_text()
    names = set(re.findall(r"RumSession\w*Middleware", text))
    assert names == {"RumSessionMiddleware", "RumSessionWsgiMiddleware"}
    assert names <= set(otel_rum_exporter.__all__)


def test_desktop_example_sends_screens_clicks_and_the_crash(rum: LocalRum, tmp_path: Path) -> None:
    """In one session, each on its screen; the user is the same at the next start, in another session."""
    done = run("desktop", "cookbook.py", rum.url, "pancakes\n4\npancakes\n0\n", HOME=str(tmp_path))
    assert done.returncode == 1
    assert "500 flour, g" in done.stdout
    assert "ZeroDivisionError" in done.stderr
    events = kept_by(rum)
    shown = [event.details["pageId"] for event in events("page_view_event")]
    assert shown == ["contents", "recipe/pancakes", "contents", "recipe/pancakes"]
    clicked = [(event.details["elementId"], event.metadata["pageId"]) for event in events("dom_event")]
    assert sorted(clicked) == [
        ("cook", "recipe/pancakes"),
        ("cook", "recipe/pancakes"),
        ("pancakes", "contents"),
        ("pancakes", "contents"),
    ]
    (crash,) = events("js_error_event")
    assert (crash.details["type"], crash.metadata["pageId"]) == ("ZeroDivisionError", "recipe/pancakes")
    assert len(events("session_start_event")) == 1
    assert len({(event.session_id, event.user_id) for event in events}) == 1
    user = events[0].user_id
    assert user != NIL
    assert run("desktop", "cookbook.py", rum.url, "quit\n", HOME=str(tmp_path)).returncode == 0
    events = kept_by(rum)
    assert len({event.session_id for event in events}) == len(events("session_start_event")) == 2
    assert {event.user_id for event in events} == {user}


def test_logs_example_sends_the_exception_and_not_the_lines(rum: LocalRum) -> None:
    """Only what went wrong leaves."""
    done = run("logs", "receipts.py", rum.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("printed\nno receipt for this customer\nTraceback")
    events = kept_by(rum)
    assert sorted(event.type.removeprefix("com.amazon.rum.") for event in events) == [
        "js_error_event",
        "session_start_event",
    ]
    (error,) = events("js_error_event")
    assert (error.details["type"], error.details["message"]) == ("OSError", "the printer is out of paper")
    assert error.metadata["domain"] == "receipts"


def environment(**own: str) -> dict[str, str]:
    """Return the environment of an example: ours, without OpenTelemetry's, and with no proxy on the way to LocalRum."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RUM_"))}
    return {**kept, "no_proxy": "127.0.0.1", **own}


def run(folder: str, program: str, url: str, typed: str = "", **own: str) -> subprocess.CompletedProcess[str]:
    """Run an example that ends by itself."""
    return subprocess.run(
        [sys.executable, program, url],
        cwd=EXAMPLES / folder,
        env=environment(**own),
        input=typed,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )


def kept_by(rum: LocalRum) -> Events:
    """Return the events of an example that has ended, none of which may be lost."""
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())
    return rum.events


def wait_until_open(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a service answers."""
    deadline = time.monotonic() + BOUND_SECONDS
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                client.get(url)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
    pytest.fail("the service did not open")
