"""App monitors and their configuration.

`validation` and `authentication` apply the configuration to requests.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

_UUID = re.compile(r"[a-fA-F0-9]{8}-([a-fA-F0-9]{4}-){3}[a-fA-F0-9]{12}")
_NAME = re.compile(r"(?!\.)[.\-_#A-Za-z0-9]{1,255}")

# A client can invent any number of ids. Above this number the oldest app monitor is removed; an account has 20.
_MAX_CREATED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AppMonitor:
    """One app monitor. Without an id: the template for app monitors that their first request creates.

    Args:
        id: A UUID.
        name: Empty: the name in the first request, else a name made from the id.
        domains: Accepted event domains. `*.example.com` accepts all subdomains. Empty: any domain.
        custom_events: Whether custom events are enabled. In AWS they are disabled by default.
        xray: Whether X-Ray tracing is enabled.
        aliases: A resource policy allows unsigned requests that have one of these aliases.
        has_log_group: Whether CloudWatch Logs has a copy of the events. In AWS it is off by default.
        is_public: A resource policy allows unsigned requests without an alias.
        created_at: Epoch seconds.
    """

    id: str = ""
    name: str = ""
    domains: tuple[str, ...] = ()
    custom_events: bool = True
    xray: bool = True
    aliases: tuple[str, ...] = ()
    has_log_group: bool = False
    is_public: bool = False
    created_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        if self.id and not _UUID.fullmatch(self.id):
            raise ValueError(f"an app monitor's id must be a UUID, is {self.id!r}")
        if self.name and not _NAME.fullmatch(self.name):
            raise ValueError(f"an app monitor's name must be 1 to 255 of A-Z a-z 0-9 . - _ #, is {self.name!r}")

    @property
    def log_group(self) -> str:
        """The name that RUM gives to the log group."""
        return f"/aws/vendedlogs/RUMService_{self.name}{self.id[:8]}"

    def accepts_domain(self, domain: object) -> bool:
        """Return whether events of this domain are ingested."""
        return not self.domains or any(_matches(str(domain).lower(), pattern.lower()) for pattern in self.domains)


class AppMonitors:
    """A set of app monitors. Thread-safe. One without an id is the template for app monitors created on first use."""

    def __init__(self, given: Iterable[AppMonitor] = ()) -> None:
        given = tuple(given) or (AppMonitor(),)
        self._lock = threading.Lock()
        self._by_id = {monitor.id: _named(monitor) for monitor in given if monitor.id}
        self._template = next((monitor for monitor in given if not monitor.id), None)

    def __iter__(self) -> Iterator[AppMonitor]:
        with self._lock:
            return iter(list(self._by_id.values()))

    def names(self) -> dict[str, str]:
        """Return the names of the app monitors by id."""
        return {monitor.id: monitor.name for monitor in self if monitor.id and monitor.name}

    def find(self, app_monitor_id: str) -> AppMonitor | None:
        """Return the app monitor, else the template; None when neither exists."""
        with self._lock:
            return self._by_id.get(app_monitor_id, self._template)

    def find_name(self, name: str) -> AppMonitor | None:
        """Return the oldest app monitor of this name."""
        return next((monitor for monitor in self if monitor.name == name), None)

    def use(self, app_monitor_id: str, name: object) -> None:
        """Create an app monitor from the template, unless it exists or there is no template."""
        with self._lock:
            if self._template is None or app_monitor_id in self._by_id:
                return
            valid_name = name if isinstance(name, str) and _NAME.fullmatch(name) else self._template.name
            self._by_id[app_monitor_id] = _named(
                replace(self._template, id=app_monitor_id, name=valid_name, created_at=time.time())
            )
            if len(self._by_id) > _MAX_CREATED:
                del self._by_id[next(iter(self._by_id))]


def _named(monitor: AppMonitor) -> AppMonitor:
    return replace(monitor, name=monitor.name or f"monitor-{monitor.id[:8]}")


def _matches(domain: str, pattern: str) -> bool:
    return domain == pattern or (pattern.startswith("*.") and domain.endswith(pattern[1:]))
