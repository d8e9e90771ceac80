"""Middleware for servers: a request's spans join the session of the browser that made it.

`RumSessionMiddleware` is for ASGI (FastAPI, Starlette, Django), `RumSessionWsgiMiddleware` for WSGI (Flask, Django).
Both work inside and outside the instrumentation. Inside, they set the attributes of the request's span. Outside, a
`RumSessionProcessor`, which they add to the tracer provider, sets them when the span starts. Bodies are not changed.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, get_logger_provider

from .._attributes import BY_BROWSER, NO_COOKIE, NOT_ISSUED
from .._config_fields import share
from .._log import RateLimitedLog
from .._served import is_request
from ..config import variable
from .browser_cookies import SESSION_COOKIE, browser_session
from .context import Session, bind
from .issued_cookies import CookieIssuer, Issued, is_shared
from .processor import Ids, RumSessionProcessor
from .request import Request

Scope: TypeAlias = "MutableMapping[str, Any]"
AsgiApplication: TypeAlias = "Callable[[Any, Any, Any], Awaitable[None]]"
WsgiApplication: TypeAlias = "Callable[[dict[str, Any], Any], Iterable[bytes]]"
"""https://asgi.readthedocs.io/en/latest/specs/www.html and https://peps.python.org/pep-3333/"""

_prepared: weakref.WeakSet[trace.TracerProvider | LoggerProvider] = weakref.WeakSet()
"""Tracer providers to which a `RumSessionProcessor` was added."""


class _RumSession:
    """Find the session of a request.

    Args:
        app: The application.
        session: Return session id and user id of a request, given its ASGI scope or WSGI environ, or None. These ids
            take precedence over the cookies; an id that is None comes from the cookies.
        app_monitor_id: The browser's app monitor, whose id is part of the cookie's name with
            `cookieAttributes.unique`. None reads the exporter's from the environment.
        tracer_provider: The provider of the request's spans; None means the global one.
        issue_cookies: Start a session, with the cookies of AWS's browser client, for a browser that has none. Programs,
            health checks and people who send `DNT` or `Sec-GPC` get no cookies.
        consent: Return whether the person behind a request, given as scope or environ, accepts cookies; None means yes.
        session_sample_rate: The share of new sessions to send. None reads the exporter's from the environment.
        unique_cookies: Put the app monitor's id into the name of the session cookie, as `cookieAttributes.unique`.
        cookie_domain: The domain of the cookies. None means the host that the browser asked for.
        cookie_path: The path of the cookies.
        same_site: `SameSite` of the cookies. With `Strict`, the client's default, a person who follows a link from
            another site starts a new session; with `Lax` not.
    """

    def __init__(  # noqa: PLR0913 - each argument is an option of the cookies
        self,
        app: Any,
        *,
        session: Callable[[Mapping[str, Any]], Ids] | None = None,
        app_monitor_id: str | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        issue_cookies: bool = False,
        consent: Callable[[Mapping[str, Any]], bool] | None = None,
        session_sample_rate: float | None = None,
        unique_cookies: bool = False,
        cookie_domain: str | None = None,
        cookie_path: str = "/",
        same_site: Literal["Strict", "Lax", "None"] = "Strict",
    ) -> None:
        self._app = app
        self._session_of = session
        self._app_monitor_id = app_monitor_id or os.environ.get(variable("app_monitor_id"))
        self._tracer_provider = tracer_provider
        self._log = RateLimitedLog()
        self._issuer = None
        if issue_cookies:
            is_unique = unique_cookies and self._app_monitor_id
            self._issuer = CookieIssuer(
                sample_rate=_sample_rate() if session_sample_rate is None else session_sample_rate,
                consent=consent,
                name=f"{SESSION_COOKIE}_{self._app_monitor_id}" if is_unique else SESSION_COOKIE,
                domain=cookie_domain,
                path=cookie_path,
                same_site=same_site,
            )

    def _begin(self, request: Request, *, has_cookies: bool = True) -> Issued:
        """Return the session of a request and its new cookies, set the session on the request's span; never raise."""
        try:
            issued = self._session(request, self._issuer if has_cookies else None)
            self._prepare()
            span = trace.get_current_span()
            if is_request(span):
                span.set_attributes(issued.session.attributes())
        except Exception as error:  # noqa: BLE001 - telemetry must not stop the application
            self._log.add(
                "session lookup failed",
                "reading the session of a request failed (%r); its events belong to the process session. To fix: "
                "correct the functions given as session= and consent=; if there are none, report this.",
                error,
            )
            self._log.write()
            return Issued(Session(), ())
        return issued

    def _session(self, request: Request, issuer: CookieIssuer | None) -> Issued:
        ids = self._session_of(request.source) if self._session_of else None
        own = Session.of(*ids) if ids else None
        if own is not None and own.id is not None:
            return Issued(own, ())
        found = browser_session(request.header("cookie"), self._app_monitor_id)
        issued = Issued(found or Session(), ())
        if issuer is not None and (found is None or found.joined != BY_BROWSER):
            can_issue = issuer.can_issue(request)
            issued = (issuer.issue(request, found) if can_issue else None) or Issued(Session(missing=NOT_ISSUED), ())
        elif found is None or found.id is None:
            missing = NOT_ISSUED if self._issuer else NO_COOKIE
            issued = Issued(replace(issued.session, missing=missing), ())
        user_id = (own.user_id if own else None) or issued.session.user_id
        return issued._replace(session=replace(issued.session, user_id=user_id))

    def _prepare(self) -> None:
        """Add a processor to each provider, once; an application may set its providers after its middleware.

        Log records need it as well: they are exported before the span of their request, from which they would inherit.
        """
        spans, logs = self._tracer_provider or trace.get_tracer_provider(), get_logger_provider()
        for provider, method in ((spans, "add_span_processor"), (logs, "add_log_record_processor")):
            add = getattr(provider, method, None)
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
        issued = self._begin(Request.of_scope(scope), has_cookies=scope["type"] == "http")

        async def send_cookies(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
                caching = [value.decode("latin-1") for name, value in headers if name.lower() == b"cache-control"]
                if not is_shared(", ".join(caching)):
                    headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in issued.set_cookies]
                message = {**message, "headers": headers}
            await send(message)

        with bind(issued.session):
            await self._app(scope, receive, send_cookies if issued.set_cookies else send)


class RumSessionWsgiMiddleware(_RumSession):
    """Bind each request of a WSGI application to its browser's session.

    `app.wsgi_app = RumSessionWsgiMiddleware(app.wsgi_app)` in Flask.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request in its session, including the body that the server iterates later."""
        issued = self._begin(Request.of_environ(environ))

        def start_with_cookies(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            caching = [value for name, value in headers if name.lower() == "cache-control"]
            if not is_shared(", ".join(caching)):
                headers = [*headers, *(("Set-Cookie", cookie) for cookie in issued.set_cookies)]
            return start_response(status, headers, *error)

        with bind(issued.session):
            body: Iterable[bytes] = self._app(environ, start_with_cookies if issued.set_cookies else start_response)
        is_complete = isinstance(body, (list, tuple)) or type(body) is environ.get("wsgi.file_wrapper")
        return body if is_complete or not issued.session.is_known else _Body(body, issued.session)


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


def _sample_rate() -> float:
    """Return the exporter's rate; 1 if it is not set or wrong, which the exporter reports."""
    try:
        return share(os.environ.get(variable("session_sample_rate"), "1"))
    except ValueError:
        return 1.0
