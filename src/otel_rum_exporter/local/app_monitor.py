"""App monitors: what their owner has configured, and which of them exist.

What a configuration means for a request is the business of `contract` and `gate`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

_UUID = re.compile(r"[a-fA-F0-9]{8}-([a-fA-F0-9]{4}-){3}[a-fA-F0-9]{12}")
_NAME = re.compile(r"(?!\.)[.\-_#A-Za-z0-9]{1,255}")

# An account has 20. More than these, made up by whoever sends, forget the oldest.
_MAX_FIRST_USES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMonitor:
    """One app monitor, or without an id the model of those that their first use creates.

    Args:
        id: Its id, a UUID.
        name: Its name; empty: the one its first request tells, else one made of the id.
        domains: Domains whose events it takes, `*.example.com` for all below one; empty: any.
        custom_events: Whether custom events are enabled; AWS has them disabled until somebody enables them.
        xray: Whether X-Ray tracing is enabled.
        aliases: A resource policy lets unsigned requests in that tell one of these aliases.
        is_public: A resource policy lets unsigned requests in without an alias.
        created_at: Epoch seconds.
    """

    id: str = ""
    name: str = ""
    domains: tuple[str, ...] = ()
    custom_events: bool = True
    xray: bool = True
    aliases: tuple[str, ...] = ()
    is_public: bool = False
    created_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        if self.id and not _UUID.fullmatch(self.id):
            raise ValueError(f"an app monitor's id must be a UUID, is {self.id!r}")
        if self.name and not _NAME.fullmatch(self.name):
            raise ValueError(f"an app monitor's name must be 1 to 255 of A-Z a-z 0-9 . - _ #, is {self.name!r}")

    def accepts_domain(self, domain: object) -> bool:
        """Tell whether events of this domain are ingested."""
        return not self.domains or any(_fits(str(domain).lower(), pattern.lower()) for pattern in self.domains)


class AppMonitors:
    """The app monitors that exist; thread-safe. One without an id is the model of those that a first use creates."""

    def __init__(self, given: Iterable[AppMonitor] = ()) -> None:
        given = tuple(given) or (AppMonitor(),)
        self._lock = threading.Lock()
        self._by_id = {monitor.id: _named(monitor) for monitor in given if monitor.id}
        self._model = next((monitor for monitor in given if not monitor.id), None)

    def __iter__(self) -> Iterator[AppMonitor]:
        with self._lock:
            return iter(list(self._by_id.values()))

    def find(self, app_monitor_id: str) -> AppMonitor | None:
        """Return the one of this id, or the model of those to come; None when there is none and will be none."""
        with self._lock:
            return self._by_id.get(app_monitor_id, self._model)

    def find_name(self, name: str) -> AppMonitor | None:
        """Return the one of this name, the oldest when several have it."""
        return next((monitor for monitor in self if monitor.name == name), None)

    def use(self, app_monitor_id: str, name: object) -> None:
        """Create an app monitor, unless it exists or only those given may."""
        with self._lock:
            if self._model is None or app_monitor_id in self._by_id:
                return
            told = name if isinstance(name, str) and _NAME.fullmatch(name) else self._model.name
            self._by_id[app_monitor_id] = _named(
                replace(self._model, id=app_monitor_id, name=told, created_at=time.time())
            )
            if len(self._by_id) > _MAX_FIRST_USES:
                del self._by_id[next(iter(self._by_id))]


def _named(monitor: AppMonitor) -> AppMonitor:
    return replace(monitor, name=monitor.name or f"monitor-{monitor.id[:8]}")


def _fits(domain: str, pattern: str) -> bool:
    return domain == pattern or (pattern.startswith("*.") and domain.endswith(pattern[1:]))
