"""The session of an application with one user: renewed after silence, with the screen that is shown."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..config import SESSION_SILENCE_NS
from .context import Session

NS_PER_MILLI = 1_000_000


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen that was shown.

    `number` counts the session's screens from 0. `shown_ns` is since the epoch. `previous` is the name of the screen
    before, and `previous_millis` how long it was shown.
    """

    name: str
    number: int
    shown_ns: int
    previous: str | None = None
    previous_millis: float | None = None


class AppSession:
    """The session of everything in this process. Thread-safe.

    Reading takes no lock. A forked child continues its parent's session; only the parent starts it in RUM.
    """

    def __init__(self, *, user_id: str | None, new_id: Callable[[], str], now_ns: Callable[[], int]) -> None:
        self._new_id = new_id
        self._now_ns = now_ns
        self._lock = threading.RLock()
        self._own_user_id = user_id
        self._session = Session(new_id(), user_id, is_minted=True)
        self._used_ns = now_ns()
        self._screens_shown = 0
        self._screen: Screen | None = None
        if hasattr(os, "register_at_fork"):
            after_fork = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (call := after_fork()) and call())

    @property
    def id(self) -> str | None:
        """The session's id, without renewing the session."""
        return self._session.id

    @property
    def screen(self) -> Screen | None:
        """The screen shown last; None at the start of a session made by `begin`."""
        return self._screen

    def current(self) -> Session:
        """Return the session; a new one if the last call was more than 30 minutes ago."""
        now_ns = self._now_ns()
        if now_ns - self._used_ns > SESSION_SILENCE_NS:
            with self._lock:
                if now_ns - self._used_ns > SESSION_SILENCE_NS:
                    self._used_ns = now_ns
                    self._renew()
        self._used_ns = now_ns
        return self._session

    def begin(self) -> None:
        """Start a new session, with no screen shown yet."""
        with self._lock:
            self._used_ns = self._now_ns()
            self._screen = None
            self._renew()

    def set_user(self, user_id: str | None) -> None:
        """Set the user from now on; None restores the initial user."""
        with self._lock:
            self._session = replace(self._session, user_id=user_id or self._own_user_id)

    def show(self, name: str) -> Screen:
        """Record that another screen is shown, and return it."""
        self.current()
        with self._lock:
            before = self._screen if self._screens_shown else None
            now_ns = self._used_ns
            self._screen = (
                Screen(name, self._screens_shown, now_ns)
                if before is None
                else Screen(
                    name, self._screens_shown, now_ns, before.name, max(0, now_ns - before.shown_ns) / NS_PER_MILLI
                )
            )
            self._screens_shown += 1
            return self._screen

    def _renew(self) -> None:
        self._session = replace(self._session, id=self._new_id(), is_minted=True)
        self._screens_shown = 0

    def _after_fork(self) -> None:
        self._lock = threading.RLock()
        self._session = replace(self._session, is_minted=False)
