"""Session sampling: whether a session is sent, a pure function of its id and a rate, decided once for each session.

All processes agree on a session at the same rate, and a lower rate sends a part of what a higher one does. The rate of
the budget changes, so the decisions are remembered: a session is sent completely or not at all.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import orjson

from ..config import Config
from ..ledger import DropReason, Record
from ..rum.event import EventDraft
from .caches import BoundedDict, Caches
from .events.http_event import FIRST_FAILED_STATUS, HTTP_EVENT
from .events.js_error import JS_ERROR_EVENT
from .identity import Identity
from .outcome import Drop, Outcome, OutcomeMembers, kind_of
from .recent_sessions import RecentSessions
from .record_view import View

_RANGE = 2.0**64

MAX_SAMPLED = 50_000
"""Sessions whose decision to be sent is remembered. Those of a budget are few: it leaves out the others."""

ALWAYS_KEPT = MAX_SAMPLED // 256
"""So many decisions of each application are within the bound of all: at most 256 applications are kept."""

NOT_SAMPLED = "its session is not sampled"

RATE_KEY = "session_sample_rate"
"""Custom metadata of events whose session was sampled: one stands for 1 / rate."""

RATE_DIGITS = 4


def is_sampled(session_id: str, rate: float) -> bool:
    """Return whether a session is in the share `rate` to send; a higher rate only adds sessions."""
    if rate >= 1:
        return True
    digest = hashlib.blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"rum.session")
    return int.from_bytes(digest.digest(), "big") < rate * _RANGE


class Decision(NamedTuple):
    """Whether a session is sent: the share of sessions that are sent like it, 0 if it is left out.

    A session that is left out may keep its errors. `is_over_budget` is whether the budget left it out.
    """

    rate: float
    keeps_errors: bool = False
    is_over_budget: bool = False


SENT = Decision(1.0)
NOT_RECORDED = Decision(0.0)


class Sampling:
    """The state that the sessions of all applications share: the rate of the budget, which its owner sets, and counts.

    `left_out` counts the records of sessions that the budget left out, and `errors` the events that are sent for those.
    `filtered` counts the records of sessions that the settings leave out.
    """

    def __init__(self, config: Config) -> None:
        self.fixed_rate = config.session_sample_rate
        self.budget_rate = 1.0
        self.not_sampled = Decision(0.0, config.keep_errors)
        self.over_budget = Decision(0.0, config.keep_errors, is_over_budget=True)
        self.recent = RecentSessions()
        self.left_out = 0
        self.errors = 0
        self.filtered = 0

    def take_counts(self) -> tuple[int, int, int]:
        """Return `left_out`, `errors` and `filtered`, and count from 0 again."""
        counts = self.left_out, self.errors, self.filtered
        self.left_out = self.errors = self.filtered = 0
        return counts

    def without(self, view: View, identity: Identity, decision: Decision) -> Outcome:
        """Return the outcome of a record whose session is left out.

        The budget's choice depends on the load, so it counts as a drop; what the settings leave out is filtered.
        """
        if not decision.is_over_budget:
            self.filtered += 1
            return Outcome(view, identity, left_out=NOT_SAMPLED)
        self.left_out += 1
        return Outcome(view, identity, drops=[Drop(DropReason.OVER_BUDGET, kind_of(view), "")])

    def errors_of(self, outcome: OutcomeMembers, decision: Decision) -> OutcomeMembers:
        """Return the outcome of a record of a session that is left out except for its errors."""
        view, identity, rule, key, events, left_out, drops = outcome
        if view is None or identity is None:
            return outcome
        if not events:
            return outcome if drops else self.without(view, identity, decision)
        self.left_out += decision.is_over_budget
        self.filtered += not decision.is_over_budget
        self.errors += len(events)
        (kind, json, session_metadata, _), *others = events
        record: Record = "" if any(drop.record for drop in drops) else kind_of(view)
        return (view, identity, rule, key, [(kind, json, session_metadata, record), *others], left_out, drops)


class SessionSampler:
    """The decisions on the sessions of one application. Not thread-safe: its owner holds a lock."""

    def __init__(self, sampling: Sampling, caches: Caches, application: str) -> None:
        self._sampling = sampling
        self._application = application
        self._sent: BoundedDict[str, Decision] = caches.bounded("sampled sessions", MAX_SAMPLED)

    def decide(self, identity: Identity) -> Decision:
        """Return whether a session is sent, as decided when its first record came.

        A decision made elsewhere, such as by the browser's client, takes the place of the setting, not of the budget.
        """
        if identity.is_sampled is False:
            return NOT_RECORDED
        session_id, sampling = identity.session_id, self._sampling
        fixed_rate = 1.0 if identity.is_sampled else sampling.fixed_rate
        if fixed_rate < 1 and not is_sampled(session_id, fixed_rate):
            return sampling.not_sampled
        decision = self._sent.pop(session_id, None)
        if decision is not None:
            self._sent[session_id] = decision  # the newest now
            return decision
        rate = fixed_rate * sampling.budget_rate
        if not sampling.recent.is_empty and sampling.recent.has(self._application, session_id):
            return sampling.over_budget
        if rate < 1 and not is_sampled(session_id, rate):
            sampling.recent.add(self._application, session_id)
            return sampling.over_budget
        decision = self._sent[session_id] = SENT if rate >= 1 else Decision(rate)
        if len(self._sent) > ALWAYS_KEPT:
            self._sent.trim()
        return decision


def is_error(draft: EventDraft) -> bool:
    """Return whether an event is an error: an exception, or a request that failed."""
    kind, _, details = draft
    if kind != HTTP_EVENT:
        return kind == JS_ERROR_EVENT
    response = details.get("response")
    return not isinstance(response, dict) or response.get("status", 0) >= FIRST_FAILED_STATUS


def with_rate(metadata: str, rate: float) -> str:
    """Return an event's metadata with the rate of its session."""
    return orjson.dumps({**orjson.loads(metadata), RATE_KEY: float(f"{rate:.{RATE_DIGITS}g}")}).decode()
