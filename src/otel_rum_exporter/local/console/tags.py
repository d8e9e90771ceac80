"""The distribution of the values of metadata and custom attributes: what the events of a group have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..record import Event
from .event_fields import Json, plain

_MAX_TAGS = 24
_MAX_VALUES = 6
_MAX_CHARACTERS = 120

# The same in all events of a client, or different in each event.
_OMITTED = frozenset({"version", "interaction", "parentPageId", "pageUrl", "durationMs", "name", "startTime", "time"})
_OMITTED_ENDS = ("traceId", "spanId", "parentSpanId", "trace_id", "segment_id")


def distribution(events: Iterable[Event], *, with_details: bool = False) -> list[Json]:
    """Return the values of each tag with the number of their events.

    Details come before metadata, tags that differ before those with one value, then those that most events have.
    """
    own: set[str] = set()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for event in events:
        tags = dict(_flat(event.details)) if with_details else {}
        own.update(tags)
        for name, value in (tags | dict(_flat(event.metadata))).items():
            counts[name][value[:_MAX_CHARACTERS]] += 1
    ranked = sorted(
        counts,
        key=lambda name: (name not in own, len(counts[name]) == 1, -counts[name].total(), len(counts[name]), name),
    )
    return [
        {
            "name": name,
            "events": counts[name].total(),
            "values": [[value, count] for value, count in counts[name].most_common(_MAX_VALUES)],
            "other_values": max(len(counts[name]) - _MAX_VALUES, 0),
        }
        for name in ranked[:_MAX_TAGS]
    ]


def _flat(members: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and values, of objects inside as `name.inner`."""
    for name, value in members.items():
        if isinstance(value, dict):
            if not prefix:
                yield from _flat(value, "" if name == "attributes" else f"{name}.")
        elif not (isinstance(value, list) or name in _OMITTED or name.endswith(_OMITTED_ENDS)):
            yield prefix + name, plain(value)
