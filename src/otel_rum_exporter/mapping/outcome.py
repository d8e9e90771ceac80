"""The outcomes of spans and log records: events, or the reason why there are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from .._receipt import Receipt
from ..ledger import DropReason, Record
from ..rum.batch import BatchKey, Events
from ..rum.event import EventMembers, RumEvent
from .identity import Identity
from .record_view import View
from .rule import Rule


class Drop(NamedTuple):
    """The loss of one event, or of a record before it became one. `record` is what it stands for, as in `RumEvent`."""

    reason: DropReason
    record: Record
    fix: str


class Outcome(NamedTuple):
    """The outcome of one span or log record.

    `key` groups the events. Without events, `left_out` is why the mapping made none, or `drops` why they were lost.
    `view`, `identity` and `rule` are None if the record failed before.
    """

    view: View | None
    identity: Identity | None = None
    rule: Rule[Any] | None = None
    key: BatchKey | None = None
    events: Sequence[RumEvent] = ()
    left_out: str | None = None
    drops: Sequence[Drop] = ()


OutcomeMembers: TypeAlias = tuple[
    View | None, Identity | None, Rule[Any] | None, BatchKey | None, Sequence[EventMembers], str | None, Sequence[Drop]
]
"""The members of an `Outcome` without their names: an object with names takes 1,600 instructions more."""


class Converted:
    """What became of records: their events, and what a store that survives the process needs for pending spans.

    `events` are grouped for requests. `records` is the number of records, `filtered` how many of them the mapping left
    out, by what they are. `drops` has the losses. `outcomes` has the outcome of each record, if they are kept.

    `provisional` has the events of each span that is pending from now on, as they would be if its parent never arrived,
    by a handle. `resolved` has the handles of those whose final events are among `events`.
    """

    def __init__(self, *, keeps_outcomes: bool) -> None:
        self.events: dict[BatchKey, list[EventMembers]] = {}
        self.records = 0
        self.filtered: Counter[Record] = Counter()
        self.drops: list[Drop] = []
        self.outcomes: list[Outcome] = []
        self.provisional: Mapping[int, Events] = {}
        self.resolved: Sequence[int] = ()
        self.keeps_outcomes = keeps_outcomes
        self._receipts: dict[BatchKey, dict[Receipt, None]] = {}
        self._held: list[Receipt] = []

    def add(self, outcome: OutcomeMembers) -> list[EventMembers]:
        """Add the outcome of a record, and return the list that its events were added to: a new one if it has none."""
        view, identity, rule, key, events, left_out, drops = outcome
        if self.keeps_outcomes:
            events = named = [RumEvent(*event) for event in events]
            self.outcomes.append(Outcome(view, identity, rule, key, named, left_out, drops))
        group: list[EventMembers] = [] if key is None or not events else self.events.setdefault(key, [])
        group.extend(events)
        if left_out and view is not None:
            self.filtered[kind_of(view)] += 1
        self.drops.extend(drops)
        if view is not None and view.receipt is not None:
            self._held.append(view.receipt)
            if key is not None and events:
                self._receipts.setdefault(key, {})[view.receipt] = None
        return group

    @property
    def receipts(self) -> Mapping[BatchKey, Sequence[Receipt]]:
        """The receipts of the records that events were made from, grouped as the events."""
        return {key: tuple(receipts) for key, receipts in self._receipts.items()}

    def release_receipts(self) -> None:
        """End the holds of the records, whose events are queued now."""
        for receipt in self._held:
            receipt.release()


def unmappable(name: object, error: Exception, record: Record) -> Drop:
    """Return the loss of a record that could not be read or mapped."""
    return Drop(DropReason.UNMAPPABLE, record, f"report this: {name!r:.100} failed with {error!r:.200}")


def too_large_of(view: View, built: Sequence[EventMembers | None]) -> Sequence[Drop]:
    """Return the losses among the events built for a record; None stands for one that is too large."""
    return [too_large("" if index else kind_of(view)) for index, event in enumerate(built) if event is None]


def too_large(record: Record) -> Drop:
    """Return the loss of an event that is too large."""
    return Drop(DropReason.TOO_LARGE, record, "shorten the resource attributes that the settings send as metadata")


def kind_of(view: View) -> Record:
    """Return what a view was read from."""
    return "span" if view.key else "log"
