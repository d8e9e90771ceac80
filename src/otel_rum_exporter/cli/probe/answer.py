"""The answer of RUM to one case: what it did with the events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Answer:
    """The answer of RUM to one case of a question.

    `sent`, `refused` and `kept` count events: all, those in refused requests, and those that could be read back.
    `found` counts the latter by the place where they were found. `errors` has the error codes of refused requests,
    `changes` what RUM changed in the events that it kept.
    """

    question: str
    case: str
    ids: list[str] = field(default_factory=list)
    refused: int = 0
    kept: int = 0
    found: dict[str, int] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)

    @property
    def sent(self) -> int:
        """The number of events sent."""
        return len(self.ids)

    @property
    def dropped(self) -> int:
        """The number of events that RUM accepted with a success response, but did not keep."""
        return max(0, self.sent - self.refused - self.kept)

    def in_words(self) -> str:
        """Return the answer as a few words."""
        counts = (("kept", self.kept), ("dropped", self.dropped), ("refused", self.refused))
        parts = [name if number == self.sent else f"{number} {name}" for name, number in counts if number]
        return ", ".join(parts) + (f" ({'; '.join(self.notes)})" if self.notes else "")

    @property
    def notes(self) -> list[str]:
        """Why events were refused, what was changed, and where kept events are missing."""
        missing = [f"{self.kept - count} not in {name}" for name, count in self.found.items() if count < self.kept]
        return [*sorted(self.errors), *sorted(self.changes), *missing]

    def as_json(self) -> dict[str, Any]:
        """Return the answer as values for JSON."""
        return {
            "question": self.question,
            "case": self.case,
            "sent": self.sent,
            "kept": self.kept,
            "dropped": self.dropped,
            "refused": self.refused,
            "found": self.found,
            "errors": sorted(self.errors),
            "changes": sorted(self.changes),
        }
