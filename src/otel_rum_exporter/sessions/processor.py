"""`RumSessionProcessor`: it puts session, user and screen on spans and log records as they begin."""

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
    INTERACTION,
    PARENT_SCREENS,
    SCREEN_NAMES,
    SCREEN_PARENT_MILLIS,
    SCREEN_SHOWN,
    SESSION_ATTRIBUTES,
    SESSION_MINTED,
    SESSION_SAMPLED,
    USER_ATTRIBUTES,
    plain,
)
from .._log import RateLimitedLog
from .._version import VERSION
from .app_session import ProgramSession, Screen
from .context import SESSION_ID, USER_ID, Session, bound
from .user_id_file import remembered_user_id

SCREEN = "app.screen.name"

Attributes: TypeAlias = "dict[str, str | int | float | bool]"
Ids: TypeAlias = "tuple[str | None, str | None] | None"
"""Session id and user id, as an application tells them."""


class RumSessionProcessor(SpanProcessor, LogRecordProcessor):
    """Say of each span and log record whose it is, for RUM.

    Session and user come from the first that knows them: the parent span, what `RumSessionMiddleware` found in the
    request, the W3C baggage entries `session.id` and `user.id`, `session`, the session of the program. What a span
    says of itself stays as it is. Baggage is whatever the client sent: good for statistics, not for trust.

    In a program with one user, `new_session`, `set_user`, `page_view` or `state_directory` begins a session that
    everything else in the process belongs to. It renews itself after 30 minutes of silence.

    Args:
        session: Return session id and user id of the work done at the moment, or None. It is called for each span.
        state_directory: Where to remember a random id of the program's user from run to run.
        tracer_provider: Where `page_view` makes its spans; the global one if None.
        now_ns: Return the time since the epoch.
    """

    def __init__(
        self,
        session: Callable[[], Ids] | None = None,
        *,
        state_directory: str | os.PathLike[str] | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._told = session
        self._tracer_provider = tracer_provider
        self._now_ns = now_ns
        self._log = RateLimitedLog()
        self._program: ProgramSession | None = None
        if state_directory is not None:
            self._begin_program(remembered_user_id(state_directory, _new_id))

    def new_session(self) -> None:
        """Begin a new session, as for the next visitor of a kiosk; the user stays until `set_user`."""
        if self._program is None:
            self._begin_program()
        else:
            self._program.begin()

    def set_user(self, user_id: str | None) -> None:
        """Name the user of what happens from now on; None takes the name back. RUM sees a hash, unless it is a UUID."""
        (self._program or self._begin_program()).set_user(user_id)

    def page_view(self, name: str) -> None:
        """Tell that the user sees another screen, on which everything happens from now on."""
        screen = (self._program or self._begin_program()).show(name)
        tracer = trace.get_tracer("otel_rum_exporter", VERSION, self._tracer_provider)
        tracer.start_span("page_view", context=Context(), attributes=_attributes(screen)).end()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Put on a span that begins what it does not say itself."""
        try:
            own = plain(span.attributes)
            found = self._found(own, parent_context)
            span.set_attributes({**found, **self._screen(own, span, found)})
        except Exception as fault:  # noqa: BLE001 - telemetry must not stop the application
            self._failed(fault)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Put on a log record what it does not say itself."""
        try:
            data = log_record.log_record
            own = plain(data.attributes)
            found = self._found(own, data.context)
            if _text(own, *SCREEN_NAMES) is None:
                found.update(self._on_screen(found, is_root=False))
            if isinstance(data.attributes, Mapping):
                data.attributes.update(found)  # type: ignore[attr-defined] # the SDK's can be written to
        except Exception as fault:  # noqa: BLE001 - telemetry must not stop the application
            self._failed(fault)

    def shutdown(self) -> None:
        """Do nothing: what was put on spans is theirs."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Return true: nothing is kept here."""
        return True

    def _begin_program(self, user_id: str | None = None) -> ProgramSession:
        self._program = ProgramSession(user_id=user_id, new_id=_new_id, now_ns=self._now_ns)
        return self._program

    def _found(self, own: Mapping[str, Any], context: Context | None) -> Attributes:
        """Return what is to be put on a span; nothing where it names its session itself."""
        if _text(own, *SESSION_ATTRIBUTES):
            return {}
        session = _of_parent(context) or bound() or _in_baggage(context) or self._tell() or self._inherited(context)
        attributes: Attributes = {**session.attributes()} if session else {}
        if USER_ID in attributes and _text(own, *USER_ATTRIBUTES):
            del attributes[USER_ID]
        return attributes

    def _tell(self) -> Session | None:
        told = self._told() if self._told else None
        return Session.of(*told) if told else None

    def _inherited(self, context: Context | None) -> Session | None:
        """Return the session of the program, which may be newer than the parent's, or else the parent's user."""
        if self._program is not None:
            return self._program.current()
        user_id = _text(plain(getattr(trace.get_current_span(context), "attributes", None)), *USER_ATTRIBUTES)
        return Session(None, user_id) if user_id else None

    def _screen(self, own: Mapping[str, Any], span: Span, found: Attributes) -> Attributes:
        """Return the screen that a span shows, since it names one and nothing caused it, or that it happened on."""
        name, program = _text(own, *SCREEN_NAMES), self._program
        if program is None or span.kind is SpanKind.SERVER:
            return {}
        if name is None:
            return self._on_screen(found, is_root=span.parent is None or span.parent.is_remote)
        is_new = span.parent is None and (program.screen is None or program.screen.name != name)
        shown = _attributes(program.show(name)) if is_new else {}
        return {key: value for key, value in shown.items() if key not in own and key != SCREEN}

    def _on_screen(self, found: Attributes, *, is_root: bool) -> Attributes:
        """Return the screen of something that happened in the program's session."""
        program = self._program
        screen = program.screen if program else None
        if program is None or screen is None or found.get(SESSION_ID) != program.id:
            return {}
        return {SCREEN: screen.name, SCREEN_SHOWN: False} if is_root else {SCREEN: screen.name}

    def _failed(self, fault: Exception) -> None:
        self._log.add(
            "no session found",
            "a span goes without its session: %r. To do: repair the function given to RumSessionProcessor, or report "
            "this where none was given.",
            fault,
        )
        self._log.write()


def _of_parent(context: Context | None) -> Session | None:
    """Return the session that the parent span was given from outside.

    It goes before what is bound, which a task that serves many requests has from the one that started it.
    """
    parent = plain(getattr(trace.get_current_span(context), "attributes", None))
    session_id, sampled = _text(parent, *SESSION_ATTRIBUTES), parent.get(SESSION_SAMPLED)
    if session_id is None or SESSION_MINTED in parent:
        return None
    return Session(session_id, _text(parent, *USER_ATTRIBUTES), sampled if isinstance(sampled, bool) else None)


def _in_baggage(context: Context | None) -> Session | None:
    entries = baggage.get_all(context)
    return Session.of(entries.get(SESSION_ID), entries.get(USER_ID)) if entries else None


def _attributes(screen: Screen) -> Attributes:
    """Return what the span that shows a screen says of it."""
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
