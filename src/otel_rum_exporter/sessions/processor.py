"""`RumSessionProcessor`: sets session, user and screen on spans and log records when they start."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import SpanKind

from .._attributes import (
    BY_SERVER,
    INTERACTION,
    PARENT_SCREENS,
    SCREEN_NAMES,
    SCREEN_PARENT_MILLIS,
    SCREEN_SHOWN,
    SESSION_ATTRIBUTES,
    SESSION_JOINED,
    SESSION_MINTED,
    SESSION_SAMPLED,
    USER_ATTRIBUTES,
    plain,
)
from .._log import RateLimitedLog
from .._served import is_request
from .._version import VERSION
from .app_session import AppSession, Screen
from .context import SESSION_ID, USER_ID, Session, bound
from .user_id_file import remembered_user_id

SCREEN = "app.screen.name"

Attributes: TypeAlias = "dict[str, str | int | float | bool]"
Ids: TypeAlias = "tuple[str | None, str | None] | None"
"""Session id and user id from the application; None if it has none."""


class RumSessionProcessor(SpanProcessor, LogRecordProcessor):
    """Set session and user of each span and log record, for RUM.

    They come from the first of these that has them: the parent span, the request (`RumSessionMiddleware`), the W3C
    baggage entries `session.id` and `user.id`, the function `session`, the session of the application. Attributes that
    a span already has are kept. Baggage comes from the client: use it for statistics, not for authorization.

    In an application with one user, the first call of `new_session`, `set_user` or `page_view`, or `state_directory`,
    starts a session for everything in the process. It is renewed after 30 minutes of silence.

    Args:
        session: Return session id and user id of the current work, or None. Called for each span.
        state_directory: Directory that keeps a random id of the application's user between runs.
        tracer_provider: Provider of the spans that `page_view` makes; None means the global one.
    """

    def __init__(
        self,
        session: Callable[[], Ids] | None = None,
        *,
        state_directory: str | os.PathLike[str] | None = None,
        tracer_provider: trace.TracerProvider | None = None,
    ) -> None:
        self._session_of = session
        self._tracer_provider = tracer_provider
        self._log = RateLimitedLog()
        self._app_session: AppSession | None = None
        if state_directory is not None:
            self._start_app_session(remembered_user_id(state_directory, _new_id))

    def new_session(self) -> None:
        """Start a new session, for example for the next visitor of a kiosk; the user stays until `set_user`."""
        if self._app_session is None:
            self._start_app_session()
        else:
            self._app_session.begin()

    def set_user(self, user_id: str | None) -> None:
        """Set the user from now on; None removes it. RUM gets a hash, unless the id is a UUID."""
        (self._app_session or self._start_app_session()).set_user(user_id)

    def page_view(self, name: str) -> None:
        """Record that the application shows another screen; later spans belong to it."""
        screen = (self._app_session or self._start_app_session()).show(name)
        if isinstance(self._tracer_provider or trace.get_tracer_provider(), trace.ProxyTracerProvider):
            self._log_no_provider(name)
        tracer = trace.get_tracer("otel_rum_exporter", VERSION, self._tracer_provider)
        tracer.start_span("page_view", context=Context(), attributes=_attributes(screen)).end()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set session, user and screen on a span that starts, where it has none of its own."""
        try:
            own = plain(span.attributes)
            found = self._found(own, parent_context)
            request = bound()
            if not found and request is not None and is_request(span):
                found = {**request.attributes()}
            span.set_attributes({**found, **self._screen(own, span, found)})
        except Exception as error:  # noqa: BLE001 - telemetry must not stop the application
            self._failed(error)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Set session, user and screen on a log record, where it has none of its own."""
        try:
            data = log_record.log_record
            own = plain(data.attributes)
            found = self._found(own, data.context)
            if _text(own, *SCREEN_NAMES) is None:
                found.update(self._on_screen(found, is_root=False))
            if isinstance(data.attributes, Mapping):
                data.attributes.update(found)  # type: ignore[attr-defined] # the SDK's attributes are mutable
        except Exception as error:  # noqa: BLE001 - telemetry must not stop the application
            self._failed(error)

    def shutdown(self) -> None:
        """Do nothing: the processor holds no data."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Return true: the processor holds no data."""
        return True

    def _start_app_session(self, user_id: str | None = None) -> AppSession:
        self._app_session = AppSession(user_id=user_id, new_id=_new_id, now_ns=time.time_ns)
        return self._app_session

    def _found(self, own: Mapping[str, Any], context: Context | None) -> Attributes:
        """Return the attributes to set on a span; none if it has a session of its own."""
        if _text(own, *SESSION_ATTRIBUTES):
            return {}
        request = bound()
        session = (
            self._of_parent(context)
            or (request if request is not None and request.is_known else None)
            or _in_baggage(context)
            or self._from_application()
            or self._inherited(context)
        )
        attributes: Attributes = {**session.attributes()} if session else {}
        if USER_ID in attributes and _text(own, *USER_ATTRIBUTES):
            del attributes[USER_ID]
        return attributes

    def _of_parent(self, context: Context | None) -> Session | None:
        """Return the session of the parent span, unless it is the application's, which may be newer now.

        It takes precedence over the bound session: a task that serves many requests keeps the binding of the request
        that started it, and threads may have no binding.
        """
        parent = plain(getattr(trace.get_current_span(context), "attributes", None))
        session_id, sampled = _text(parent, *SESSION_ATTRIBUTES), parent.get(SESSION_SAMPLED)
        is_minted = SESSION_MINTED in parent
        if session_id is None or (is_minted and self._app_session is not None):
            return None
        is_sampled = sampled if isinstance(sampled, bool) else None
        joined = _text(parent, SESSION_JOINED)
        return Session(session_id, _text(parent, *USER_ATTRIBUTES), is_sampled, is_minted=is_minted, joined=joined)

    def _from_application(self) -> Session | None:
        ids = self._session_of() if self._session_of else None
        return Session.of(*ids) if ids else None

    def _inherited(self, context: Context | None) -> Session | None:
        """Return the application's session, else the parent span's user.

        The application's session may be newer than the parent span's.
        """
        if self._app_session is not None:
            return self._app_session.current()
        user_id = _text(plain(getattr(trace.get_current_span(context), "attributes", None)), *USER_ATTRIBUTES)
        return Session(None, user_id) if user_id else None

    def _screen(self, own: Mapping[str, Any], span: Span, found: Attributes) -> Attributes:
        """Return the screen that a root span shows, or the screen on which the span happened."""
        name, app_session = _text(own, *SCREEN_NAMES), self._app_session
        if app_session is None or span.kind is SpanKind.SERVER:
            return {}
        if name is None:
            return self._on_screen(found, is_root=span.parent is None or span.parent.is_remote)
        is_new = span.parent is None and (app_session.screen is None or app_session.screen.name != name)
        shown = _attributes(app_session.show(name)) if is_new else {}
        return {key: value for key, value in shown.items() if key not in own and key != SCREEN}

    def _on_screen(self, found: Attributes, *, is_root: bool) -> Attributes:
        """Return the current screen, for something that happened in the application's session."""
        app_session = self._app_session
        screen = app_session.screen if app_session else None
        if app_session is None or screen is None or found.get(SESSION_ID) != app_session.id:
            return {}
        return {SCREEN: screen.name, SCREEN_SHOWN: False} if is_root else {SCREEN: screen.name}

    def _log_no_provider(self, name: str) -> None:
        """Log that OpenTelemetry's API makes no spans, because no provider is set."""
        self._log.add(
            "no provider",
            "page_view(%r) makes no span, because there is no global TracerProvider. To fix: call "
            "trace.set_tracer_provider before, or give RumSessionProcessor the argument tracer_provider.",
            name[:100],
        )
        self._log.write()

    def _failed(self, error: Exception) -> None:
        self._log.add(
            "session lookup failed",
            "reading the session of a span failed (%r); it belongs to the process session. To fix: correct the "
            "function given to RumSessionProcessor; if there is none, report this.",
            error,
        )
        self._log.write()


def _in_baggage(context: Context | None) -> Session | None:
    """Return the session in the baggage; baggage that comes with a remote parent names a session of another service."""
    entries = baggage.get_all(context)
    if not entries:
        return None
    is_remote = trace.get_current_span(context).get_span_context().is_remote
    return Session.of(entries.get(SESSION_ID), entries.get(USER_ID), joined=BY_SERVER if is_remote else None)


def _attributes(screen: Screen) -> Attributes:
    """Return the attributes of the span that shows a screen."""
    found: Attributes = {SCREEN: screen.name, INTERACTION: screen.number}
    if screen.previous is not None and screen.previous_millis is not None:
        found |= {PARENT_SCREENS[0]: screen.previous, SCREEN_PARENT_MILLIS: screen.previous_millis}
    return found


def _new_id() -> str:
    return str(uuid.uuid4())


def _text(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the named attributes that is a non-empty string."""
    values = (attributes.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)
