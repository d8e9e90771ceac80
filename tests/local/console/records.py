"""Records as the input of views."""

from __future__ import annotations

from typing import Any

from otel_rum_exporter.local import Event
from otel_rum_exporter.local.console.index import Index
from otel_rum_exporter.local.console.received import Received
from otel_rum_exporter.local.console.scope import Scope

NOW = 1_790_000_000.0
MONITOR = "11111111-1111-4111-8111-111111111111"
RUM = "com.amazon.rum."


def event(name: str, details: dict[str, Any] | None = None, at: float = 0.0, **members: Any) -> Event:
    """Make an event at `at` seconds after `NOW`; a name that ends in `_event` gets RUM's prefix."""
    defaults: dict[str, Any] = {
        "id": f"{name}-{at}",
        "timestamp": NOW + at,
        "type": RUM + name if name.endswith("_event") else name,
        "details": details or {},
        "metadata": {},
        "session_id": "s",
        "user_id": "u",
        "app_monitor_id": MONITOR,
        "batch_id": "b",
    }
    return Event(**(defaults | members))


def page_view(page: str, at: float = 0.0, **members: Any) -> Event:
    """Make a page view."""
    return event("page_view_event", {"pageId": page}, at, **({"metadata": {"pageId": page}} | members))


def load(page: str, millis: float, at: float = 0.0, **members: Any) -> Event:
    """Make a page load that ended at `at`."""
    details = {"initiatorType": "navigation", "startTime": 0, "duration": millis}
    return event("performance_navigation_event", details, at, **({"metadata": {"pageId": page}} | members))


def request(url: str, status: int, at: float = 0.0, **members: Any) -> Event:
    """Make an HTTP request; status 0 means no answer."""
    details: dict[str, Any] = {"request": {"method": "GET", "url": url}}
    details |= {"response": {"status": status}} if status else {"error": {"message": "refused"}}
    return event("http_event", details, at, **members)


def error(message: str, at: float = 0.0, **members: Any) -> Event:
    """Make an error."""
    details = {"type": "ValueError", "message": message, "stack": f"at {at}"}
    return event("js_error_event", members.pop("details", details), at, **members)


def received(*events: Event, **others: Any) -> Received:
    """Make a snapshot with these events."""
    return Received(Index(events), **others)


def scope(**query: Any) -> Scope:
    """Parse a query at 100 seconds after `NOW`."""
    return Scope.of({name.strip("_"): str(value) for name, value in query.items()}, NOW + 100)
