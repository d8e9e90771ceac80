"""Log lines about requests served that belong to the process session: what the application can do."""

from __future__ import annotations

from collections.abc import Mapping

from .._attributes import NO_COOKIE, SESSION_MINTED, SESSION_MISSING
from .._log import RateLimitedLog
from .record_view import View
from .span_view import SpanView

ADVICE: Mapping[str | None, str] = {
    None: "a request served has no session, so all users share the process session. To fix: add RumSessionMiddleware, "
    "or set session.id on each request's span to an id that grants no access.",
    NO_COOKIE: "RumSessionMiddleware found no session in a request served, so users without one share the process "
    "session. To fix: give it issue_cookies=True, or session= with a function that returns an id that grants no "
    "access. If AWS's browser client is on the pages, enable its allowCookies.",
}
"""The log line about a request without a session, by `SESSION_MISSING`."""


def log_missing_session(log: RateLimitedLog, view: View) -> None:
    """Log, once for each state of an application, how its requests get sessions.

    The view is of a request served in a session of this process.
    """
    if SESSION_MINTED in view.attributes:
        return
    if isinstance(view, SpanView) and view.dropped is not None and view.dropped.attributes:
        log.add(
            "lost session",
            "%r has no session, and the SDK dropped some of its attributes or they could not be read, possibly "
            "session.id. To fix: raise OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, or correct what is not read.",
            view.name[:100],
        )
        return
    missing = view.text(SESSION_MISSING)
    if missing in ADVICE:
        log.add(f"no session: {missing}", ADVICE[missing], is_once=True)
