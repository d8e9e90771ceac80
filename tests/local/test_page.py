"""The page and its JSON: what they show, and what they keep out."""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from otel_rum_exporter.local.host import is_loopback, is_own

Make = Callable[..., Any]

HOSTILE = "<script>alert(1)</script>\"'&"
RUM = "com.amazon.rum."
VERSION = {"version": "1.0.0"}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the name is HTMLParser's
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(call: Make) -> Make:
    """Read the page as a browser would."""

    def read() -> _Text:
        reply = call("GET", "/")
        assert reply.status == 200
        parsed = _Text()
        parsed.feed(reply.body.decode())
        return parsed

    return read


def test_an_empty_page_says_so(page: Make) -> None:
    """Nobody has to guess whether the page works."""
    assert "No events yet" in page().text


def test_a_session_is_shown_with_its_user_and_counts(page: Make, post: Make, body: Make, event: Make) -> None:
    """The head of a session tells whose it is and what is in it."""
    post(body(event("a"), event("a"), event(RUM + "session_start_event", VERSION)))
    text = page().text
    assert body()["UserDetails"]["sessionId"] in text
    assert body()["UserDetails"]["userId"] in text
    assert "2 a, 1 session_start_event" in text


@pytest.mark.parametrize(
    ("event_type", "details", "line"),
    [
        ("page_view_event", {"pageId": "/cart"}, "/cart"),
        (
            "http_event",
            VERSION | {"request": {"method": "GET", "url": "/a"}, "response": {"status": 503}},
            "GET /a → 503",
        ),
        (
            "http_event",
            VERSION | {"request": {"method": "PUT"}, "error": {"type": "E", "message": "m"}},
            "failed: E: m",
        ),
        ("js_error_event", VERSION | {"type": "KeyError", "message": "'id'"}, "KeyError: 'id'"),
        (
            "performance_navigation_event",
            VERSION | {"initiatorType": "navigation", "startTime": 0, "duration": 12.34},
            "navigation, 12.3 ms",
        ),
        (
            "performance_resource_event",
            VERSION | {"initiatorType": "fetch", "duration": 10**400, "fileType": "other"},
            "other, 1000",
        ),
        ("largest_contentful_paint_event", VERSION | {"value": 1200}, "1200 ms"),
        ("cumulative_layout_shift_event", VERSION | {"value": 0.25}, "0.25"),
        ("dom_event", {"version": "1.1.0", "event": "click", "element": "BUTTON"}, "click BUTTON"),
        ("xray_trace_event", {"name": "shop", "id": "1", "trace_id": "1-2-3", "start_time": 1}, "shop, trace 1-2-3"),
    ],
)
def test_an_event_is_told_in_one_line(
    page: Make, post: Make, body: Make, event: Make, event_type: str, details: dict[str, Any], line: str
) -> None:
    """Each type shows what matters about it."""
    assert post(body(event(RUM + event_type, details))).status == 200
    assert line in page().text


def test_a_custom_event_shows_its_details(page: Make, post: Make, body: Make, event: Make) -> None:
    """The beginning of the details stands for what is not known."""
    post(body(event("checkout", {"total": 12})))
    assert '{"total":12}' in page().text


def test_a_session_in_which_somebody_logs_in_is_one_session(page: Make, post: Make, body: Make, event: Make) -> None:
    """The user changes, the session does not."""
    users = ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000abcd"]
    for user in users:
        post(body(event(), UserDetails={**body()["UserDetails"], "userId": user}))
    text = page().text
    assert text.count(body()["UserDetails"]["sessionId"]) == 1
    assert ", ".join(users) in text


def test_a_custom_event_of_a_span_shows_name_and_duration(page: Make, post: Make, body: Make, event: Make) -> None:
    """What a person looks for first."""
    post(body(event("work", {"name": "place order", "durationMs": 12.34, "attributes": {}})))
    assert "place order, 12.3 ms" in page().text


def test_refused_dropped_and_removed_are_shown_with_reasons(page: Make, post: Make, body: Make, event: Make) -> None:
    """What did not arrive matters as much as what did."""
    post({})
    post(body(event("large", {"text": "x" * 7000}), event("tagged", metadata={"a.b": 1})))
    text = page().text
    assert "BatchId is required" in text
    assert "RUM keeps at most 6144" in text
    assert '"a.b"' in text


def test_telemetry_cannot_write_markup(page: Make, post: Make, body: Make, event: Make) -> None:
    """Text from outside is text on the page, wherever it stands."""
    empty = page().tags
    details = VERSION | {"type": HOSTILE, "message": HOSTILE}
    post(body(event(RUM + "js_error_event", details, metadata={"title": HOSTILE, f"key {HOSTILE}": HOSTILE})))
    post(body(BatchId=HOSTILE))
    shown = page()
    assert HOSTILE in shown.text
    assert shown.tags.count("script") == empty.count("script") == 1


def test_lone_surrogates_are_shown_somehow(page: Make, post: Make, body: Make, event: Make) -> None:
    """Text that UTF-8 has no bytes for does not take the page down."""
    post(body(event(details={"text": "\ud800"})))
    assert '{"text":"?"}' in page().text


def test_the_latest_session_stands_first(page: Make, post: Make, body: Make, event: Make) -> None:
    """The order is that of the events' own time."""
    old, recent = ("66666666-6666-4666-8666-666666666666", "77777777-7777-4777-8777-777777777777")
    post(body(event(timestamp=1_790_000_100), UserDetails={"sessionId": recent}))
    post(body(event(timestamp=1_790_000_000), UserDetails={"sessionId": old}))
    text = page().text
    assert text.index(recent) < text.index(old)


def test_a_long_session_shows_its_latest_events_and_says_so(page: Make, post: Make, body: Make, event: Make) -> None:
    """What is left out of the page is counted on it."""
    post(body(*[event() for _ in range(250)]))
    shown = page()
    assert shown.tags.count("details") == 200
    assert "and 50 earlier" in shown.text


def test_the_policy_allows_the_own_script_and_style_only(call: Make) -> None:
    """The policy names the hash of the inline script and style and nothing else that could run."""
    reply = call("GET", "/")
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", reply.body.decode(), re.DOTALL)
        assert f"{tag}-src 'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'" in policy
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_the_json_has_everything(call: Make, post: Make, body: Make, event: Make) -> None:
    """The data behind the page can be read by programs."""
    post({})
    post(body(event("a", metadata={"a.b": 1}), event("large", {"text": "x" * 7000})))
    reply = call("GET", "/api/events")
    data = json.loads(reply.body)
    assert reply.headers["content-type"] == "application/json"
    assert [one["type"] for one in data["events"]] == ["a"]
    assert [one["counts"] for one in data["sessions"]] == [{"a": 1}]
    assert [len(data[name]) for name in ("refused", "dropped", "removed")] == [1, 1, 1]


@pytest.mark.parametrize("path", ["/", "/api/events"])
def test_a_page_on_the_web_cannot_read_by_rebinding_its_name(call: Make, path: str) -> None:
    """A Host header with a foreign name is answered with 421."""
    assert call("GET", path, headers={"Host": "evil.example:8787"}).status == 421


def test_telemetry_is_taken_under_any_host_name(post: Make, body: Make) -> None:
    """Containers reach the stand-in under names of their own; sending reads nothing."""
    assert post(body(), {"Host": "rum:8787"}).status == 200


@pytest.mark.parametrize(
    ("header", "bound", "own"),
    [
        ("localhost", "127.0.0.1", True),
        ("localhost:8787", "127.0.0.1", True),
        ("rum.localhost:1", "127.0.0.1", True),
        ("127.0.0.1:8787", "127.0.0.1", True),
        ("127.8.8.8", "127.0.0.1", True),
        ("[::1]:8787", "127.0.0.1", True),
        ("::1", "127.0.0.1", True),
        ("Workstation:80", "workstation", True),
        ("192.168.1.5:8787", "192.168.1.5", True),
        ("192.168.1.5:8787", "0.0.0.0", True),
        ("[fe80::1]:8787", "::", True),
        ("192.168.1.5", "127.0.0.1", False),
        ("evil.example", "0.0.0.0", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("127.0.0.1.evil.example:80", "0.0.0.0", False),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
        (":::", "127.0.0.1", False),
    ],
)
def test_own_hosts_are_told_from_foreign_ones(*, header: str, bound: str, own: bool) -> None:
    """Loopback, the bound host, and any address when bound to all of them."""
    assert is_own(header, bound) is own


@pytest.mark.parametrize(("name", "loopback"), [("::1", True), ("LOCALHOST", True), ("0.0.0.0", False), ("a.b", False)])
def test_loopback_names_are_known(*, name: str, loopback: bool) -> None:
    """What is not surely loopback is not."""
    assert is_loopback(name) is loopback
