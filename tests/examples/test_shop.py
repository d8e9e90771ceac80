"""The shop and its demo: RUM receives and keeps the events of three visitors."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from opentelemetry import trace

from tests.examples.example import EXAMPLES, TIMEOUT_SECONDS, environment, run, wait_until
from tests.instrumentations import only, only_in_children

ROOT = EXAMPLES.parent
DEMO = "examples/shop/demo.py"
RUM_PREFIX = "com.amazon.rum."
NO_PROXY = urllib.request.ProxyHandler({})

EVENT_COUNTS = {
    "com.amazon.rum.session_start_event": 3,
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
"""The events of the demo, by type."""

DEMO_CODE = f"""
import pathlib, sys
sys.path.insert(0, {str(EXAMPLES / "shop")!r})
import demo
demo.SETTINGS.update({only("flask", "requests")!r})
demo.SHOP = demo.SHOP.with_name(sys.argv[1])
raise SystemExit(demo.main())
"""
"""The demo in an environment with the packages of the extra `demo`. Its argument is the name of the shop's file."""

AWS_SCHEMAS = {
    "http_event": "http-event.json",
    "js_error_event": "js-error-event.json",
    "page_view_event": "page-view-event.json",
    "performance_navigation_event": "navigation-event.json",
    "performance_resource_event": "resource-event.json",
    "session_start_event": "session-start-event.json",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the demo until it waits for Ctrl-C; return the events of LocalRum, and how the demo ends on Ctrl-C."""
    output = tmp_path_factory.mktemp("demo") / "output.txt"
    with (
        output.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-c", DEMO_CODE, "app.py"], cwd=ROOT, env=environment(), stdout=file, stderr=file
        ) as process,
    ):
        try:
            wait_until(lambda: "Ctrl-C" in output.read_text(), process)
            rum_url = output.read_text().rpartition("  RUM   ")[2].splitlines()[0]
            with urllib.request.build_opener(NO_PROXY).open(f"{rum_url}api/events", timeout=10) as response:
                received: dict[str, Any] = json.load(response)
            process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT_SECONDS)
        finally:
            process.terminate()
    return {**received, "exit_code": process.returncode, "output": output.read_text()}


def test_demo_with_demo_once_lists_sessions_and_types_and_exits_with_0(tmp_path: Path) -> None:
    """No OTEL variable of the caller reaches the shop: this one would switch its telemetry off."""
    installed = only_in_children(tmp_path, "flask", "requests")
    done = run(ROOT, sys.executable, DEMO, DEMO_ONCE="1", OTEL_SDK_DISABLED="true", **installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^  [0-9a-f]{8}  (?:[0-9a-f]{8}|unknown ) +\d+  /", done.stdout, re.MULTILINE)) == 3
    listed = re.findall(r"^ +(\d{1,4})  ([\w.]+) ", done.stdout, re.MULTILINE)
    assert {name: int(count) for count, name in listed} == {
        event_type.removeprefix(RUM_PREFIX): count for event_type, count in EVENT_COUNTS.items()
    }
    assert "refused: 0   dropped: 0   removed: 0" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_demo_on_ctrl_c_exits_with_0(demo: dict[str, Any]) -> None:
    """Without a traceback."""
    assert demo["exit_code"] == 0
    assert "Traceback" not in demo["output"]


def test_demo_without_a_working_shop_exits_with_1_and_prints_the_reason() -> None:
    """The reason includes the output of the shop."""
    done = run(ROOT, sys.executable, "-c", DEMO_CODE, "missing.py", DEMO_ONCE="1")
    assert done.returncode == 1
    assert "the shop did not start" in done.stderr
    assert "missing.py" in done.stderr


def test_rum_keeps_all_events_of_the_demo(demo: dict[str, Any]) -> None:
    """It rejects no request, drops no event, and removes no attribute."""
    assert (demo["refused"], demo["dropped"], demo["removed"]) == ([], [], [])


def test_demo_sends_each_event_once(demo: dict[str, Any]) -> None:
    """Each event has its own id."""
    assert Counter(event["type"] for event in demo["events"]) == EVENT_COUNTS
    assert len({event["id"] for event in demo["events"]}) == len(demo["events"])


def languages_by_session(events: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the languages of each session. An event of the shop's API has none if it is sent before its page."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        language = event["metadata"].get("browserLanguage")
        found[event["session_id"]].update([language] if language else [])
    return found


def test_each_visitor_of_the_demo_has_one_session(demo: dict[str, Any]) -> None:
    """The session includes the requests that the shop makes and serves for the visitor."""
    assert sorted(map(sorted, languages_by_session(demo["events"]).values())) == [["de-DE"], ["en-US"], ["fr-FR"]]


def test_errors_of_the_demo_are_in_the_session_of_their_visitor(demo: dict[str, Any]) -> None:
    """The missing pages, the failed checkout, the carrier that is down, and the invalid number."""
    visitors = {session: "".join(found) for session, found in languages_by_session(demo["events"]).items()}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for event in demo["events"]:
        found[visitors[event["session_id"]]] |= errors(event)
    assert found == {
        "en-US": {"ConnectionError", "404 /products/samovar"},
        "de-DE": {"ConnectionError", "ValueError"},
        "fr-FR": {"ConnectionError", "404 /sale", "500 /checkout", "CouponExpiredError"},
    }


def test_page_views_of_the_demo_have_routes_and_referrers(demo: dict[str, Any]) -> None:
    """A page id is a route, so that all products are one page."""
    views = [event["details"] for event in demo["events"] if event["type"] == RUM_PREFIX + "page_view_event"]
    assert {view["pageId"] for view in views} == {"/", "/products/<sku>", "/cart"}
    assert {view["referrerDomain"] for view in views} == {"www.example.com", "127.0.0.1"}


@pytest.mark.skipif("RUM_EVENT_SCHEMAS" not in os.environ, reason="RUM_EVENT_SCHEMAS does not name AWS's schemas")
def test_events_of_the_demo_are_valid_by_the_schemas_of_aws(demo: dict[str, Any]) -> None:
    """Details and metadata."""
    folder = Path(os.environ["RUM_EVENT_SCHEMAS"])
    metadata_validator = validator(folder / "meta-data.json")
    for event in demo["events"]:
        metadata_validator.validate(event["metadata"])
        if event["type"].startswith(RUM_PREFIX):
            validator(folder / AWS_SCHEMAS[event["type"].removeprefix(RUM_PREFIX)]).validate(event["details"])


def test_shop_works_without_an_opentelemetry_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is then a plain Flask application."""
    specification = importlib.util.spec_from_file_location("shop_app", EXAMPLES / "shop" / "app.py")
    assert specification is not None
    assert specification.loader is not None
    shop = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "shop_app", shop)
    specification.loader.exec_module(shop)
    client = shop.app.test_client()
    assert not trace.get_current_span().is_recording()
    assert [client.get(path).status_code for path in ("/", "/cart", "/health", "/sale")] == [200, 200, 200, 404]


def errors(event: dict[str, Any]) -> set[str]:
    """Return the error of an event: the type of its exception, or status and path of its request."""
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
    """Return the validator of a schema, without the `$id`s that would be fetched."""
    return Draft202012Validator(without_ids(json.loads(file.read_text())))


def without_ids(schema: Any) -> Any:
    """Return a schema without its `$id` and the nested ones."""
    if isinstance(schema, dict):
        return {key: without_ids(value) for key, value in schema.items() if key != "$id" or not isinstance(value, str)}
    return [without_ids(item) for item in schema] if isinstance(schema, list) else schema
