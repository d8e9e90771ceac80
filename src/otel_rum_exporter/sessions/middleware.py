"""Middleware for servers: a request's spans join the session of the browser that made it.

`RumSessionMiddleware` is for ASGI (FastAPI, Starlette, Django), `RumSessionWsgiMiddleware` for WSGI (Flask, Django).
Both work inside and outside the instrumentation. Inside, they set the attributes of the request's span. Outside, a
`RumSessionProcessor`, which they add to the tracer provider, sets them when the span starts. Bodies are not changed.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from .._log import RateLimitedLog
from ..config import variable
from .browser_cookies import browser_session
from .context import Session, bind
from .processor import Ids, RumSessionProcessor

Scope: TypeAlias = "MutableMapping[str, Any]"
AsgiApplication: TypeAlias = "Callable[[Any, Any, Any], Awaitable[None]]"
WsgiApplication: TypeAlias = "Callable[[dict[str, Any], Any], Iterable[bytes]]"
"""https://asgi.readthedocs.io/en/latest/specs/www.html and https://peps.python.org/pep-3333/"""

_prepared: weakref.WeakSet[trace.TracerProvider] = weakref.WeakSet()
"""Tracer providers to which a `RumSessionProcessor` was added."""


class _RumSession:
    """Find the session of a request.

    Args:
        app: The application.
        session: Return session id and user id of a request, given its ASGI scope or WSGI environ, or None. These ids
            take precedence over the cookies of AWS's browser client; an id that is None comes from the cookies.
        app_monitor_id: The browser's app monitor, whose id is part of the cookie's name with
            `cookieAttributes.unique`. None reads the exporter's from the environment.
        tracer_provider: The provider of the request's spans; None means the global one.
    """

    def __init__(
        self,
        app: Any,
        *,
        session: Callable[[Mapping[str, Any]], Ids] | None = None,
        app_monitor_id: str | None = None,
        tracer_provider: trace.TracerProvider | None = None,
    ) -> None:
        self._app = app
        self._session_of = session
        self._app_monitor_id = app_monitor_id or os.environ.get(variable("app_monitor_id"))
        self._tracer_provider = tracer_provider
        self._log = RateLimitedLog()

    def _begin(self, request: Mapping[str, Any], cookies: Callable[[Mapping[str, Any]], str]) -> Session | None:
        """Return the session of a request and set it on the request's span; never raise."""
        try:
            session = self._session(request, cookies(request))
            self._prepare()
            span = trace.get_current_span()
            if session is not None and getattr(span, "kind", None) is SpanKind.SERVER:
                span.set_attributes(session.attributes())
        except Exception as error:  # noqa: BLE001 - telemetry must not stop the application
            self._log.add(
                "session lookup failed",
                "reading the session of a request failed (%r); its events belong to the process session. To fix: "
                "correct the function given as session=; if there is none, report this.",
                error,
            )
            self._log.write()
            return None
        return session

    def _session(self, request: Mapping[str, Any], cookies: str) -> Session | None:
        ids = self._session_of(request) if self._session_of else None
        own = Session.of(*ids) if ids else None
        if own is not None and own.id is not None:
            return own
        browser = browser_session(cookies, self._app_monitor_id)
        if own is None or browser is None:
            return own or browser
        return Session(browser.id, own.user_id, browser.is_sampled)

    def _prepare(self) -> None:
        """Add a processor to the tracer provider, once; an application may set its provider after its middleware."""
        provider = self._tracer_provider or trace.get_tracer_provider()
        add = getattr(provider, "add_span_processor", None)
        if add is not None and provider not in _prepared:
            _prepared.add(provider)
            add(RumSessionProcessor())


class RumSessionMiddleware(_RumSession):
    """Bind each request of an ASGI application to its browser's session: `app.add_middleware(RumSessionMiddleware)`."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve a request in its session; other scopes, such as `lifespan`, are passed on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        with bind(self._begin(scope, _asgi_cookies)):
            await self._app(scope, receive, send)


class RumSessionWsgiMiddleware(_RumSession):
    """Bind each request of a WSGI application to its browser's session.

    `app.wsgi_app = RumSessionWsgiMiddleware(app.wsgi_app)` in Flask.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request in its session, including the body that the server iterates later."""
        session = self._begin(environ, _wsgi_cookies)
        with bind(session):
            body: Iterable[bytes] = self._app(environ, start_response)
        is_complete = isinstance(body, (list, tuple)) or type(body) is environ.get("wsgi.file_wrapper")
        return body if is_complete or session is None else _Body(body, session)


class _Body:
    """A response body whose parts are produced within a session."""

    def __init__(self, body: Iterable[bytes], session: Session) -> None:
        self._body = body
        self._parts = iter(body)
        self._session = session

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with bind(self._session):
            return next(self._parts)

    def close(self) -> None:
        """Close the body; WSGI servers call this at the end."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with bind(self._session):
                close()


def _asgi_cookies(scope: Mapping[str, Any]) -> str:
    return "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")


def _wsgi_cookies(environ: Mapping[str, Any]) -> str:
    return str(environ.get("HTTP_COOKIE", ""))
