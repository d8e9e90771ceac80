"""What RUM did with the events of one case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Answer:
    """The answer of RUM to one case of a question.

    `sent`, `refused` and `kept` count events: all, those in refused requests, and those that could be read back.
    `errors` has the error codes of refused requests. `changes` has what RUM changed in the events that it kept.
    """

    question: str
    case: str
    ids: list[str] = field(default_factory=list)
    refused: int = 0
    kept: int = 0
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
        notes = [*sorted(self.errors), *sorted(self.changes)]
        return ", ".join(parts) + (f" ({'; '.join(notes)})" if notes else "")

    def as_json(self) -> dict[str, Any]:
        """Return the answer as values for JSON."""
        return {
            "question": self.question,
            "case": self.case,
            "sent": self.sent,
            "kept": self.kept,
            "dropped": self.dropped,
            "refused": self.refused,
            "errors": sorted(self.errors),
            "changes": sorted(self.changes),
        }
