"""The cookies of AWS's browser client: the session that a browser is in, its user, and whether it is recorded.

`cwr_s` is Base64 of JSON (`sessionId`, `record`, …), `cwr_u` is a UUID; the client sets them when `allowCookies` is on:
https://github.com/aws-observability/aws-rum-web/blob/main/docs/configuration.md. A client can send what it likes:
whatever is no such cookie is none.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import unquote

import orjson

from .._config_fields import UUID
from ..rum.ids import NIL_UUID
from .context import Session

SESSION_COOKIE = "cwr_s"
USER_COOKIE = "cwr_u"
MAX_COOKIE_CHARS = 4096
"""Browsers store no longer cookie: https://www.rfc-editor.org/rfc/rfc6265#section-6.1"""

MAX_HEADER_CHARS = 65_536


def browser_session(cookie_header: str, app_monitor_id: str | None = None) -> Session | None:
    """Return the session that a request's Cookie header names, None where it names neither session nor user.

    With `cookieAttributes.unique` the name of the session's cookie ends with the app monitor's id. Ours goes
    first; where it is not known, any will do.
    """
    cookies = list(_cookies(cookie_header))
    user_id = next((_uuid(value) for name, value in cookies if name == USER_COOKIE and _uuid(value)), None)
    for wanted in (f"{SESSION_COOKIE}_{app_monitor_id}", SESSION_COOKIE, None):
        for name, value in cookies:
            is_wanted = name == wanted if wanted or app_monitor_id else _is_of_some_monitor(name)
            found = _session(value) if is_wanted else None
            if found is not None:
                return Session(found.id, user_id, found.is_sampled)
    return Session(None, user_id) if user_id else None


def _cookies(header: str) -> Iterator[tuple[str, str]]:
    """Yield our cookies as they come; the most specific of several with one name comes first."""
    for pair in header[:MAX_HEADER_CHARS].split(";"):
        name, _, value = pair.strip().partition("=")
        if name.startswith((SESSION_COOKIE, USER_COOKIE)) and len(value) <= MAX_COOKIE_CHARS:
            yield name, unquote(value.strip('"'))


def _is_of_some_monitor(name: str) -> bool:
    stem, _, monitor_id = name.partition(f"{SESSION_COOKIE}_")
    return not stem and UUID.fullmatch(monitor_id) is not None


def _session(value: str) -> Session | None:
    try:
        padded = value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4)
        # JavaScript's btoa makes one byte of each character.
        told = orjson.loads(base64.b64decode(padded, validate=True).decode("latin-1"))
    except ValueError:
        return None
    session_id = _uuid(told.get("sessionId")) if isinstance(told, dict) else None
    return Session(session_id, is_sampled=told.get("record") is not False) if session_id else None


def _uuid(value: object) -> str | None:
    is_known = isinstance(value, str) and UUID.fullmatch(value) and value != NIL_UUID
    return str(value) if is_known else None
