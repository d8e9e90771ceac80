"""The cookies of AWS's browser client: session, user, and whether the session is recorded.

`cwr_s` is Base64 of JSON (`sessionId`, `record`, …), `cwr_u` is a UUID. The client sets them if `allowCookies` is on:
https://github.com/aws-observability/aws-rum-web/blob/main/docs/configuration.md. Cookies are untrusted input, so a
malformed one is ignored.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

import orjson

from .._attributes import BY_BROWSER, BY_SERVER
from .._uuid import UUID
from ..rum.ids import NIL_UUID
from .context import Session

SESSION_COOKIE = "cwr_s"
USER_COOKIE = "cwr_u"
MAX_COOKIE_CHARS = 4096
"""Browsers store no longer cookies: https://www.rfc-editor.org/rfc/rfc6265#section-6.1"""

MAX_HEADER_CHARS = 65_536


def browser_session(cookie_header: str, app_monitor_id: str | None = None) -> Session | None:
    """Return the session in a request's Cookie header; None if it has neither session nor user.

    It was started by AWS's client, or by a server that issued the cookie (`Session.joined`).

    With `cookieAttributes.unique`, the cookie's name ends with the app monitor's id. The cookie of `app_monitor_id` is
    preferred; if that is None, the cookie of any app monitor is used.
    """
    cookies = list(_cookies(cookie_header))
    user_id = next((_uuid(value) for name, value in cookies if name == USER_COOKIE and _uuid(value)), None)
    for expected in (f"{SESSION_COOKIE}_{app_monitor_id}", SESSION_COOKIE, None):
        for name, value in cookies:
            is_match = name == expected if expected or app_monitor_id else _is_of_any_monitor(name)
            found = _session(value) if is_match else None
            if found is not None:
                return replace(found, user_id=user_id)
    return Session(None, user_id) if user_id else None


def _cookies(header: str) -> Iterator[tuple[str, str]]:
    """Yield the client's cookies in the order of the header, in which the most specific path comes first."""
    for pair in header[:MAX_HEADER_CHARS].split(";"):
        name, _, value = pair.strip().partition("=")
        if name.startswith((SESSION_COOKIE, USER_COOKIE)) and len(value) <= MAX_COOKIE_CHARS:
            yield name, unquote(value.strip('"'))


def _is_of_any_monitor(name: str) -> bool:
    stem, _, monitor_id = name.partition(f"{SESSION_COOKIE}_")
    return not stem and UUID.fullmatch(monitor_id) is not None


def _session(value: str) -> Session | None:
    try:
        padded = value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4)
        # JavaScript's btoa encodes each character as one byte.
        content = orjson.loads(base64.b64decode(padded, validate=True).decode("latin-1"))
    except ValueError:
        return None
    session_id = _uuid(content.get("sessionId")) if isinstance(content, dict) else None
    if session_id is None:
        return None
    # The client counts its events and keeps its page, so a cookie without them is as `issued_cookies` makes it.
    is_issued = content.get("eventCount") == 0 and "page" not in content
    joined = BY_SERVER if is_issued else BY_BROWSER
    return Session(session_id, is_sampled=content.get("record") is not False, joined=joined)


def _uuid(value: object) -> str | None:
    is_valid = isinstance(value, str) and UUID.fullmatch(value) and value != NIL_UUID
    return str(value) if is_valid else None
