"""Events of one session as one text: as they are queued, stored on disk and sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from ..ledger import Record, Tally
from .event import ID, EventMembers, RumEvent

MAX_TALLIES = 1024

_START = b'{"id":"'
_LETTERS: dict[Record, str] = {"span": "s", "log": "l", "": "-"}
_RECORDS: dict[str, Record] = {letter: record for record, letter in _LETTERS.items()}


class EncodedEvents(NamedTuple):
    """Events that share their session metadata.

    `json` is the events as they are sent, separated by commas. `records` has one letter for each event: what it stands
    for in the ledger.
    """

    json: bytes
    session_metadata: str
    records: str

    @classmethod
    def of(cls, events: Sequence[EventMembers]) -> EncodedEvents:
        """Return events with the same session metadata as one text. It takes less memory than separate texts."""
        _, texts, session_metadata, records = zip(*events, strict=True)
        json = b",".join(texts)
        # With one event, `join` returns its text, and orjson's texts are followed by up to 8 KB of unused memory.
        json = json if len(events) > 1 else bytes(memoryview(json))
        return cls(json, session_metadata[0], "".join(map(_LETTERS.__getitem__, records)))

    @property
    def id(self) -> str:
        """The text that BatchId is derived from: ids of the first and the last event, their number and their size.

        Events that are converted together keep their order. All ids would take 1,500 instructions for each span.
        """
        last = self.json.rindex(_START)  # Quotes inside of texts are escaped.
        ids = self.json[ID], self.json[last + ID.start : last + ID.stop]
        return f"{b' '.join(ids).decode()} {len(self.records)} {len(self.json)}"

    @property
    def tally(self) -> Tally:
        """The tally of the events."""
        return _tally_of(self.records)

    @classmethod
    def decode(cls, content: bytes) -> EncodedEvents:
        """Return the events that `encode` wrote, or version 0.1 as a list of whole events.

        Raises:
            ValueError, TypeError: if the content is unknown, as that of a later version is.
        """
        if content.startswith(b"[["):
            return cls.of([_with_own_metadata(*fields) for fields in orjson.loads(content)])
        head, _, json = content.partition(b"\n")
        match orjson.loads(head):
            case [str(metadata), str(records), *others] if len(others) <= 1 and json.startswith(_START):
                return cls(json, metadata, records)  # the third is the id that was stored until November 2026
        raise TypeError("the content is unknown")

    def encode(self) -> bytes:
        """Return the events for a file: one line of JSON with everything else, then the events as they are sent."""
        return b"\n".join((orjson.dumps((self.session_metadata, self.records)), self.json))

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


@lru_cache(maxsize=MAX_TALLIES)
def _tally_of(records: str) -> Tally:
    """Return the tally of events. The same few letters repeat, and a new tally takes ten times as long."""
    return Tally(len(records), records.count(_LETTERS["span"]), records.count(_LETTERS["log"]))


def by_session_metadata(events: Sequence[EventMembers]) -> Iterable[Sequence[EventMembers]]:
    """Return events in groups with the same session metadata. Most events of a session have the same."""
    if len({session_metadata for _, _, session_metadata, _ in events}) == 1:
        return (events,)
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
