"""Functions that a delivery thread calls later."""

from __future__ import annotations

import math
from collections.abc import Callable


class Timers:
    """Named functions and the times of their calls. Not thread-safe."""

    def __init__(self) -> None:
        self._timers: dict[str, tuple[float, Callable[[], None]]] = {}

    def __bool__(self) -> bool:
        return bool(self._timers)

    def add(self, name: str, at_seconds: float, call: Callable[[], None]) -> None:
        """Add a timer. Of a pending timer of the same name, the earlier time is kept."""
        pending = self._timers.get(name)
        if pending is None or at_seconds < pending[0]:
            self._timers[name] = (at_seconds, call)

    def due(self, now_seconds: float) -> str | None:
        """Return the name of a timer whose time has come, None if there is none."""
        return next((name for name, (at_seconds, _) in self._timers.items() if at_seconds <= now_seconds), None)

    def next_seconds(self) -> float:
        """Return the time of the next timer, infinity if there is none."""
        return min((at_seconds for at_seconds, _ in self._timers.values()), default=math.inf)

    def pop(self, name: str) -> Callable[[], None]:
        """Remove a timer, and return its function."""
        return self._timers.pop(name)[1]
