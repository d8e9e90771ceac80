"""Sessions that a server issues as cookies: to whom, in which form, and started exactly once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

from otel_rum_exporter._uuid import UUID
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.sessions.browser_cookies import browser_session
from otel_rum_exporter.sessions.context import Session, bound
from otel_rum_exporter.sessions.middleware import RumSessionMiddleware, RumSessionWsgiMiddleware
from tests.sessions.test_browser_cookies import OTHER_SESSION, SESSION, USER, cwr_s
from tests.spans import APP_MONITOR_ID

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SERVERS = 2

Cookies = dict[str, "Morsel[str]"]
Call = Callable[..., tuple[Session, Cookies]]


def over_wsgi(response_headers: Mapping[str, str], **options: Any) -> Callable[[dict[str, str], str, str], Any]:
    """Return a function that sends a request to a WSGI application."""
    seen: list[Session | None] = []

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        seen.append(bound())
        start_response("200 OK", list(response_headers.items()))
        return [b"ok"]

    middleware = RumSessionWsgiMiddleware(application, issue_cookies=True, **options)

    def send(headers: dict[str, str], path: str, scheme: str) -> Any:
        answered: list[tuple[str, str]] = []
        environ = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
        environ |= {"PATH_INFO": path, "wsgi.url_scheme": scheme, "REQUEST_METHOD": "GET"}
        assert middleware(environ, lambda _status, found: answered.extend(found)) == [b"ok"]
        return seen[-1], [value for name, value in answered if name == "Set-Cookie"]

    return send


def over_asgi(response_headers: Mapping[str, str], **options: Any) -> Callable[[dict[str, str], str, str], Any]:
    """Return a function that sends a request to an ASGI application."""
    seen: list[Session | None] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        seen.append(bound())
        headers = [(name.encode(), value.encode()) for name, value in response_headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    middleware = RumSessionMiddleware(application, issue_cookies=True, **options)

    def send(headers: dict[str, str], path: str, scheme: str) -> Any:
        messages: list[Any] = []

        async def keep(message: Any) -> None:
            messages.append(message)

        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        asyncio.run(middleware({"type": "http", "path": path, "scheme": scheme, "headers": raw}, None, keep))
        return seen[-1], [value.decode() for name, value in messages[0]["headers"] if name == b"set-cookie"]

    return send


@pytest.fixture(params=[over_wsgi, over_asgi])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return a function that sends one request of a browser, and returns its session and the cookies set."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)

    def make(
        path: str = "/",
        scheme: str = "https",
        response: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        **headers: str,
    ) -> tuple[Session, Cookies]:
        named = {"host": "shop.example:8443", "user-agent": BROWSER}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        session, lines = request.param(response or {}, **(options or {}))(named, path, scheme)
        cookies: Cookies = {}
        for line in lines:
            cookies.update(SimpleCookie(line))
        assert len(cookies) == len(lines)
        return session, cookies

    return make


def test_a_browser_without_session_gets_one_in_the_form_of_the_client(call: Call) -> None:
    """Names, encoding, life and attributes are those of AWS's client, which reads the cookies with JavaScript."""
    session, cookies = call()
    assert set(cookies) == {"cwr_s", "cwr_u"}
    content = json.loads(base64.b64decode(cookies["cwr_s"].value, validate=True))
    assert content == {"sessionId": session.id, "record": True, "eventCount": 0}
    assert UUID.fullmatch(session.id or "")
    assert UUID.fullmatch(cookies["cwr_u"].value)
    assert cookies["cwr_u"].value == session.user_id
    assert (session.is_minted, session.is_sampled, session.joined, session.missing) == (True, True, None, None)
    for name, seconds in (("cwr_s", 1800), ("cwr_u", 30 * 24 * 3600)):
        set_attributes = {key: value for key, value in cookies[name].items() if value}
        assert set_attributes == {
            "max-age": str(seconds),
            "domain": "shop.example",
            "path": "/",
            "samesite": "Strict",
            "secure": True,
        }


def test_an_issued_cookie_is_continued_and_renewed_without_a_new_start(call: Call) -> None:
    """It is valid for another 30 minutes; another process may have started the session."""
    session, cookies = call()
    again, renewed = call(cookie="; ".join(f"{name}={one.value}" for name, one in cookies.items()))
    assert (again.id, again.user_id, again.is_minted, again.joined) == (session.id, session.user_id, False, "server")
    assert {name: one.value for name, one in renewed.items()} == {name: one.value for name, one in cookies.items()}


def test_a_session_of_the_client_is_joined_and_its_cookies_are_its_own(call: Call) -> None:
    """The client renews them. Its user outlives its session."""
    session, cookies = call(cookie=f"cwr_s={cwr_s()}; cwr_u={USER}")
    assert (session, cookies) == (Session(SESSION, USER, is_sampled=True, joined="browser"), {})
    session, cookies = call(cookie=f"cwr_u={USER}")
    assert (session.user_id, session.is_minted, set(cookies)) == (USER, True, {"cwr_s", "cwr_u"})


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_sampling_rate_decides_for_the_whole_session(call: Call, rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the browser client, which reads the flag. The exporter's variable is the default."""
    session, cookies = call(options={"session_sample_rate": rate})
    assert session.is_sampled is bool(rate)
    found = browser_session(f"cwr_s={cookies['cwr_s'].value}")
    assert found is not None
    assert found.is_sampled is bool(rate)
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_SESSION_SAMPLE_RATE", str(rate))
    assert call()[0].is_sampled is bool(rate)


@pytest.mark.parametrize(
    "request_of",
    [
        {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"user_agent": "Mozilla/5.0 (compatible; UptimeRobot/2.0)"},
        {"user_agent": "kube-probe/1.31"},
        {"user_agent": "curl/8.14.1"},
        {"user_agent": ""},
        {"path": "/healthz"},
        {"path": "/api/health"},
        {"dnt": "1"},
        {"sec_gpc": "1"},
        {"options": {"consent": lambda _: False}},
        {"options": {"consent": lambda _: None}},
        {"sec_purpose": "prefetch;prerender"},
        {"sec_fetch_dest": "image"},
        {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors", "sec_fetch_site": "cross-site"},
    ],
)
def test_programs_and_people_who_object_get_no_cookies(call: Call, request_of: dict[str, Any]) -> None:
    """Nor a session of their own: their requests are anonymous."""
    session, cookies = call(**request_of)
    assert (session, cookies) == (Session(missing="not issued"), {})


@pytest.mark.parametrize("objection", [{"dnt": "1"}, {"sec_gpc": "1"}, {"options": {"consent": lambda _: False}}])
def test_an_issued_cookie_of_a_person_who_objects_is_not_read(call: Call, objection: dict[str, Any]) -> None:
    """Consent can be withdrawn."""
    _, cookies = call()
    value = cookies["cwr_s"].value
    assert call(cookie=f"cwr_s={value}; cwr_u={USER}", **objection) == (Session(missing="not issued"), {})


def test_consent_function_that_fails_means_no(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """The request is served, and the failure is logged."""
    session, cookies = call(options={"consent": lambda _: 1 / 0})
    assert (session.is_known, cookies) == (False, {})
    assert "consent=" in caplog.text


def test_ids_of_the_application_need_no_cookies(call: Call) -> None:
    """A user id alone is added to the issued session."""
    assert call(options={"session": lambda _: ("own", None)}) == (Session("own"), {})
    session, cookies = call(options={"session": lambda _: (None, "ann")})
    assert (session.user_id, session.is_minted, UUID.fullmatch(cookies["cwr_u"].value) is not None) == (
        "ann",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("request_of", "expected"),
    [
        ({"scheme": "http"}, {"secure": ""}),
        ({"scheme": "http", "x_forwarded_proto": "https"}, {"secure": True}),
        ({"x_forwarded_host": "www.shop.example, proxy"}, {"domain": "www.shop.example"}),
        ({"host": "[::1]:80"}, {"domain": ""}),
        ({"host": "a; Path=/x"}, {"domain": ""}),
        (
            {"options": {"cookie_domain": ".shop.example", "cookie_path": "/app", "same_site": "Lax"}},
            {"domain": ".shop.example", "path": "/app", "samesite": "Lax"},
        ),
    ],
)
def test_attributes_follow_request_and_arguments(
    call: Call, request_of: dict[str, Any], expected: dict[str, Any]
) -> None:
    """`Secure` only under https, the domain only if it is a host name."""
    _, cookies = call(**request_of)
    for cookie in cookies.values():
        assert {name: cookie[name] for name in expected} == expected


def test_unique_cookies_have_the_app_monitors_id(call: Call) -> None:
    """As `cookieAttributes.unique` of the client."""
    options = {"unique_cookies": True, "app_monitor_id": APP_MONITOR_ID}
    session, cookies = call(options=options)
    assert set(cookies) == {f"cwr_s_{APP_MONITOR_ID}", "cwr_u"}
    value = cookies[f"cwr_s_{APP_MONITOR_ID}"].value
    again, _ = call(options=options, cookie=f"cwr_s={cwr_s(OTHER_SESSION)}; cwr_s_{APP_MONITOR_ID}={value}")
    assert again.id == session.id


@pytest.mark.parametrize("caching", ["public, max-age=60", "max-age=60, S-MaxAge=5"])
def test_a_response_for_several_people_gets_no_cookies(call: Call, caching: str) -> None:
    """A cache would give one person's session to all."""
    assert call(response={"Cache-Control": caching})[1] == {}
    assert set(call(response={"Cache-Control": "private, max-age=60"})[1]) == {"cwr_s", "cwr_u"}


SERVER = """
import sys
from wsgiref.simple_server import make_server, WSGIRequestHandler
from opentelemetry import trace
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from otel_rum_exporter import RumSessionWsgiMiddleware, RumSpanExporter

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(RumSpanExporter(
    app_monitor_id=sys.argv[1], endpoint=sys.argv[2], signing="none", region="eu-west-1")))
trace.set_tracer_provider(provider)

def shop(environ, start_response):
    with provider.get_tracer("shop").start_as_current_span("reserve"):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<title>Shop</title>"]

class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

server = make_server("127.0.0.1", 0, OpenTelemetryMiddleware(RumSessionWsgiMiddleware(shop, issue_cookies=True)),
                     handler_class=Quiet)
print(server.server_port, flush=True)
for line in sys.stdin:
    server.handle_request()
provider.shutdown()
"""


class Servers:
    """Processes that serve one application. `get` sends a request to one of them."""

    def __init__(self, rum: LocalRum) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
        command = [sys.executable, "-c", SERVER, APP_MONITOR_ID, rum.url]
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            for _ in range(SERVERS)
        ]
        self.ports = [int(process.stdout.readline()) for process in self.processes if process.stdout]

    def get(self, number: int, client: httpx.Client) -> int:
        """Let a server serve one request of a client."""
        stdin = self.processes[number].stdin
        assert stdin is not None
        stdin.write(b"serve\n")
        stdin.flush()
        return client.get(f"http://127.0.0.1:{self.ports[number]}/").status_code

    def stop(self) -> None:
        """End the processes after they have delivered."""
        for process in self.processes:
            process.communicate(timeout=60)
            assert process.returncode == 0


@pytest.fixture
def servers(rum: LocalRum) -> Iterator[Servers]:
    """Run the servers."""
    started = Servers(rum)
    yield started
    for process in started.processes:
        process.kill()
        process.communicate()


def test_each_session_is_started_exactly_once_by_several_processes(rum: LocalRum, servers: Servers) -> None:
    """The process that sets the cookie sends the start; the pages of the session come from all processes."""
    visitors = 3
    for visitor in range(visitors):
        with httpx.Client(headers={"user-agent": BROWSER}, trust_env=False) as browser:
            for step in range(4):
                assert servers.get((visitor + step) % SERVERS, browser) == 200
    with httpx.Client(headers={"user-agent": "curl/8"}, trust_env=False) as program:
        assert servers.get(0, program) == 200
    servers.stop()
    starts = Counter(event.session_id for event in rum.events("session_start_event"))
    pages = Counter(event.session_id for event in rum.events("page_view_event"))
    assert len(pages) == visitors
    assert set(pages.values()) == {4}
    # The fourth start is that of the process session, to which the program's request belongs.
    assert {starts[session] for session in pages} == {1}
    assert len(starts) == visitors + 1
    assert len({event.user_id for event in rum.events("page_view_event")}) == visitors
    assert (rum.refused, rum.dropped) == ((), ())
