"""The page at `/` and the same data as JSON at `/api/events`, for people who look at what was received.

All text from telemetry is escaped here and nowhere else. What is shown comes from `store`; nothing here changes it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import asdict
from datetime import datetime, timezone
from hashlib import sha256
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from .host import is_own
from .jsontext import quote
from .record import Event
from .session import Session, sessions, short_type, summary
from .store import Store

# The page is written anew every two seconds, so it shows the latest only; the JSON has everything.
_SHOWN_SESSIONS = 50
_SHOWN_EVENTS = 200
_SHOWN_PROBLEMS = 100

_HTML = (files(__package__) / "page.html").read_text(encoding="utf-8")


def _hash(tag: str) -> str:
    inline = _HTML.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"


_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash('style')}; script-src {_hash('script')}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """Show a store to browsers that reached it under a name of this computer."""

    def __init__(self, store: Store, bound_host: str) -> None:
        self._store = store
        self._bound_host = bound_host

    @property
    def routes(self) -> list[Route]:
        """The page and its data."""
        return [Route("/", self.show), Route("/api/events", self.data)]

    async def show(self, request: Request) -> Response:
        """Answer with the page."""
        if not is_own(request.headers.get("host", ""), self._bound_host):
            return _misdirected()
        text = _HTML.replace("$main", _main(self._store))
        # Telemetry may hold lone surrogates, which UTF-8 has no bytes for.
        return HTMLResponse(text.encode("utf-8", "replace"), headers=_HEADERS)

    async def data(self, request: Request) -> Response:
        """Answer with everything received, as JSON."""
        if not is_own(request.headers.get("host", ""), self._bound_host):
            return _misdirected()
        events = self._store.events
        answer = {
            "sessions": [_session_data(session) for session in sessions(events)],
            "events": [asdict(event) for event in events],
            "refused": [asdict(refusal) for refusal in self._store.refused],
            "dropped": [asdict(dropped) for dropped in self._store.dropped],
            "removed": [asdict(removed) for removed in self._store.removed],
        }
        return Response(json.dumps(answer), media_type="application/json", headers=_HEADERS)


def _misdirected() -> Response:
    message = "This page is shown under the names of this computer only, such as localhost or 127.0.0.1.\n"
    return PlainTextResponse(message, status_code=421, headers=_HEADERS)


def _session_data(session: Session) -> dict[str, object]:
    return {
        "id": session.id,
        "user_ids": session.user_ids,
        "app_monitor_id": session.app_monitor_id,
        "first": session.first,
        "last": session.last,
        "counts": session.counts,
        "events": [event.id for event in session.events],
    }


def _main(store: Store) -> str:
    found = sessions(store.events)
    cards = "".join(map(_session, found[:_SHOWN_SESSIONS]))
    nothing = '<p class="quiet">No events yet. The page shows them as they arrive.</p>'
    refused = [
        _problem(one.received_at, f"{one.status} {one.error_type}", one.message, one.path) for one in store.refused
    ]
    dropped = [
        _problem(one.event.timestamp, short_type(one.event.type), one.reason, one.event.id) for one in store.dropped
    ]
    removed = [
        _problem(None, quote(one.key), one.reason, f"{short_type(one.event_type)} {one.event_id}")
        for one in store.removed
    ]
    return "\n".join(
        (
            _heading("Sessions", len(found), _SHOWN_SESSIONS),
            cards or nothing,
            _problems("Refused requests", refused),
            _problems("Dropped events", dropped),
            _problems("Removed attributes", removed),
        )
    )


def _session(session: Session) -> str:
    counts = ", ".join(f"{number} {name}" for name, number in session.counts.items())
    latest = session.events[: -_SHOWN_EVENTS - 1 : -1]
    more = len(session.events) - len(latest)
    rest = f'<p class="head quiet">and {more} earlier</p>' if more else ""
    users = ", ".join(session.user_ids) or "none"
    return (
        f'<section class="card"><div class="head"><h3>{escape(session.id or "no session id")}</h3>'
        f'<p class="quiet">user {escape(users)}, app monitor {escape(session.app_monitor_id)}</p>'
        f"<p>{_time(session.first)} to {_time(session.last)}: {escape(counts)}</p></div>"
        f"{''.join(map(_event, latest))}{rest}</section>"
    )


def _event(event: Event) -> str:
    content = json.dumps({"details": event.details, "metadata": event.metadata}, indent=2, ensure_ascii=False)
    return (
        f'<details id="event-{escape(event.id)}"><summary>{_time(event.timestamp)}'
        f"<code>{escape(short_type(event.type))}</code><span>{escape(summary(event))}</span></summary>"
        f"<pre>{escape(content)}</pre></details>"
    )


def _problems(title: str, rows: list[str]) -> str:
    if not rows:
        return ""
    latest = "".join(reversed(rows[-_SHOWN_PROBLEMS:]))
    return f'{_heading(title, len(rows), _SHOWN_PROBLEMS)}<ul class="card rows">{latest}</ul>'


def _problem(seconds: float | None, what: str, reason: str, where: str) -> str:
    when = "<span></span>" if seconds is None else _time(seconds)
    return (
        f'<li>{when}<code class="bad">{escape(what)}</code>'
        f'<span>{escape(reason)} <span class="quiet">{escape(where)}</span></span></li>'
    )


def _heading(title: str, count: int, shown: int) -> str:
    note = f", the latest {shown} shown" if count > shown else ""
    return f'<h2>{title} <span class="quiet">{count}{note}</span></h2>'


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return f'<time datetime="{moment.isoformat()}" title="{moment.isoformat()}">{moment.astimezone():%H:%M:%S}</time>'
