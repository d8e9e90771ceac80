"""Real applications with their instrumentation: a server's events are in the session of the browser."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from opentelemetry import _logs, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.sessions.context import Session, bound
from otel_rum_exporter.sessions.middleware import RumSessionMiddleware, RumSessionWsgiMiddleware
from tests.sessions.applications import (
    APPLICATIONS,
    BROKEN_PATH,
    Get,
    flask_application,
    get_from_wsgi,
    instrument_flask,
)
from tests.sessions.test_browser_cookies import NIL, OTHER_SESSION, SESSION, USER, cwr_s, joined_session
from tests.spans import APP_MONITOR_ID

OTHER_USER = "4a3b2c1d-0d4a-4b7c-9e8f-7a6b5c4d3e2f"
COOKIES = f"theme=dark; cwr_s={cwr_s()}; cwr_u={USER}"


@pytest.fixture
def provider(exporter: Callable[..., RumSpanExporter]) -> Iterator[TracerProvider]:
    """Return a tracer provider that sends spans to `rum`."""
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(exporter()))
    yield made
    made.shutdown()


@pytest.fixture(params=APPLICATIONS, ids=lambda make: make.__name__)
def get(request: pytest.FixtureRequest, provider: TracerProvider) -> Iterator[Get]:
    """Return a client of each application."""
    yield from request.param(provider)


def identities(rum: LocalRum, provider: TracerProvider) -> dict[str, set[tuple[str | None, str | None]]]:
    """Return session and user of the events of each type."""
    provider.shutdown()  # waits for delivery; a flush of the SDK does not
    found: dict[str, set[tuple[str | None, str | None]]] = {}
    for event in rum.events:
        found.setdefault(event.type, set()).add((event.session_id, event.user_id))
    return found


def test_events_of_a_request_are_in_the_browsers_session(get: Get, rum: LocalRum, provider: TracerProvider) -> None:
    """The request and its child have session and user of the browser. The server sends no session start."""
    assert get(COOKIES) == 200
    found = identities(rum, provider)
    assert len(found) == 2
    assert found["work"] == {(SESSION, USER)}
    assert set.union(*found.values()) == {(SESSION, USER)}
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())


def test_log_record_of_a_request_has_the_browsers_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is exported before the span of the request, from which it would inherit the session."""
    finished = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call] # the SDK has no types here
    logs = LoggerProvider(shutdown_on_exit=False)
    logs.add_log_record_processor(BatchLogRecordProcessor(finished))
    monkeypatch.setattr(_logs._internal, "_LOGGER_PROVIDER", logs)

    def application(_: Any, start: Any) -> list[bytes]:
        logs.get_logger("shop").emit(_logs.LogRecord(body="the coupon expired"))
        start("200 OK", [])
        return []

    get = get_from_wsgi(RumSessionWsgiMiddleware(application))
    for _ in range(2):
        get(COOKIES)
    logs.get_logger("shop").emit(_logs.LogRecord(body="between requests"))
    logs.shutdown()
    records = [record.log_record for record in finished.get_finished_logs()]
    assert [(dict(record.attributes or {}).get("session.id"), record.body) for record in records] == [
        (SESSION, "the coupon expired"),
        (SESSION, "the coupon expired"),
        (None, "between requests"),
    ]


def test_error_of_a_request_is_in_the_browsers_session(get: Get, rum: LocalRum, provider: TracerProvider) -> None:
    """The error and the failed request."""
    assert get(COOKIES, BROKEN_PATH) == 500
    found = identities(rum, provider)
    assert {"com.amazon.rum.http_event"} <= set(found)
    assert set.union(*found.values()) == {(SESSION, USER)}


def test_session_that_the_browser_does_not_record_is_not_sent(
    get: Get, rum: LocalRum, provider: TracerProvider
) -> None:
    """The browser's sampling decision applies to the server."""
    assert get(f"cwr_s={cwr_s(record=False)}; cwr_u={USER}") == 200
    assert identities(rum, provider) == {}
    assert rum.requests == ()


@pytest.mark.parametrize(
    "cookies", [None, "", "cwr_s", f"cwr_s={cwr_s(NIL)}; cwr_u={NIL}", f"cwr_s={cwr_s('x')}; cwr_u=<script>"]
)
def test_invalid_cookies_are_ignored(get: Get, rum: LocalRum, provider: TracerProvider, cookies: str | None) -> None:
    """The events are in another session, not in that of the request before."""
    assert get(COOKIES) == 200
    assert get(cookies) == 200
    ids = identities(rum, provider)["work"]
    assert len(ids) == 2
    assert {user for session, user in ids if session != SESSION} == {NIL}


def test_advice_about_a_missing_cookie_knows_the_middleware(
    get: Get, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Inside and outside of the instrumentation."""
    assert [get(None), get(None), get(COOKIES)] == [200] * 3
    provider.shutdown()
    advice = [record.getMessage() for record in caplog.records if "has no session" in record.getMessage()]
    assert advice == []
    assert sum("issue_cookies=True" in record.getMessage() for record in caplog.records) == 1


def test_requests_below_a_span_of_the_process_have_their_own_sessions(
    get: Get, rum: LocalRum, provider: TracerProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """Most instrumentations record them as INTERNAL. The span of the command belongs to no request."""
    command = provider.get_tracer("shop").start_span("serve")
    with trace.use_span(command):
        assert [get(COOKIES), get(None), get(COOKIES, BROKEN_PATH)] == [200, 200, 500]
    command.end()
    found = identities(rum, provider)
    assert (SESSION, USER) in found["work"]
    assert len(found["work"]) == 2
    assert found["com.amazon.rum.http_event"] == {(SESSION, USER)}
    assert found["serve"] == found["work"] - {(SESSION, USER)}
    assert sum("issue_cookies=True" in record.getMessage() for record in caplog.records) == 1


def test_middleware_adds_one_processor_to_the_global_provider(
    rum: LocalRum, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The middleware needs no other set-up."""
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    added: list[SpanProcessor] = []

    def add(processor: SpanProcessor) -> None:
        added.append(processor)
        TracerProvider.add_span_processor(provider, processor)

    monkeypatch.setattr(provider, "add_span_processor", add)
    application = flask_application(provider)
    instrument_flask(application)
    assert [get_from_wsgi(application)(COOKIES) for _ in range(3)] == [200] * 3
    assert len(added) == 1
    assert set.union(*identities(rum, provider).values()) == {(SESSION, USER)}


def bound_session(_environ: Mapping[str, Any], _start_response: Any) -> Any:
    """Return the session of the request as the response body; a WSGI application for tests."""
    return [bound()]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (None, joined_session(SESSION, USER, is_sampled=False)),
        ((OTHER_SESSION, None), Session(OTHER_SESSION)),
        ((None, OTHER_USER), joined_session(SESSION, OTHER_USER, is_sampled=False)),
        ((OTHER_SESSION, OTHER_USER), Session(OTHER_SESSION, OTHER_USER)),
        (("\n", None), joined_session(SESSION, USER, is_sampled=False)),
    ],
)
def test_ids_of_the_application_take_precedence_over_cookies(ids: Any, expected: Session) -> None:
    """A session id replaces session and user of the browser. A user id alone replaces only the user."""
    middleware: Any = RumSessionWsgiMiddleware(bound_session, session=lambda _: ids)
    environ = {"HTTP_COOKIE": f"cwr_s={cwr_s(record=False)}; cwr_u={USER}"}
    assert middleware(environ, None) == [expected]


def test_session_function_gets_the_request() -> None:
    """The ASGI scope or the WSGI environ."""
    requests: list[Mapping[str, Any]] = []

    async def asgi(_scope: Any, _receive: Any, _send: Any) -> None:
        pass

    scope = {"type": "http", "headers": []}
    asyncio.run(RumSessionMiddleware(asgi, session=requests.append)(scope, None, None))
    environ: dict[str, Any] = {}
    RumSessionWsgiMiddleware(lambda *_: [], session=requests.append)(environ, None)
    assert requests == [scope, environ]


@pytest.mark.parametrize("session", [lambda _: 1 / 0, lambda _: 7, lambda _: ("a", "b", "c")])
def test_session_function_that_fails_is_logged_once(session: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The requests are served."""
    middleware = RumSessionWsgiMiddleware(lambda *_: [b"served"], session=session)
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        assert [middleware({}, None), middleware({}, None)] == [[b"served"], [b"served"]]
    assert len(caplog.records) == 1


def test_cookie_of_the_app_monitor_in_the_environment_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the app monitor of the exporter."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID", APP_MONITOR_ID)
    environ = {"HTTP_COOKIE": f"cwr_s={cwr_s(OTHER_SESSION)}; cwr_s_{APP_MONITOR_ID}={cwr_s()}"}
    middleware: Any = RumSessionWsgiMiddleware(bound_session)
    assert middleware(environ, None) == [joined_session(SESSION)]


def test_concurrent_requests_keep_their_sessions() -> None:
    """Each request reads its session before and after the other one starts."""
    sessions: dict[str, list[Session | None]] = {"a": [], "b": []}

    async def serve() -> None:
        started = {"a": asyncio.Event(), "b": asyncio.Event()}

        async def application(scope: Any, _receive: Any, _send: Any) -> None:
            name = scope["path"]
            sessions[name].append(bound())
            started[name].set()
            await started["b" if name == "a" else "a"].wait()
            sessions[name].append(bound())

        middleware = RumSessionMiddleware(application)

        def request(name: str, session: str) -> Awaitable[None]:
            headers = [(b"cookie", b"theme=dark"), (b"cookie", f"cwr_s={cwr_s(session)}".encode())]
            return middleware({"type": "http", "path": name, "headers": headers}, None, None)

        await asyncio.gather(request("a", SESSION), request("b", OTHER_SESSION))
        assert bound() is None

    asyncio.run(asyncio.wait_for(serve(), 30))
    assert sessions == {
        "a": [joined_session(SESSION)] * 2,
        "b": [joined_session(OTHER_SESSION)] * 2,
    }


@pytest.mark.parametrize(
    ("kind", "session"), [("http", SESSION), ("websocket", SESSION), ("lifespan", None), ("something.new", None)]
)
def test_asgi_application_gets_the_servers_arguments(kind: str, session: str | None) -> None:
    """For each type of scope. A websocket has a session, as a request has."""
    arguments: list[Any] = []

    async def application(*given: Any) -> None:
        arguments.extend((*given, bound()))

    scope = {"type": kind} if session is None else {"type": kind, "headers": [(b"cookie", COOKIES.encode())]}
    receive, send = object(), object()
    asyncio.run(RumSessionMiddleware(application)(scope, receive, send))
    assert all(got is own for got, own in zip(arguments, (scope, receive, send), strict=False))
    assert arguments[3] == (session and joined_session(SESSION, USER))


def test_streamed_body_is_produced_in_the_session_of_its_request() -> None:
    """Part by part, when the server requests it. The session is not bound between the parts."""
    produced: list[tuple[str, Session | None]] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            for part in (b"a", b"b"):
                produced.append((part.decode(), bound()))
                yield part

        def close(self) -> None:
            produced.append(("close", bound()))

    session = joined_session(SESSION, USER)
    body: Any = RumSessionWsgiMiddleware(lambda *_: Stream())({"HTTP_COOKIE": COOKIES}, None)
    parts = iter(body)
    assert produced == []
    assert next(parts) == b"a"
    assert bound() is None
    assert produced == [("a", session)]
    assert list(parts) == [b"b"]
    body.close()
    assert produced == [("a", session), ("b", session), ("close", session)]
    assert bound() is None


def test_complete_body_is_returned_unchanged() -> None:
    """A server reads the length of a list, and sends a file in its own way."""
    environ: dict[str, Any] = {"HTTP_COOKIE": COOKIES}
    setup_testing_defaults(environ)
    environ["wsgi.file_wrapper"] = FileWrapper
    for body in ([b"a"], (b"a",), FileWrapper(BytesIO(b"a"))):
        assert RumSessionWsgiMiddleware(lambda *_, body=body: body)(environ, None) is body


def test_exception_of_the_application_reaches_the_server() -> None:
    """The session is not bound afterwards."""

    def application(*_: Any) -> Iterable[bytes]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        RumSessionWsgiMiddleware(application)({"HTTP_COOKIE": COOKIES}, None)
    assert bound() is None
