"""Run the shop with the exporter, visit it, and print the events that RUM received.

Environment variables alone switch the exporter on. `LocalRum` replaces CloudWatch RUM, so you need no AWS account. Set
DEMO_ONCE=1 to exit after printing.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import requests

from otel_rum_exporter.local import Event, LocalRum

SHOP = Path(__file__).with_name("app.py")
TIMEOUT_SECONDS = 30.0
NIL_USER_ID = "00000000-0000-0000-0000-000000000000"
RUM_PREFIX = "com.amazon.rum."

SETTINGS = {
    "OTEL_TRACES_EXPORTER": "aws_rum",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_SERVICE_NAME": "shop",
    "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.4.0",
    "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": "00000000-1111-4222-8333-444444444444",
    "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
    # RUM shows the referrer and the language of a visitor from these headers.
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "referer,accept-language",
    # Health checks are not requests of visitors.
    "OTEL_PYTHON_FLASK_EXCLUDED_URLS": "/health",
    # Export twice a second, so that the console of LocalRum shows your clicks at once.
    "OTEL_BSP_SCHEDULE_DELAY": "500",
}
"""The variables that switch the exporter on, without the endpoint of LocalRum."""


class DemoError(Exception):
    """The demo failed. The message is for the user."""


@dataclass(frozen=True)
class Visitor:
    """A simulated browser. `tour` has the requests of its user: a path, with form fields after a space for a POST."""

    language: str
    user_agent: str
    tour: tuple[str, ...]


VISITORS = (
    Visitor(
        "en-US",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/139.0.0.0 Safari/537.36",
        ("/", "/products/teapot", "/cart sku=teapot&quantity=1", "/products/samovar"),
    ),
    Visitor(
        "de-DE",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.5 Mobile/15E148 Safari/604.1",
        ("/", "/login user=ada", "/products/kettle", "/cart sku=kettle&quantity=two", "/checkout coupon=TEA10"),
    ),
    Visitor(
        "fr-FR",
        "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
        ("/sale", "/login user=grace", "/products/cup", "/cart sku=cup&quantity=6", "/checkout coupon=SUMMER24"),
    ),
)

EXPECTED = {
    "page_view_event": 10,
    "performance_navigation_event": 10,
    "performance_resource_event": 9,
    "http_event": 6,
    "js_error_event": 2,
    "GET_api_stock_sku": 6,
    "POST_cart": 3,
    "POST_login": 2,
    "POST_checkout": 1,
    "place_order": 2,
}
"""The number of events that the tours cause, by type."""


def main() -> int:
    """Run the demo, and return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with local_rum() as rum, shop(rum.url) as (url, process):
            for number, visitor in enumerate(VISITORS, start=1):
                print(f"visitor {number}: {' -> '.join(visit(url, visitor))}")
            print("waiting for the events ...")
            wait_for_events(rum)
            report(rum)
            if not os.environ.get("DEMO_ONCE"):
                stay(process, url, rum.url)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
    return 0


@contextmanager
def local_rum() -> Iterator[LocalRum]:
    """Run a local CloudWatch RUM."""
    print(bold("CloudWatch RUM, replaced by LocalRum"))
    rum = LocalRum(port=8787)
    try:
        rum.start()
    except OSError:
        # Another program uses the default port, perhaps `otel-rum local`.
        rum = LocalRum()
    with rum:
        print(f"starting LocalRum ... {rum.url}")
        yield rum


@contextmanager
def shop(rum_url: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the shop under `opentelemetry-instrument`, and yield its URL and process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    here = {"OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum_url, "SHOP_PORT": str(port), "no_proxy": "127.0.0.1"}
    print("starting the shop ... ", end="", flush=True)
    with tempfile.TemporaryFile() as log:
        # A session of its own: Ctrl-C in the terminal does not reach the shop; `stop` stops it.
        process = subprocess.Popen(
            [instrument(), sys.executable, str(SHOP)],
            env={**own, **SETTINGS, **here},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_open(url, process)
            print(url)
            yield url, process
        except DemoError as error:
            log.seek(0)
            raise DemoError(f"{error}\nOutput of the shop:\n{log.read().decode(errors='replace')[-2000:]}") from error
        finally:
            stop(process)


def instrument() -> str:
    """Return the path of the command that instruments a Python program without changing it."""
    command = shutil.which("opentelemetry-instrument", path=str(Path(sys.executable).parent))
    if command is None:
        raise DemoError("opentelemetry-instrument is missing: pip install 'otel-rum-exporter[demo]'")
    return command


def wait_until_open(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the shop responds; raise `DemoError` if it exits or takes too long."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(requests.RequestException):
            if browser().get(f"{url}/health", timeout=1).ok:
                return
        time.sleep(0.1)
    raise DemoError("the shop did not start")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the shop, with time to send its last spans."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def browser() -> requests.Session:
    """Return a client with cookies and without a proxy."""
    client = requests.Session()
    client.trust_env = False
    return client


def visit(url: str, visitor: Visitor) -> Iterator[str]:
    """Request the paths of a tour, and yield each with its status if that is an error."""
    client = browser()
    client.headers.update({"User-Agent": visitor.user_agent, "Accept-Language": f"{visitor.language},en;q=0.5"})
    referer = "https://www.example.com/search"
    for step in visitor.tour:
        path, _, form = step.partition(" ")
        method, data = ("POST", dict(parse_qsl(form))) if form else ("GET", None)
        try:
            response = client.request(method, f"{url}{path}", data=data, headers={"Referer": referer}, timeout=10)
        except requests.RequestException as error:
            raise DemoError(f"the shop did not respond to {method} {path}: {error}") from error
        referer = response.url
        yield path if response.ok else f"{path} ({response.status_code})"


def wait_for_events(rum: LocalRum) -> None:
    """Wait until all expected events have arrived."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for event_type, count in EXPECTED.items():
        try:
            rum.wait_for(event_type, count, timeout_seconds=max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            raise DemoError(str(error)) from error


def report(rum: LocalRum) -> None:
    """Print the sessions and events received; raise `DemoError` if RUM would not keep all of them."""
    events = rum.events
    print(f"\n{bold('Sessions')}")
    print("\n".join(session_lines(events)))
    print(f"\n{bold('Events')}")
    print("\n".join(event_lines(events)))
    print(f"\nrefused: {len(rum.refused)}   dropped: {len(rum.dropped)}   removed: {len(rum.removed)}")
    lost = [refusal.message for refusal in rum.refused]
    lost += [dropped.reason for dropped in rum.dropped] + [removed.reason for removed in rum.removed]
    if lost:
        raise DemoError("RUM would not keep all events:\n" + "\n".join(lost))


def session_lines(events: Iterable[Event]) -> Iterator[str]:
    """Yield a table of sessions: id, user, number of events, pages."""
    sessions: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event.timestamp):
        sessions[event.session_id or "none"].append(event)
    yield "  session   user      events  pages"
    for session_id, own in sessions.items():
        users = [event.user_id[:8] for event in own if event.user_id not in {None, NIL_USER_ID}]
        pages = dict.fromkeys(event.details["pageId"] for event in own if event.type.endswith(".page_view_event"))
        yield cut(f"  {session_id[:8]}  {users[0] if users else 'unknown':8}  {len(own):6}  {', '.join(pages)}")


def event_lines(events: Iterable[Event]) -> Iterator[str]:
    """Yield a table of event types, the most frequent first, with the latest event of each as its example."""
    events = list(events)
    example = {event.type: summary(event) for event in events}
    for event_type, count in Counter(event.type for event in events).most_common():
        yield cut(f"  {count:3}  {event_type.removeprefix(RUM_PREFIX):28}  {example[event_type]}")


def summary(event: Event) -> str:
    """Return an event in a few words."""
    match event.details:
        case {"request": {"method": method, "url": url}, "response": {"status": status}}:
            return f"{method} {urlsplit(url).path} -> {status}"
        case {"request": {"method": method, "url": url}, "error": {"type": error}}:
            return f"{method} {urlsplit(url).path} -> {error}"
        case {"type": error, "message": message}:
            return f"{error}: {message}"
        case {"duration": duration} | {"durationMs": duration}:
            page = event.details.get("targetUrl") or event.metadata.get("pageId", "")
            return f"{urlsplit(page).path} in {duration:.1f} ms"
    return str(event.details.get("pageId", ""))


def stay(process: subprocess.Popen[bytes], shop_url: str, rum_url: str) -> None:
    """Keep running until Ctrl-C."""
    print(f"\nOpen the shop, click around and watch RUM:\n  shop  {shop_url}/\n  RUM   {rum_url}/")
    print("Press Ctrl-C to stop both.", flush=True)
    while process.poll() is None:
        time.sleep(0.5)
    raise DemoError(f"the shop exited with code {process.returncode}")


def free_port() -> int:
    """Return an unused port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def bold(text: str) -> str:
    """Return bold text if the output is a terminal, unless NO_COLOR is set."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def cut(line: str) -> str:
    """Return a line cut to 80 columns."""
    return line if len(line) <= 80 else f"{line[:77]}..."


if __name__ == "__main__":
    raise SystemExit(main())
