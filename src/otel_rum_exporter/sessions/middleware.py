"""Middleware for servers: a request's spans join the session of the browser that made it.

`RumSessionMiddleware` is for ASGI (FastAPI, Starlette, Django), `RumSessionWsgiMiddleware` for WSGI (Flask, Django).
Both work inside and outside of the instrumentation: inside, the request's span is there and is told; outside, the
`RumSessionProcessor` that they add to the tracer provider tells it when it begins. Bodies pass through untouched.
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
"""The tracer providers that have a processor of ours."""


class _RumSession:
    """Find the session of a request.

    Args:
        app: The application.
        session: Return session id and user id of a request, given its ASGI scope or WSGI environ, or None. Goes before
            the cookies of AWS's browser client; an id that it leaves None is theirs.
        app_monitor_id: Of the browser's app monitor, which is in the name of its cookie with `cookieAttributes.unique`;
            the exporter's, from the environment, if None.
        tracer_provider: Whose spans are told; the global one if None.
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
        self._told = session
        self._app_monitor_id = app_monitor_id or os.environ.get(variable("app_monitor_id"))
        self._tracer_provider = tracer_provider
        self._log = RateLimitedLog()

    def _begin(self, request: Mapping[str, Any], cookies: Callable[[Mapping[str, Any]], str]) -> Session | None:
        """Return the session of a request, and tell its span; never raise."""
        try:
            session = self._session(request, cookies(request))
            self._prepare()
            span = trace.get_current_span()
            if session is not None and getattr(span, "kind", None) is SpanKind.SERVER:
                span.set_attributes(session.attributes())
        except Exception as fault:  # noqa: BLE001 - telemetry must not stop the application
            self._log.add(
                "no session found",
                "a request goes without its session: %r. To do: repair the function given to the middleware, or report "
                "this where none was given.",
                fault,
            )
            self._log.write()
            return None
        return session

    def _session(self, request: Mapping[str, Any], cookies: str) -> Session | None:
        told = self._told(request) if self._told else None
        told_session = Session.of(*told) if told else None
        if told_session is not None and told_session.id is not None:
            return told_session
        browser = browser_session(cookies, self._app_monitor_id)
        if told_session is None or browser is None:
            return told_session or browser
        return Session(browser.id, told_session.user_id, browser.is_sampled)

    def _prepare(self) -> None:
        """Add a processor to the tracer provider, which an application may set after its middleware."""
        provider = self._tracer_provider or trace.get_tracer_provider()
        add = getattr(provider, "add_span_processor", None)
        if add is not None and provider not in _prepared:
            _prepared.add(provider)
            add(RumSessionProcessor())


class RumSessionMiddleware(_RumSession):
    """Bind each request of an ASGI application to its browser's session: `app.add_middleware(RumSessionMiddleware)`."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve a request; what is no request, as `lifespan`, passes."""
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
        """Serve a request; its body is made while the server asks for it, in the same session."""
        session = self._begin(environ, _wsgi_cookies)
        with bind(session):
            body: Iterable[bytes] = self._app(environ, start_response)
        is_made = isinstance(body, (list, tuple)) or type(body) is environ.get("wsgi.file_wrapper")
        return body if is_made or session is None else _Body(body, session)


class _Body:
    """A response's body, each part of which is made in a session."""

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
        """Close the body, as WSGI servers do at its end."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with bind(self._session):
                close()


def _asgi_cookies(scope: Mapping[str, Any]) -> str:
    return "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")


def _wsgi_cookies(environ: Mapping[str, Any]) -> str:
    return str(environ.get("HTTP_COOKIE", ""))
