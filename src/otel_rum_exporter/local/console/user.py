"""The view of one user: all sessions with an event of the user."""

from __future__ import annotations

from .event_fields import Json
from .indexed_session import IndexedSession
from .received import Received
from .scope import MAX_ROWS, Scope
from .session_row import row

_PAGE_LENGTH = 50


def user_detail(received: Received, scope: Scope) -> Json | None:
    """Return the sessions of the query's `id`, the latest first; None when there is no event of this user."""
    asked = scope.query.get("id", "")
    sessions = [one for one in received.index.sessions.values() if asked in one.summary.users]
    if not asked or not sessions:
        return None
    sessions.sort(key=lambda session: (-session.last, session.order))
    limit = scope.number("limit", _PAGE_LENGTH, MAX_ROWS)
    offset = scope.offset(len(sessions), limit)
    return {
        "id": asked,
        "first": min(session.first for session in sessions),
        "last": sessions[0].last,
        "events": sum(session.summary.users[asked] for session in sessions),
        "page_views": sum(len(session.summary.views) for session in sessions),
        "errors": sum(len(session.summary.times["x"]) for session in sessions),
        "failed_requests": sum(len(session.summary.times["h"]) for session in sessions),
        "other_users": sum(len(session.summary.users) > 1 for session in sessions),
        "total": len(sessions),
        "offset": offset,
        "limit": limit,
        "sessions": [_row(session) for session in sessions[offset : offset + limit]],
    }


def _row(session: IndexedSession) -> Json:
    return {**row(session.key, session.summary), "forgotten": session.forgotten}
