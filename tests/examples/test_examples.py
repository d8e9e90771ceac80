"""The examples run as their readers run them, against a real `LocalRum`, and RUM would keep all they send."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from opentelemetry import trace

from otel_rum_exporter.local import Events, LocalRum

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
INSTRUMENT = str(Path(sys.executable).with_name("opentelemetry-instrument"))
MONITOR_ID = "00000000-1111-4222-8333-444444444444"
BOUND_SECONDS = 90
NO_PROXY = urllib.request.ProxyHandler({})
RUM_PREFIX = "com.amazon.rum."

DEMO = (sys.executable, "examples/shop/demo.py")
DEMO_SENDS = {
    "com.amazon.rum.page_view_event": 10,
    "com.amazon.rum.performance_navigation_event": 10,
    "com.amazon.rum.performance_resource_event": 9,
    "com.amazon.rum.http_event": 6,
    "com.amazon.rum.js_error_event": 2,
    "GET_api_stock_sku": 6,
    "POST_cart": 3,
    "POST_login": 2,
    "POST_checkout": 1,
    "place_order": 2,
}

DEMO_WITHOUT_SHOP = """
import pathlib, sys
sys.path.insert(0, ".")
import demo
demo.SHOP = pathlib.Path("missing.py")
raise SystemExit(demo.main())
"""

AWS_SCHEMAS = {
    "http_event": "http-event.json",
    "js_error_event": "js-error-event.json",
    "page_view_event": "page-view-event.json",
    "performance_navigation_event": "navigation-event.json",
    "performance_resource_event": "resource-event.json",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what LocalRum received from the demo, and how the demo ended on Ctrl-C."""
    output = tmp_path_factory.mktemp("demo") / "output.txt"
    with (
        output.open("w") as file,
        subprocess.Popen(DEMO, cwd=ROOT, env=environment(), stdout=file, stderr=file) as process,
    ):
        try:
            rum_url = page_of_local_rum(output, process)
            with urllib.request.build_opener(NO_PROXY).open(f"{rum_url}api/events", timeout=10) as answer:
                received: dict[str, Any] = json.load(answer)
            process.send_signal(signal.SIGINT)
            process.wait(BOUND_SECONDS)
        finally:
            process.terminate()
    return {**received, "exit_code": process.returncode, "output": output.read_text()}


@pytest.fixture
def rum() -> Iterator[LocalRum]:
    """Run a stand-in of RUM's data plane."""
    with LocalRum() as running:
        yield running


def test_demo_lists_sessions_and_types_and_ends_with_0_when_asked_to_run_once() -> None:
    """DEMO_ONCE=1 prints the three visitors and every type of event, and ends by itself."""
    # An OTEL variable of the caller's own must not reach the shop: this one would silence it.
    done = output_of(DEMO, ROOT, DEMO_ONCE="1", OTEL_SDK_DISABLED="true")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^  [0-9a-f]{8}  (?:[0-9a-f]{8}|unknown ) +\d+  /", done.stdout, re.MULTILINE)) == 3
    listed = re.findall(r"^ +(\d{1,4})  ([\w.]+) ", done.stdout, re.MULTILINE)
    assert {name: int(count) for count, name in listed} == {
        event_type.removeprefix(RUM_PREFIX): count for event_type, count in DEMO_SENDS.items()
    }
    assert "refused: 0   dropped: 0   removed: 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_demo_ends_with_0_on_ctrl_c(demo: dict[str, Any]) -> None:
    """Ctrl-C ends the demo cleanly, without a traceback."""
    assert demo["exit_code"] == 0
    assert "Traceback" not in demo["output"]


def test_demo_ends_with_1_and_the_reason_when_the_shop_cannot_open() -> None:
    """A shop that cannot start is told with what it said, and nothing waits for ever."""
    done = output_of((sys.executable, "-c", DEMO_WITHOUT_SHOP), EXAMPLES / "shop", DEMO_ONCE="1")
    assert done.returncode == 1
    assert "the shop did not open" in done.stderr
    assert "missing.py" in done.stderr


def test_nothing_of_the_demo_is_refused_dropped_or_removed(demo: dict[str, Any]) -> None:
    """RUM would keep every event of the demo as it was sent."""
    assert (demo["refused"], demo["dropped"], demo["removed"]) == ([], [], [])


def test_demo_sends_each_event_once(demo: dict[str, Any]) -> None:
    """The demo's visits come to known numbers of events, each with its own id."""
    assert Counter(event["type"] for event in demo["events"]) == DEMO_SENDS
    assert len({event["id"] for event in demo["events"]}) == len(demo["events"])


def languages(events: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the languages of each session; a request that the shop makes to itself may be told before its page is."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        told = event["metadata"].get("browserLanguage")
        found[event["session_id"]].update([told] if told else [])
    return found


def test_each_visitor_of_the_demo_is_one_session(demo: dict[str, Any]) -> None:
    """Whatever a visitor causes, also in the API and in requests made, is in the visitor's own session."""
    assert sorted(map(sorted, languages(demo["events"]).values())) == [["de-DE"], ["en-US"], ["fr-FR"]]


def test_each_session_of_the_demo_holds_what_its_visitor_met(demo: dict[str, Any]) -> None:
    """The missing pages, the failed checkout, the carrier and the bad number are told to those who met them."""
    visitors = {session: "".join(found) for session, found in languages(demo["events"]).items()}
    met: defaultdict[str, set[str]] = defaultdict(set)
    for event in demo["events"]:
        met[visitors[event["session_id"]]] |= troubles(event)
    assert met == {
        "en-US": {"ConnectionError", "404 /products/samovar"},
        "de-DE": {"ConnectionError", "ValueError"},
        "fr-FR": {"ConnectionError", "404 /sale", "500 /checkout", "CouponExpiredError"},
    }


def test_page_views_of_the_demo_are_its_pages_with_their_referrers(demo: dict[str, Any]) -> None:
    """Page ids are routes, so that products are one page, and every view tells where its visitor came from."""
    views = [event["details"] for event in demo["events"] if event["type"] == RUM_PREFIX + "page_view_event"]
    assert {view["pageId"] for view in views} == {"/", "/products/<sku>", "/cart"}
    assert {view["referrerDomain"] for view in views} == {"www.example.com", "127.0.0.1"}


@pytest.mark.skipif("RUM_EVENT_SCHEMAS" not in os.environ, reason="RUM_EVENT_SCHEMAS does not name AWS's schemas")
def test_events_of_the_demo_fit_the_schemas_of_aws(demo: dict[str, Any]) -> None:
    """Details and metadata of every event fit the JSON Schemas that AWS publishes."""
    folder = Path(os.environ["RUM_EVENT_SCHEMAS"])
    schema_of_metadata = validator(folder / "meta-data.json")
    for event in demo["events"]:
        schema_of_metadata.validate(event["metadata"])
        if event["type"].startswith(RUM_PREFIX):
            validator(folder / AWS_SCHEMAS[event["type"].removeprefix(RUM_PREFIX)]).validate(event["details"])


def test_shop_works_without_opentelemetry_being_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no SDK configured, the shop is a plain Flask application."""
    specification = importlib.util.spec_from_file_location("shop_app", EXAMPLES / "shop" / "app.py")
    assert specification is not None
    assert specification.loader is not None
    shop = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "shop_app", shop)
    specification.loader.exec_module(shop)
    visitor = shop.app.test_client()
    assert not trace.get_current_span().is_recording()
    assert [visitor.get(path).status_code for path in ("/", "/cart", "/health", "/sale")] == [200, 200, 200, 404]


def test_in_code_sends_a_screen_and_an_error(rum: LocalRum) -> None:
    """The example in code sends its screen as a page and its exception as an error, in one session of its own."""
    done = output_of((sys.executable, "in_code.py", rum.url), EXAMPLES)
    assert (done.returncode, done.stderr) == (0, "")
    events = kept_by(rum)
    assert [event.details["pageId"] for event in events("page_view_event")] == ["menu"]
    assert [event.details["message"] for event in events("js_error_event")] == ["the printer is out of paper"]
    assert len(events("session_start_event")) == 1
    assert {event.metadata["domain"] for event in events} == {"kiosk"}


def test_in_code_has_at_most_20_lines_of_code() -> None:
    """What a newcomer copies fits a screen: 20 lines that are neither blank nor comments."""
    lines = [line.strip() for line in (EXAMPLES / "in_code.py").read_text().splitlines()]
    assert sum(1 for line in lines if line and not line.startswith("#")) <= 20


def test_declarative_example_sends_its_screens_and_the_error(rum: LocalRum) -> None:
    """The YAML alone, filled from the environment, brings the quiz to the endpoint and app monitor it names."""
    settings = {"RUM_APP_MONITOR_ID": MONITOR_ID, "RUM_ENDPOINT": rum.url, "RUM_SIGNING": "none"}
    command = (INSTRUMENT, sys.executable, "app.py")
    done = output_of(command, EXAMPLES / "declarative", OTEL_CONFIG_FILE="rum.yaml", **settings)
    assert (done.returncode, done.stdout) == (0, "6 times 7? 42: right\n7 times 6? the same: wrong\n")
    events = kept_by(rum)
    assert [event.details["pageId"] for event in events("page_view_event")] == ["question-1", "question-2"]
    assert [event.metadata["pageId"] for event in events("js_error_event")] == ["question-2"]
    assert {(event.app_monitor_id, event.metadata["domain"]) for event in events} == {(MONITOR_ID, "quiz")}


def environment(**own: str) -> dict[str, str]:
    """Return the environment of an example: ours, without OpenTelemetry's, and with no proxy on the way to LocalRum."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RUM_"))}
    return {**kept, "no_proxy": "127.0.0.1", **own}


def output_of(command: Sequence[str], folder: Path, **own: str) -> subprocess.CompletedProcess[str]:
    """Run an example that ends by itself."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**own),
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )


def kept_by(rum: LocalRum) -> Events:
    """Return the events of an example that has ended, none of which may be lost."""
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())
    return rum.events


def page_of_local_rum(output: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the URL that the demo prints when it is done, with a slash at its end."""
    deadline = time.monotonic() + BOUND_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        printed = output.read_text()
        if "Ctrl-C" in printed:
            return printed.rpartition("  RUM   ")[2].splitlines()[0]
        time.sleep(0.1)
    pytest.fail(f"the demo did not come to its end: {output.read_text()}")


def troubles(event: dict[str, Any]) -> set[str]:
    """Return what went wrong in an event, in a word."""
    details = event["details"]
    if event["type"] == RUM_PREFIX + "js_error_event":
        return {details["type"].rpartition(".")[2]}
    if event["type"] != RUM_PREFIX + "http_event":
        return set()
    if "error" in details:
        return {details["error"]["type"].rpartition(".")[2]}
    path = "/" + details["request"]["url"].split("/", 3)[3]
    return {f"{details['response']['status']} {path}"}


def validator(file: Path) -> Draft202012Validator:
    """Return the validator of one schema, without the `$id`s that would be fetched."""
    return Draft202012Validator(without_ids(json.loads(file.read_text())))


def without_ids(schema: Any) -> Any:
    """Return a schema without its `$id`, and those nested in it."""
    if isinstance(schema, dict):
        return {key: without_ids(value) for key, value in schema.items() if key != "$id" or not isinstance(value, str)}
    return [without_ids(item) for item in schema] if isinstance(schema, list) else schema
