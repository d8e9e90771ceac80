"""Event drafts to complete events: id, time and metadata.

Three layers of metadata meet here: the resource's (`app_monitor.py`), the trace's (`identity.py`) and the span's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from .._config_fields import MAX_METADATA_ATTRIBUTES
from ..config import Config
from ..ledger import Record
from ..rum.event import EventDraft, EventMembers, encode
from ..rum.ids import event_id, id_within_span, id_within_trace
from .app_monitor import Resolution
from .application import Session
from .caches import ObjectCache
from .events import session_start
from .identity import Identity
from .identity_attributes import Page
from .metadata import custom, dropped_counts
from .record_view import EARLIEST_EPOCH_NS, View
from .sampling import is_error, with_rate
from .span_view import SpanView

MAX_PAGES = 1000
"""The pages whose JSON is remembered."""

LATEST_AHEAD_NS = 3600 * 1_000_000_000
"""Events later than this from now come from a wrong clock."""


class EventBuilder:
    """Build events from drafts. `session_uuid` returns the UUID that a session has in RUM."""

    def __init__(self, config: Config, session_uuid: Callable[[str], str]) -> None:
        self._config = config
        self._session_uuid = session_uuid
        self._keeps_errors = config.keep_errors
        self._has_custom = bool(config.metadata_attributes)
        self._room = MAX_METADATA_ATTRIBUTES - len(config.metadata_attributes)
        self._of_page = ObjectCache(_json, MAX_PAGES).of

    def shared_metadata(self, identity: Identity) -> str:
        """Return the metadata of the trace, as JSON text."""
        found = identity.metadata
        return self._of_page(found) if type(found) is Page else _json(found)

    def events(
        self, view: View, drafts: Sequence[EventDraft], session: Session, now_ns: int
    ) -> list[EventMembers | None]:
        """Return the event of each draft of a span or log record; None for one that is too large.

        Events of sessions that stand for others have the share of sessions that are sent in their metadata.
        """
        resolution, rate, own, key = session.resolution, session.decision.rate, session.metadata, view.key
        if resolution is None:
            return []
        is_rated = 0 < rate < 1 and self._room > 0
        if self._has_custom or not isinstance(view, SpanView) or view.dropped:
            own = self._metadata(view, session, self._room - is_rated)
        metadata, shared, latest_ns = own, resolution.session_metadata, now_ns + LATEST_AHEAD_NS
        record: Record = "log" if key is None else "span"
        events: list[EventMembers | None] = []
        for draft in drafts:
            kind, time_ns, details = draft
            if not EARLIEST_EPOCH_NS <= time_ns <= latest_ns:
                draft = kind, now_ns, details  # noqa: PLW2901 - the same draft with a valid time
            if kind == session_start.SESSION_START_EVENT:
                new_id = event_id(resolution.monitor.id, session.identity.session_id, "session_start")
            elif key is None:
                new_id = _id_of_log(view, resolution, kind, len(events))
            else:
                new_id = id_within_span(view.trace_id, view.span_id, len(events))
            if is_rated:
                metadata = own if self._keeps_errors and is_error(draft) else with_rate(own, rate)
            events.append(encode(draft, new_id, metadata, shared, record))
            record = ""
        return events

    def session_start(self, view: View, session: Session, now_ns: int) -> EventMembers | None:
        """Return the event that starts the session of a span or log record."""
        start = session_start.session_start(view.start_ns)
        (event,) = self.events(view, [start], session, now_ns)
        return event and (event[0], event[1], event[2], "")

    def _metadata(self, view: View, session: Session, room: int) -> str:
        """Return the metadata of the trace and of the span itself, as JSON text.

        Dropped counts and the previous session are added as far as there is `room` for custom metadata.
        """
        found = session.identity.metadata
        if self._has_custom:
            found = {**found, **custom(view.attributes, self._config)}
        additional: dict[str, Any] | None = None
        if not isinstance(view, SpanView):
            previous = session_start.previous(view)
            additional = {"session_previous_id": self._session_uuid(previous)} if previous else None
        elif view.dropped is not None:
            additional = dropped_counts(view.dropped)
        if additional:
            found = {**found, **dict(itertools.islice(additional.items(), room))}
        return session.metadata if found is session.identity.metadata else _json(found)


def _json(metadata: Mapping[str, Any]) -> str:
    return orjson.dumps(metadata).decode()


def _id_of_log(view: View, resolution: Resolution, kind: str, index: int) -> str:
    return id_within_trace(view.trace_id, resolution.monitor.id, *view.id_parts, kind, str(index))
