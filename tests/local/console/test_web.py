"""The HTTP routes of the console."""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from otel_rum_exporter.local import LocalRum, console
from otel_rum_exporter.local.console.event_fields import Json
from otel_rum_exporter.local.console.received import Received
from otel_rum_exporter.local.console.scope import Scope
from otel_rum_exporter.local.console.web import VIEWS
from tests.local.http_client import open_connection

Make = Callable[..., Any]

PATHS = (
    *(
        "/",
        "/sessions",
        "/sessions/some-id",
        "/users/some-id",
        "/pages",
        "/pages/%2Fcart%2F1",
        "/errors",
        "/errors/key",
    ),
    *("/http", "/custom", "/devices", "/traces/some-id", "/refused"),
)
ITEMS = ("session", "error", "page", "user", "trace")
ROOT = Path(__file__).parents[3]


def static_paths(call: Make) -> list[str]:
    """Return the paths of all files that the page loads, directly or by imports."""
    found = re.findall(r'(?:href|src)="(/console/[^"]+)"', call("GET", "/").body.decode())
    for path in found:
        for module in re.findall(r'from "(\.[^"]+)"', call("GET", path).body.decode()):
            target = urlsplit(str(Path(path).parent / module)).path
            target = "/" + "/".join(_resolved(target.split("/")))
            if target not in found:
                found.append(target)
    return found


def _resolved(parts: list[str]) -> list[str]:
    resolved: list[str] = []
    for part in parts:
        if part == "..":
            resolved.pop()
        elif part not in {"", "."}:
            resolved.append(part)
    return resolved


@pytest.mark.parametrize("path", PATHS)
def test_every_path_serves_the_same_page(call: Make, path: str) -> None:
    """The URL selects the view, so that it can be shared and reloaded."""
    reply = call("GET", path)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.body == call("GET", "/").body


def test_unknown_path_is_a_page_for_browsers_only(call: Make) -> None:
    """Programs get RUM's error."""
    assert call("GET", "/nosuch", headers={"Accept": "text/html,*/*"}).body == call("GET", "/").body
    assert json.loads(call("GET", "/nosuch").body)["message"].startswith("GET /nosuch is not an operation")
    assert call("GET", "/nosuch", headers={"Accept": "text/html", "Host": "evil.example"}).status == 404
    assert b"not an operation" in call("GET", "/nosuch", headers={"Accept": "text/html", "Host": "evil.example"}).body


def test_content_security_policy_allows_own_files_only(call: Make) -> None:
    """It forbids inline scripts and styles, and markup from strings."""
    reply = call("GET", "/")
    policy = dict(part.strip().partition(" ")[::2] for part in reply.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not re.search(rb"<script(?! type=\"module\" src=)|<style|\son[a-z]+=|style=", reply.body)
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_static_files_are_immutable_and_have_media_types(call: Make) -> None:
    """The path changes with the content; all imported files are served."""
    paths = static_paths(call)
    types = {path: call("GET", path).headers["content-type"] for path in paths}
    assert {Path(path).suffix: kind for path, kind in types.items()} == {
        ".svg": "image/svg+xml",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
    }
    assert len([path for path in paths if path.endswith(".js")]) > 15
    for path in paths:
        reply = call("GET", path)
        assert (reply.status, reply.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")


def test_static_files_load_nothing_from_other_servers(call: Make) -> None:
    """Links in comments and the SVG namespace are allowed."""
    for path in static_paths(call):
        text = re.sub(r"/\*.*?\*/|//[^\n]*http[^\n]*", "", call("GET", path).body.decode(), flags=re.DOTALL)
        hosts = set(re.findall(r"https?://([\w.-]+)", text))
        assert hosts <= {"www.w3.org", "example.com"}, path


def test_page_preloads_every_module_that_it_imports(call: Make) -> None:
    """The browser needs one round trip for all modules."""
    preloaded = set(re.findall(r'rel="modulepreload" href="([^"]+)"', call("GET", "/").body.decode()))
    assert preloaded == {path for path in static_paths(call) if path.endswith(".js")}


@pytest.mark.parametrize("path", ["main.js", "/api/console/overview"])
def test_responses_are_compressed_for_clients_that_accept_it(
    call: Make, post: Make, body: Make, event: Make, path: str
) -> None:
    """The content is the same."""
    post(body(*(event(f"event {n}", metadata={"pageId": f"/{n}"}) for n in range(50))))
    url = path if path.startswith("/") else next(one for one in static_paths(call) if one.endswith(path))
    compressed = call("GET", url, headers={"Accept-Encoding": "br, gzip"})
    plain = call("GET", url)
    assert (compressed.headers["content-encoding"], compressed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert "content-encoding" not in plain.headers
    assert len(compressed.body) < len(plain.body)
    if path == "main.js":
        assert gzip.decompress(compressed.body) == plain.body


def test_view_is_computed_once_per_revision(
    rum: LocalRum, call: Make, post: Make, body: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another revision or another query is another answer."""
    shown: list[str] = []
    monkeypatch.setattr("otel_rum_exporter.local.console.web._CACHED_SECONDS", 10**9)

    def pages(_: Received, scope: Scope) -> Json:
        shown.append(scope.query.get("q", ""))
        return {}

    monkeypatch.setitem(VIEWS, "pages", pages)
    for query in ("", "", "?q=a", "?q=a"):
        call("GET", f"/api/console/pages{query}")
    assert shown == ["", "a"]
    post(body())
    call("GET", "/api/console/pages")
    assert shown == ["", "a", ""]


@pytest.mark.parametrize(
    "path", ["", "main.js", "../web.py", "..%2f..%2fweb.py", "/etc/passwd", "%2fetc%2fpasswd", "x"]
)
def test_unknown_file_paths_are_not_found(call: Make, path: str) -> None:
    """Files come from a table, not from the file system."""
    digest = re.findall(rb"/console/(\w+)/main.js", call("GET", "/").body)[0].decode()
    other = f"/console/{'0' * 16}/{path}" if path == "main.js" else f"/console/{digest}/{path}"
    assert call("GET", other).status == 404


@pytest.mark.parametrize("view", [*VIEWS, "nonsense", "live/x"])
def test_view_answers_json_or_404_and_is_not_cached(call: Make, view: str) -> None:
    """A view never answers a 5xx."""
    reply = call("GET", f"/api/console/{view}?range=1h&offset=x&sort=%00&page=%F0%9F%8D%B5")
    assert reply.status == (404 if view in {*ITEMS, "request", "refused_request", "nonsense", "live/x"} else 200)
    assert isinstance(json.loads(reply.body), dict)


def test_view_has_choices_losses_and_revision(call: Make, post: Make, body: Make, event: Make) -> None:
    """The data for the frame of the page."""
    post({})
    post(body(event("a", metadata={"pageId": "/cart", "a.b": 1}), event("large", {"text": "x" * 7000})))
    frame = json.loads(call("GET", "/api/console/overview").body)["frame"]
    assert frame["choices"]["page"] == [["/cart", 1]]
    assert frame["lost"] == {"refused": 1, "dropped": 1, "removed": 1}
    assert json.loads(call("GET", "/api/console/pages").body)["frame"]["revision"] == frame["revision"]
    post(body())
    assert json.loads(call("GET", "/api/console/pages").body)["frame"]["revision"] != frame["revision"]


def test_events_endpoint_returns_all_records(call: Make, post: Make, body: Make, event: Make) -> None:
    """Programs can read the data behind the page."""
    post({})
    post(body(event("a", metadata={"a.b": 1}), event("large", {"text": "x" * 7000})))
    reply = call("GET", "/api/events")
    data = json.loads(reply.body)
    assert reply.headers["content-type"] == "application/json"
    assert [one["type"] for one in data["events"]] == ["a"]
    assert [(one["counts"], one["events"]) for one in data["sessions"]] == [({"a": 1}, [data["events"][0]["id"]])]
    assert [len(data[name]) for name in ("refused", "dropped", "removed")] == [1, 1, 1]


def test_views_accept_lone_surrogates(call: Make, post: Make, body: Make, event: Make) -> None:
    """UTF-8 cannot encode them."""
    post(body(event(details={"text": "\ud800"})))
    assert b'"\\ud800"' in call("GET", f"/api/console/session?id={body()['UserDetails']['sessionId']}").body


OWN = (*PATHS, "/api/events", "/api/console/overview", "/api/console/live", "/console/x/main.js")


@pytest.mark.parametrize("path", OWN)
def test_foreign_host_name_is_answered_with_421(call: Make, path: str) -> None:
    """The check protects against DNS rebinding."""
    assert call("GET", path, headers={"Host": "evil.example:8787"}).status == 421


@pytest.mark.parametrize("path", [path for path in OWN if path != "/api/console/live"])
def test_console_data_is_not_readable_from_other_origins(call: Make, path: str) -> None:
    """Browsers may send from any origin, but read from this one only."""
    reply = call("GET", path, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"


def test_telemetry_is_accepted_under_any_host_name(post: Make, body: Make) -> None:
    """Containers use names of their own, and sending reads no data."""
    assert post(body(), {"Host": "rum:8787"}).status == 200


class Stream:
    """An open stream of server-sent events."""

    def __init__(self, rum: LocalRum) -> None:
        self._connection = open_connection(rum)
        self._connection.request("GET", "/api/console/live")
        self.response = self._connection.getresponse()

    def next(self) -> str:
        line = self.response.readline().decode()
        assert self.response.readline() == b"\n"
        return line

    def close(self) -> None:
        self.response.close()
        self._connection.close()


def test_stream_sends_the_revision_once_and_after_each_change(rum: LocalRum, post: Make, body: Make) -> None:
    """No change, no message."""
    stream = Stream(rum)
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    first = stream.next()
    post(body())
    second = stream.next()
    assert first.startswith("data: ")
    assert first != second
    stream.close()


def test_number_of_streams_is_limited_and_closed_streams_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open pages cannot use all connections of the server."""
    monkeypatch.setattr("otel_rum_exporter.local.console.web._MAX_STREAMS", 2)
    monkeypatch.setattr("otel_rum_exporter.local.console.web._POLL_SECONDS", 0.01)
    with LocalRum() as rum:
        streams = [Stream(rum), Stream(rum)]
        for stream in streams:
            stream.next()
        refused = Stream(rum)
        assert refused.response.status == 503
        refused.close()
        for stream in streams:
            stream.close()
        deadline = time.monotonic() + 30
        status = 503
        while status != 200 and time.monotonic() < deadline:
            stream = Stream(rum)
            status = stream.response.status
            stream.close()
        assert status == 200


def test_stop_does_not_wait_for_an_open_stream() -> None:
    """Ctrl-C stops the server while a page is open."""
    rum = LocalRum()
    rum.start()
    stream = Stream(rum)
    stream.next()
    ended = threading.Thread(target=rum.stop)
    ended.start()
    ended.join(timeout=10)
    assert not ended.is_alive()
    stream.close()


def test_package_contains_all_static_files_and_licences() -> None:
    """The wheel has the files that these tests use, and the licences once, in its folder of licences."""
    package = Path(console.__file__ or "").parent
    licences = {Path(file.name) for file in metadata.files("otel-rum-exporter") or () if "licenses" in file.parts}
    source = ROOT / "src/otel_rum_exporter/local/console"
    files = [file for file in source.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    vendored = {Path(file.name) for file in files if file.name.startswith("LICENSE-")}
    assert {"LICENSE-htm.txt", "LICENSE-preact.txt"} == {file.name for file in vendored}
    assert vendored < licences or package == source, "an editable installation has no folder of licences"
    for file in files:
        if file.name.startswith("LICENSE-"):
            continue
        assert (package / file.relative_to(source)).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("preact.js", "225d7a773766e6fb2cfcc45274fe41d2059f5782f3f2c4569aa5132a2d3a2902"),
        ("htm.js", "e4dac9bc40a6f2ec590413d787ae30bbcfdfcde4f28971ee65d9578271b7aad4"),
    ],
)
def test_vendored_libraries_match_their_published_digests(name: str, digest: str) -> None:
    """The files below the first line: dist/preact.mjs 11.2.0 without source map, dist/htm.module.js 3.1.1."""
    content = (Path(console.__file__ or "").parent / "static/vendor" / name).read_bytes()
    assert sha256(content.partition(b"\n")[2]).hexdigest() == digest


@pytest.mark.parametrize(
    ("origin", "status"), [(None, 204), ("own", 204), ("https://evil.example", 403), ("null", 403)]
)
def test_data_is_cleared_by_the_console_only(
    rum: LocalRum, call: Make, post: Make, body: Make, origin: str | None, status: int
) -> None:
    """Browsers let pages of any origin POST."""
    post(body())
    headers = {} if origin is None else {"Origin": rum.url if origin == "own" else origin}
    assert call("POST", "/api/console/clear", headers=headers).status == status
    assert len(rum.events) == (0 if status == 204 else 1)


def test_recording_has_a_line_per_request_in_order_of_arrival(call: Make, post: Make, body: Make) -> None:
    """Refused ones included; a body that is no JSON is not."""
    for content in (body(), body() | {"BatchId": "refused"}, b"{", body()):
        post(content)
    reply = call("GET", "/api/console/recording")
    lines = [json.loads(line) for line in reply.body.splitlines()]
    assert [line["body"]["BatchId"] for line in lines] == [body()["BatchId"], "refused", body()["BatchId"]]
    assert {line["path"].rstrip("/") for line in lines} == {f"/appmonitors/{body()['AppMonitorDetails']['id']}"}
    assert "attachment" in reply.headers["content-disposition"]


def test_recording_has_paths_that_can_be_requested_again(call: Make, post: Make, body: Make) -> None:
    """Loading a recording would end at a path that is none."""
    post(body(), path="/appmonitors/a%3Fb%23c%20d")
    (line,) = call("GET", "/api/console/recording").body.splitlines()
    assert json.loads(line)["path"] == "/appmonitors/a%3Fb%23c%20d"
