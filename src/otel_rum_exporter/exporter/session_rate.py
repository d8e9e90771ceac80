"""The share of new sessions that is sent: counts what the converter made, and sets its rate.

The budget is pure; this module has its clock, its counts and its log line.
"""

from __future__ import annotations

import math

from .._log import RateLimitedLog
from ..config import SESSION_SILENCE_NS, Config, variable
from ..delivery.worker import Delivery
from ..ledger import Ledger
from ..mapping.outcome import Converted
from ..mapping.sampling import Sampling
from ..rum.quota import QUOTA_CODE
from .event_budget import EventBudget, Load

_SILENCE_SECONDS = SESSION_SILENCE_NS / 1e9


class SessionRate:
    """Moves the rate of a converter's sampling. Not thread-safe: the pipeline calls it under its lock."""

    def __init__(
        self, config: Config, sampling: Sampling, ledger: Ledger, log: RateLimitedLog, now_seconds: float
    ) -> None:
        self._budget = EventBudget(config.max_events_per_second, now_seconds)
        self._sampling = sampling
        self._ledger = ledger
        self._log = log
        self._forgot_seconds = now_seconds

    def limit(self, per_second: float) -> None:
        """Change the budget of the settings."""
        self._budget.max_per_second = per_second

    def move(self, converted: Converted, delivery: Delivery, now_seconds: float) -> None:
        """Count what was converted, and set the rate for sessions that start from now on."""
        budget, sampling = self._budget, self._sampling
        if budget.capacity.is_due(now_seconds):
            budget.capacity.update(delivery.backlog, self._ledger.delivered, now_seconds)
        if now_seconds - self._forgot_seconds > _SILENCE_SECONDS:
            self._forgot_seconds = now_seconds
            sampling.recent.forget()
        events = sum(map(len, converted.events.values()))
        left_out, errors, filtered = sampling.take_counts()
        load = Load(converted.records - left_out - filtered, events - errors, left_out, errors)
        sampling.budget_rate = budget.count(load, now_seconds)
        if budget.is_notable(now_seconds):
            self._log_rate()

    def _log_rate(self) -> None:
        budget = self._budget
        arriving = _figure(budget.events_per_second)
        if budget.rate == 1:
            self._log.add(
                "session rate", "%s events/s arrive; all new sessions are sent again. To fix: nothing.", arriving
            )
            return
        # While the rate rises again, RUM accepts what arrives.
        is_set = not (budget.is_of_rum or math.isinf(budget.per_second))
        self._log.add(
            "session rate",
            "%s events/s arrive, and %s %s; %s percent of new sessions are sent, each of them whole. To fix: raise the "
            "AWS quota %s and %s, or send fewer events.",
            arriving,
            "the budget is" if is_set else "RUM accepts",
            "all of them" if math.isinf(budget.per_second) else _figure(budget.per_second),
            _figure(100 * budget.rate),
            QUOTA_CODE,
            variable("max_events_per_second"),
        )


def _figure(value: float) -> str:
    """Return three digits of a number, or a whole number, without an exponent."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"
