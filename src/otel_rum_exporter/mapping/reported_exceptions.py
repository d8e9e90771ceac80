"""The exceptions that were sent: Python records one on each span that it leaves, and applications log it as well."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .._attributes import (
    CODE_LINES,
    RESOURCE_APP_MONITOR_ID,
    SERVICE_NAME,
    SESSION_ATTRIBUTES,
)
from .caches import BoundedDict, Caches, ObjectCache
from .log_view import LogView
from .record_view import Resource, SpanKey, View, identifier, number, text
from .recorded_exception import RecordedException
from .stack_trace import chain_of

MAX_EXCEPTIONS = 10_000
MAX_RESOURCES = 100
MAX_CHARS = 1000

LOGGED_AGAIN_NS = 5_000_000_000
"""The time in which an exception outside a trace can be logged again at another place."""

_ANYWHERE = "*"
"""The place of an exception that has no stack, and so may have been raised at any."""

_Raised = tuple[str, str, str]
"""Type, message and place, as in `Raised`, which takes ten times as long to make."""

_Origin = str | SpanKey | tuple[str, SpanKey | None]
"""A trace id, a request, or a span that is pending."""

_Process = tuple[tuple[str | None, ...], str | None]
_Statement = tuple[Any, ...]

_Logged = tuple[int, Collection[_Statement], bool]
"""The first time of an exception in a process, and the log statements outside a trace that reported it.

The last member is whether a log record was sent, and a span may still carry the same exception.
"""


class ReportedExceptions:
    """The exceptions of one application that were sent. Not thread-safe.

    Two records have the same exception if type, message and the innermost frame are the same in one trace. A request
    counts as a trace if other spans of the process enclose it. Each outer span adds frames at the start of a traceback
    only. A record also repeats an exception that caused its own, and a group of exceptions that were all sent.
    """

    def __init__(self, caches: Caches) -> None:
        self._in_traces: BoundedDict[tuple[Any, ...], _Raised] = caches.bounded("exceptions", MAX_EXCEPTIONS)
        self._logged: BoundedDict[tuple[_Process, _Raised], _Logged] = caches.bounded("logged", MAX_EXCEPTIONS)
        self._process_of = ObjectCache(_process_of, MAX_RESOURCES).of

    def is_new(self, view: View, time_ns: int, exception: RecordedException, *, is_provisional: bool = False) -> bool:
        """Return whether an exception was not sent before, and remember it.

        With `is_provisional`, its record is pending, and this is called again when it is resolved. Until then, its
        request may be unknown, so the exception is remembered for its span and for the parent, which it may leave next.
        """
        kind = exception.own_type.rpartition(".")[2][:MAX_CHARS]
        message = exception.message.partition("\n")[0][:MAX_CHARS]
        place, causes, members = chain_of(exception.stack, kind)
        own = (kind, message, place)
        if not view.trace_id:
            return not place or self._is_new_in_log(view, time_ns, exception, (own, *causes))
        origins = _pending_origins(view) if is_provisional else _origins(view)
        process = self._process(view)
        is_sent = (
            self._is_sent(origins[0], own)
            or (causes and any(self._is_sent(origins[0], cause) for cause in causes))
            or (members and all(self._is_sent(origins[0], one) for one in members))
            or self._was_logged(process, own, time_ns, is_provisional=is_provisional)
        )
        if is_sent and not is_provisional:
            return False
        for one in (own, *causes, *members) if causes or members else (own,):
            for origin in origins:
                self._remember(origin, one)
            # An exception that ends a program leaves its spans first, and is logged outside of them afterwards.
            if not is_sent:
                self._logged[process, one] = (time_ns, (), False)
        self._in_traces.trim()
        self._logged.trim()
        return not is_sent

    def _process(self, view: View) -> _Process:
        """Return what identifies the process of a record, and its session if it has one."""
        process, session = self._process_of(view.resource)
        own = view.attributes.get(SESSION_ATTRIBUTES[0])
        if not (type(own) is str and own and own.isascii()):
            own = identifier(view.attributes, *SESSION_ATTRIBUTES) or session
        return process, own

    def _is_sent(self, origin: _Origin, one: _Raised) -> bool:
        """Return whether an exception was sent; one without a stack or a type equals one with any."""
        known, (kind, message, place) = self._in_traces, one
        first = known.get((origin, message))
        if first is None:
            return False
        first_kind, _, first_place = first
        return (
            (kind == first_kind and (place == first_place or not (place and first_place)))
            or not (kind or place)
            or (message != "" and not (first_kind or first_place))
            or (origin, kind, message, place or _ANYWHERE) in known
            or (origin, kind, message, "") in known
            or (message != "" and (origin, "", message, "") in known)
        )

    def _remember(self, origin: _Origin, one: _Raised) -> None:
        """Remember an exception: the first with its message in one entry, later ones in entries of their own.

        An entry costs 1,100 instructions, and nearly all exceptions are the first.
        """
        known, (kind, message, place) = self._in_traces, one
        first = known.get((origin, message))
        if first is None:
            known[origin, message] = one
        elif first != one:
            known[origin, kind, message, place] = one
            known[origin, kind, message, _ANYWHERE] = one
            known.move_to_end((origin, message))

    def _was_logged(self, process: _Process, one: _Raised, time_ns: int, *, is_provisional: bool) -> bool:
        """Return whether a log record outside a trace sent an exception just before; it stands for one record only."""
        logged = self._logged.get((process, one))
        if logged is None or not logged[2] or abs(time_ns - logged[0]) > LOGGED_AGAIN_NS:
            return False
        if not is_provisional:
            self._logged[process, one] = (logged[0], logged[1], False)
        return True

    def _is_new_in_log(
        self, view: View, time_ns: int, exception: RecordedException, raised: tuple[_Raised, ...]
    ) -> bool:
        """Return whether an exception outside a trace was not logged before.

        The same statement with the same stack again is another exception, as in a loop.
        """
        origin = self._process(view)
        line = number(exception.attributes, *CODE_LINES)
        body = view.body if isinstance(view, LogView) else None
        statement = (line if line is not None else str(body)[:MAX_CHARS], hash(exception.stack))
        for one in raised:
            logged = self._logged.get((origin, one))
            if logged is None or abs(time_ns - logged[0]) > LOGGED_AGAIN_NS or statement in logged[1]:
                continue
            logged_ns, statements, can_be_in_trace = logged
            self._logged[origin, one] = (logged_ns, frozenset((*statements, statement)), can_be_in_trace)
            return False
        for one in raised:
            self._logged[origin, one] = (time_ns, frozenset({statement}), True)
        self._logged.trim()
        return True


def _origins(view: View) -> tuple[_Origin, ...]:
    """Return where an exception of a record is looked up and remembered, and where else it is remembered."""
    return (view.request, view.trace_id) if view.request else (view.trace_id,)


def _pending_origins(view: View) -> tuple[_Origin, ...]:
    """Return the same of a record that is pending: its span, and the parent of that."""
    parent = ("pending", view.parent_key)
    return (parent,) if view.key is None else (("pending", view.key), parent)


def _process_of(resource: Resource) -> _Process:
    """Return what identifies a process, and the session of its resource."""
    attributes = resource.attributes
    names = (RESOURCE_APP_MONITOR_ID, SERVICE_NAME, "service.instance.id")
    return tuple(text(attributes, name) for name in names), identifier(attributes, *SESSION_ATTRIBUTES)
