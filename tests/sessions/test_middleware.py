"""Real applications, instrumented as users do it: what a server does for a browser is in the browser's session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import django
import fastapi
import flask
import httpx
import pytest
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.sessions.context import Session, bound
from otel_rum_exporter.sessions.middleware import RumSessionMiddleware, RumSessionWsgiMiddleware
from tests.sessions.test_browser_cookies import NIL, OTHER_SESSION, SESSION, USER, cwr_s
from tests.spans import APP_MONITOR_ID

OTHER_USER = "4a3b2c1d-0d4a-4b7c-9e8f-7a6b5c4d3e2f"
COOKIES = f"theme=dark; cwr_s={cwr_s()}; cwr_u={USER}"
PATH = "/api/orders"

Get = Callable[..., int]
"""Send a GET request with this Cookie header, and return the status of the answer."""


@pytest.fixture
def provider(exporter: Callable[..., RumSpanExporter]) -> Iterator[TracerProvider]:
    """Send spans to `rum`."""
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(exporter()))
    yield made
    made.shutdown()


def get_from_asgi(application: Any) -> Get:
    """Ask an ASGI application."""

    def get(cookies: str | None = None, where: str = PATH) -> int:
        async def ask() -> int:
            transport = httpx.ASGITransport(application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                answer = await client.get(where, headers={} if cookies is None else {"cookie": cookies})
                return answer.status_code

        return asyncio.run(ask())

    return get


def get_from_wsgi(application: Any) -> Get:
    """Ask a WSGI application."""

    def get(cookies: str | None = None, where: str = PATH) -> int:
        transport = httpx.WSGITransport(application, raise_app_exceptions=False)
        with httpx.Client(transport=transport, base_url="http://shop.example") as client:
            return client.get(where, headers={} if cookies is None else {"cookie": cookies}).status_code

    return get


def fastapi_application(provider: TracerProvider) -> fastapi.FastAPI:
    """Make an application of FastAPI."""
    application = fastapi.FastAPI()

    @application.get(PATH)
    def orders() -> str:
        with provider.get_tracer("shop").start_as_current_span("work"):
            return "none"

    @application.get("/api/broken")
    def broken() -> str:
        raise ValueError("broken")

    FastAPIInstrumentor.instrument_app(application, tracer_provider=provider)
    return application


def flask_application(provider: TracerProvider) -> flask.Flask:
    """Make an application of Flask."""
    application = flask.Flask("shop")

    @application.get(PATH)
    def orders() -> str:
        with provider.get_tracer("shop").start_as_current_span("work"):
            return "none"

    @application.get("/api/broken")
    def broken() -> str:
        raise ValueError("broken")

    return application


def fastapi_inside(provider: TracerProvider) -> Iterator[Get]:
    """Add the middleware to FastAPI, inside of its instrumentation."""
    application = fastapi_application(provider)
    application.add_middleware(RumSessionMiddleware, tracer_provider=provider)
    yield get_from_asgi(application)


def fastapi_outside(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around instrumented FastAPI."""
    yield get_from_asgi(RumSessionMiddleware(fastapi_application(provider), tracer_provider=provider))


def flask_outside(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around Flask, whose instrumentation begins its span within."""
    application = flask_application(provider)
    application.wsgi_app = RumSessionWsgiMiddleware(  # type: ignore[method-assign]
        application.wsgi_app, tracer_provider=provider
    )
    instrumentor: Any = FlaskInstrumentor()
    instrumentor.instrument_app(application, tracer_provider=provider)
    yield get_from_wsgi(application)


def flask_inside(provider: TracerProvider) -> Iterator[Get]:
    """Put OTel's WSGI middleware around ours, and ours around Flask."""
    application = RumSessionWsgiMiddleware(flask_application(provider), tracer_provider=provider)
    yield get_from_wsgi(OpenTelemetryMiddleware(application, tracer_provider=provider))


def django_project(provider: TracerProvider) -> Iterator[None]:
    """Set up a project of Django with its instrumentation."""

    def orders(_: HttpRequest) -> HttpResponse:
        with provider.get_tracer("shop").start_as_current_span("work"):
            return HttpResponse("none")

    def broken(_: HttpRequest) -> HttpResponse:
        raise ValueError("broken")

    class Urls:
        urlpatterns = (path(PATH[1:], orders), path("api/broken", broken))

    if not django_settings.configured:
        django_settings.configure()
    django.setup()
    with override_settings(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[]):
        DjangoInstrumentor().instrument(tracer_provider=provider)
        yield
        DjangoInstrumentor().uninstrument()


def django_wsgi(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around a WSGI application of Django."""
    for _ in django_project(provider):
        yield get_from_wsgi(RumSessionWsgiMiddleware(get_wsgi_application(), tracer_provider=provider))


def django_asgi(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around an ASGI application of Django."""
    for _ in django_project(provider):
        yield get_from_asgi(RumSessionMiddleware(get_asgi_application(), tracer_provider=provider))


APPLICATIONS = [fastapi_inside, fastapi_outside, flask_inside, flask_outside, django_wsgi, django_asgi]


@pytest.fixture(params=APPLICATIONS, ids=lambda make: make.__name__)
def get(request: pytest.FixtureRequest, provider: TracerProvider) -> Iterator[Get]:
    """Serve an application, and return a function that sends requests to it."""
    yield from request.param(provider)


def owners(rum: LocalRum, provider: TracerProvider) -> dict[str, set[tuple[str | None, str | None]]]:
    """Return session and user of the events of each type."""
    provider.shutdown()  # which waits for delivery, as a flush of the SDK does not
    found: dict[str, set[tuple[str | None, str | None]]] = {}
    for event in rum.events:
        found.setdefault(event.type, set()).add((event.session_id, event.user_id))
    return found


def test_what_a_server_does_is_in_the_browsers_session(get: Get, rum: LocalRum, provider: TracerProvider) -> None:
    """Request and child, in the session and of the user of the browser, and no session is opened here."""
    assert get(COOKIES) == 200
    found = owners(rum, provider)
    assert len(found) == 2
    assert found["work"] == {(SESSION, USER)}
    assert set.union(*found.values()) == {(SESSION, USER)}
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())


def test_an_error_is_in_the_browsers_session(get: Get, rum: LocalRum, provider: TracerProvider) -> None:
    """What the user met is told with the failed request."""
    assert get(COOKIES, "/api/broken") == 500
    found = owners(rum, provider)
    assert {"com.amazon.rum.http_event"} <= set(found)
    assert set.union(*found.values()) == {(SESSION, USER)}


def test_a_browser_that_is_not_recorded_has_a_server_that_is_not(
    get: Get, rum: LocalRum, provider: TracerProvider
) -> None:
    """The browser's sampling holds for its whole session."""
    assert get(f"cwr_s={cwr_s(record=False)}; cwr_u={USER}") == 200
    assert owners(rum, provider) == {}
    assert rum.requests == ()


@pytest.mark.parametrize(
    "cookies", [None, "", "cwr_s", f"cwr_s={cwr_s(NIL)}; cwr_u={NIL}", f"cwr_s={cwr_s('x')}; cwr_u=<script>"]
)
def test_hostile_cookies_are_no_session(get: Get, rum: LocalRum, provider: TracerProvider, cookies: str | None) -> None:
    """They cost nothing but the session; nor is the session of the request before still there."""
    assert get(COOKIES) == 200
    assert get(cookies) == 200
    ids = owners(rum, provider)["work"]
    assert len(ids) == 2
    assert {user for session, user in ids if session != SESSION} == {NIL}


def test_one_line_is_enough(rum: LocalRum, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The middleware brings the processor to the global tracer provider, once."""
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    application = flask_application(provider)
    application.wsgi_app = RumSessionWsgiMiddleware(application.wsgi_app)  # type: ignore[method-assign]
    instrumentor: Any = FlaskInstrumentor()
    instrumentor.instrument_app(application)
    before = len(provider._active_span_processor._span_processors)
    for _ in range(3):
        assert get_from_wsgi(application)(COOKIES) == 200
    assert len(provider._active_span_processor._span_processors) == before + 1
    assert set.union(*owners(rum, provider).values()) == {(SESSION, USER)}


def test_an_application_may_know_better_than_the_cookies() -> None:
    """Its session goes before the browser's, with its user only; its user alone goes into the browser's session."""
    seen: list[Session | None] = []
    told: Any = None

    def application(_environ: Mapping[str, Any], _start_response: Any) -> Iterable[bytes]:
        seen.append(bound())
        return []

    middleware = RumSessionWsgiMiddleware(application, session=lambda _: told)
    environ = {"HTTP_COOKIE": f"cwr_s={cwr_s(record=False)}; cwr_u={USER}"}
    for told in (None, (OTHER_SESSION, None), (None, OTHER_USER), (OTHER_SESSION, OTHER_USER), ("\n", None)):  # noqa: B007
        middleware(environ, None)
    assert seen == [
        Session(SESSION, USER, is_sampled=False),
        Session(OTHER_SESSION),
        Session(SESSION, OTHER_USER, is_sampled=False),
        Session(OTHER_SESSION, OTHER_USER),
        Session(SESSION, USER, is_sampled=False),
    ]


def test_the_function_is_given_the_request() -> None:
    """The scope of ASGI, the environ of WSGI."""
    given: list[Mapping[str, Any]] = []

    async def asgi(_scope: Any, _receive: Any, _send: Any) -> None:
        pass

    scope = {"type": "http", "headers": []}
    asyncio.run(RumSessionMiddleware(asgi, session=given.append)(scope, None, None))
    environ: dict[str, Any] = {}
    RumSessionWsgiMiddleware(lambda *_: [], session=given.append)(environ, None)
    assert given == [scope, environ]


@pytest.mark.parametrize("told", [lambda _: 1 / 0, lambda _: 7, lambda _: ("a", "b", "c")])
def test_a_function_that_fails_costs_a_log_line_and_no_request(told: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One line, not one a request."""
    middleware = RumSessionWsgiMiddleware(lambda *_: [b"served"], session=told)
    with caplog.at_level(logging.WARNING, "otel_rum_exporter"):
        assert [middleware({}, None), middleware({}, None)] == [[b"served"], [b"served"]]
    assert len(caplog.records) == 1


def test_our_app_monitors_cookie_is_known_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the exporter knows it."""
    monkeypatch.setenv("OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID", APP_MONITOR_ID)
    seen: list[Session | None] = []

    def application(_environ: Mapping[str, Any], _start_response: Any) -> Iterable[bytes]:
        seen.append(bound())
        return []

    middleware = RumSessionWsgiMiddleware(application)
    middleware({"HTTP_COOKIE": f"cwr_s={cwr_s(OTHER_SESSION)}; cwr_s_{APP_MONITOR_ID}={cwr_s()}"}, None)
    assert seen == [Session(SESSION, None, is_sampled=True)]


def test_requests_at_the_same_time_keep_their_sessions() -> None:
    """Each has its own, also after the others came and went."""
    seen: dict[str, list[Session | None]] = {"a": [], "b": []}

    async def serve() -> None:
        barrier = [asyncio.Event(), asyncio.Event()]

        async def application(scope: Any, _receive: Any, _send: Any) -> None:
            who = scope["path"]
            seen[who].append(bound())
            barrier[who == "b"].set()
            await barrier[who == "a"].wait()
            seen[who].append(bound())

        middleware = RumSessionMiddleware(application)

        def request(who: str, session: str) -> Awaitable[None]:
            headers = [(b"cookie", b"theme=dark"), (b"cookie", f"cwr_s={cwr_s(session)}".encode())]
            return middleware({"type": "http", "path": who, "headers": headers}, None, None)

        await asyncio.gather(request("a", SESSION), request("b", OTHER_SESSION))
        assert bound() is None

    asyncio.run(serve())
    assert seen == {
        "a": [Session(SESSION, None, is_sampled=True)] * 2,
        "b": [Session(OTHER_SESSION, None, is_sampled=True)] * 2,
    }


@pytest.mark.parametrize(
    ("kind", "session"), [("http", SESSION), ("websocket", SESSION), ("lifespan", None), ("something.new", None)]
)
def test_asgi_messages_pass_untouched(kind: str, session: str | None) -> None:
    """Scope, receive and send are the server's own, whatever the kind; a websocket has a session as a request has."""
    seen: list[Any] = []

    async def application(*given: Any) -> None:
        seen.extend((*given, bound()))

    scope = {"type": kind} if session is None else {"type": kind, "headers": [(b"cookie", COOKIES.encode())]}
    receive, send = object(), object()
    asyncio.run(RumSessionMiddleware(application)(scope, receive, send))
    assert [one is other for one, other in zip(seen, (scope, receive, send), strict=False)] == [True] * 3
    assert seen[3] == (session and Session(SESSION, USER, is_sampled=True))


def test_a_streamed_body_is_made_in_the_session_of_its_request() -> None:
    """One part at a time, when the server asks for it; the server's own work between is in none."""
    made: list[tuple[str, Session | None]] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            for part in (b"a", b"b"):
                made.append((part.decode(), bound()))
                yield part

        def close(self) -> None:
            made.append(("close", bound()))

    session = Session(SESSION, USER, is_sampled=True)
    body: Any = RumSessionWsgiMiddleware(lambda *_: Stream())({"HTTP_COOKIE": COOKIES}, None)
    parts = iter(body)
    assert made == []
    assert next(parts) == b"a"
    assert bound() is None
    assert made == [("a", session)]
    assert list(parts) == [b"b"]
    body.close()
    assert made == [("a", session), ("b", session), ("close", session)]
    assert bound() is None


def test_bodies_that_are_made_already_are_the_applications_own() -> None:
    """Servers look at the length of a list, and send files by themselves."""
    environ: dict[str, Any] = {"HTTP_COOKIE": COOKIES}
    setup_testing_defaults(environ)
    environ["wsgi.file_wrapper"] = FileWrapper
    for body in ([b"a"], (b"a",), FileWrapper(BytesIO(b"a"))):
        assert RumSessionWsgiMiddleware(lambda *_, body=body: body)(environ, None) is body


def test_what_an_application_raises_is_the_servers_to_see() -> None:
    """And no session is left bound."""

    def application(*_: Any) -> Iterable[bytes]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        RumSessionWsgiMiddleware(application)({"HTTP_COOKIE": COOKIES}, None)
    assert bound() is None
