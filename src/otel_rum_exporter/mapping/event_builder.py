"""What goes around the details of an event: its id, its time and its metadata.

Three layers of metadata meet here: of the resource (`origin.py`), of the trace (`identity.py`) and of the span itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from .._config_fields import MAX_METADATA_ATTRIBUTES
from ..config import Config
from ..ledger import Record
from ..rum.event import EventDraft, RumEvent, encode
from ..rum.ids import event_id, id_within_span
from . import metadata
from .app_monitor import Origin
from .events import session_start
from .identity import Identity
from .record_view import EARLIEST_EPOCH_NS, View
from .span_view import SpanView

LATEST_AHEAD_NS = 3600 * 1_000_000_000
"""What is later than this after now comes of a clock that is wrong."""


class Envelopes:
    """Make events of drafts. `uuid_of_session` returns the id that RUM knows a session by."""

    def __init__(self, config: Config, uuid_of_session: Callable[[str], str]) -> None:
        self._config = config
        self._uuid_of_session = uuid_of_session

    def events(
        self, view: View, drafts: Sequence[EventDraft], identity: Identity, origin: Origin, now_ns: int
    ) -> list[RumEvent | None]:
        """Return the event of each draft of a span or log record; None for one that is too large."""
        own, shared = self._metadata(view, identity), origin.session_metadata
        record: Record = "span" if view.key else "log"
        latest_ns = now_ns + LATEST_AHEAD_NS
        made = []
        for index, draft in enumerate(drafts):
            if not EARLIEST_EPOCH_NS <= draft.timestamp_ns <= latest_ns:
                draft = draft._replace(timestamp_ns=now_ns)  # noqa: PLW2901 - the same one, at a time that can be true
            made_id = id_within_span(*view.key, index) if view.key else _id_of_log(view, origin, draft, index)
            made.append(encode(draft, made_id, own, shared, "" if index else record))
        return made

    def session_start(self, view: View, identity: Identity, origin: Origin, now_ns: int) -> RumEvent | None:
        """Return the event that opens the session of a span or log record."""
        (event,) = self.events(view, [session_start.session_start(view.start_ns)], identity, origin, now_ns)
        made_id = event_id(origin.monitor.id, identity.session_id, "session_start")
        return event and event._replace(id=made_id, record="")

    def _metadata(self, view: View, identity: Identity) -> str:
        """Return the metadata of the trace and of the span itself, as JSON text."""
        found = identity.metadata
        if self._config.metadata_attributes:
            found = {**found, **metadata.custom(view.attributes, self._config)}
        remarks = self._remarks(view)
        if remarks:
            found = {**found, **remarks}
        return orjson.dumps(found).decode() if found else "{}"

    def _remarks(self, view: View) -> dict[str, Any]:
        """Return custom metadata that nobody asked for, as far as RUM has room for it."""
        if isinstance(view, SpanView):
            if view.dropped is None:
                return {}
            found: dict[str, Any] = metadata.losses(view.dropped)
        else:
            previous = session_start.previous(view)
            found = {"session_previous_id": self._uuid_of_session(previous)} if previous else {}
        room = MAX_METADATA_ATTRIBUTES - len(self._config.metadata_attributes)
        return dict(itertools.islice(found.items(), room))


def _id_of_log(view: View, origin: Origin, draft: EventDraft, index: int) -> str:
    return event_id(origin.monitor.id, *view.id_parts, draft.type, str(index))
