"""The examples of sessions: issued cookies, and baggage between two services."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from http.cookies import SimpleCookie

import httpx

from otel_rum_exporter.local import LocalRum
from tests.examples.example import EXAMPLES, environment, received_events, run, wait_until

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_two_services_share_one_session(rum: LocalRum) -> None:
    """The first one starts it, once."""
    done = run(EXAMPLES, sys.executable, "baggage.py", RUM_ENDPOINT=rum.url)
    assert (done.returncode, done.stdout) == (0, "7 teapots\n"), done.stderr
    events = received_events(rum)
    assert len(events("session_start_event")) == 1
    assert len({(event.session_id, event.user_id) for event in events}) == 1
    assert {"look_at_teapots", "count_teapots"} <= {event.type for event in events}


def test_site_without_javascript_issues_cookies_until_the_visitor_refuses(rum: LocalRum) -> None:
    """One session with two pages; then the process session."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    settings = environment(RUM_ENDPOINT=rum.url, PORT=str(port))
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"user-agent": BROWSER}, trust_env=False) as client,
        subprocess.Popen(
            [sys.executable, "issued_cookies.py"], cwd=EXAMPLES, env=settings, stderr=subprocess.DEVNULL
        ) as process,
    ):
        try:

            def is_listening() -> bool:
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == os.EX_OK

            wait_until(is_listening, process)
            issued = SimpleCookie(client.get("/").headers["set-cookie"].replace(", ", "; "))
            assert client.get("/").cookies["cwr_s"] == issued["cwr_s"].value
            rum.wait_for("page_view_event", count=2)
            assert client.get("/no-statistics", follow_redirects=True).status_code == 200
            rum.wait_for("page_view_event", count=3)
        finally:
            process.kill()
    first, second, third = (event.session_id for event in received_events(rum)("page_view_event"))
    assert first == second != third
    starts = [event.session_id for event in received_events(rum)("session_start_event")]
    assert starts.count(first) == 1
