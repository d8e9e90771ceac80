"""Events of one session as one text: as they are queued, stored on disk and sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ..ledger import Record, Tally
from .event import ID, EventMembers, RumEvent
from .ids import event_id

_LETTERS: dict[Record, str] = {"span": "s", "log": "l", "": "-"}
_RECORDS: dict[str, Record] = {letter: record for record, letter in _LETTERS.items()}


class EncodedEvents(NamedTuple):
    """Events that share their session metadata.

    `json` is the events as they are sent, separated by commas. `records` has one letter for each event: what it stands
    for in the ledger. `id` is derived from the ids of the first and the last event, their number and the size of the
    text: events that are converted together keep their order. All ids would take 1,500 instructions for each span.
    """

    json: bytes
    session_metadata: str
    records: str
    id: str

    @classmethod
    def of(cls, events: Sequence[EventMembers]) -> EncodedEvents:
        """Return events with the same session metadata as one text. It takes less memory than separate texts."""
        texts = [text for _, text, _, _ in events]
        json = b",".join(texts)
        return cls(
            # With one event, `join` returns its text, and orjson's texts are followed by up to 8 KB of unused memory.
            json if len(events) > 1 else bytes(memoryview(json)),
            events[0][2],
            "".join([_LETTERS[record] for _, _, _, record in events]),
            event_id(texts[0][ID].decode(), texts[-1][ID].decode(), str(len(events)), str(len(json))),
        )

    @property
    def tally(self) -> Tally:
        """The tally of the events."""
        return Tally(len(self.records), self.records.count(_LETTERS["span"]), self.records.count(_LETTERS["log"]))

    @classmethod
    def decode(cls, content: bytes) -> EncodedEvents:
        """Return the events that `encode` wrote, or version 0.1 as a list of whole events.

        Raises:
            ValueError, TypeError: if the content is unknown, as that of a later version is.
        """
        if content.startswith(b"[["):
            return cls.of([_with_own_metadata(*fields) for fields in orjson.loads(content)])
        head, _, json = content.partition(b"\n")
        decoded = cls(json, *orjson.loads(head))
        if not all(isinstance(text, str) for text in decoded[1:]):
            raise TypeError("the content is unknown")
        return decoded

    def encode(self) -> bytes:
        """Return the events for a file: one line of JSON with everything else, then the events as they are sent."""
        return b"\n".join((orjson.dumps((self.session_metadata, self.records, self.id)), self.json))

    def merged(self, metadata: Mapping[str, Any]) -> bytes:
        """Return the events as they are sent, with metadata added. An event's own takes precedence."""
        if not metadata:
            return self.json
        return b",".join([_merged(members, metadata) for members in self._members()])

    def events(self) -> tuple[RumEvent, ...]:
        """Return the single events."""
        return tuple(
            RumEvent(members["type"], orjson.dumps(members), self.session_metadata, _RECORDS[letter])
            for members, letter in zip(self._members(), self.records, strict=True)
        )

    def _members(self) -> list[dict[str, Any]]:
        members: list[dict[str, Any]] = orjson.loads(b"[%b]" % self.json)
        return members


def by_session_metadata(events: Iterable[EventMembers]) -> Iterable[Sequence[EventMembers]]:
    """Return events in groups with the same session metadata. Most events of a session have the same."""
    groups: dict[str, list[EventMembers]] = {}
    for event in events:
        groups.setdefault(event[2], []).append(event)
    return groups.values()


def _with_own_metadata(
    event_id: str, time_ns: int, kind: str, details: str, metadata: str, session_metadata: str, record: Record
) -> RumEvent:
    """Return an event whose metadata includes that of its session."""
    whole = orjson.dumps({**orjson.loads(session_metadata), **orjson.loads(metadata)}).decode()
    return RumEvent.of(event_id, time_ns, kind, details, whole, "{}", record)


def _merged(members: dict[str, Any], metadata: Mapping[str, Any]) -> bytes:
    return orjson.dumps(
        {**members, "metadata": orjson.dumps({**metadata, **orjson.loads(members["metadata"])}).decode()}
    )
