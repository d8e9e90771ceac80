"""The cookies of AWS's browser client, valid and invalid."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter._attributes import BY_BROWSER
from otel_rum_exporter._uuid import UUID
from otel_rum_exporter.sessions.browser_cookies import MAX_COOKIE_CHARS, browser_session
from otel_rum_exporter.sessions.context import Session
from tests.spans import APP_MONITOR_ID

SESSION = "8bd4ed93-8bc0-4e5d-a8b4-1f4d3c2b1a00"
OTHER_SESSION = "9ce5fea4-9cd1-4f6e-b9c5-2a5e4d3c2b11"
USER = "3f2b6c1e-0d4a-4b7c-9e8f-7a6b5c4d3e2f"
NIL = "00000000-0000-0000-0000-000000000000"
OTHER_MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000002"


def cwr_s(session_id: object = SESSION, **change: Any) -> str:
    """Return the value of a session cookie, encoded as by the browser: btoa(JSON.stringify(session))."""
    page = {"pageId": "/café", "interaction": 3, "start": 1_795_000_000_000}
    session = {"sessionId": session_id, "record": True, "eventCount": 12, "page": page, **change}
    return base64.b64encode(json.dumps(session, ensure_ascii=False).encode("latin-1")).decode()


def joined_session(session_id: str, user_id: str | None = None, *, is_sampled: bool = True) -> Session:
    """Return a session of the browser."""
    return Session(session_id, user_id, is_sampled, joined=BY_BROWSER)


def test_session_and_user_are_read_from_both_cookies() -> None:
    """Among other cookies, in any order."""
    expected = joined_session(SESSION, USER)
    assert browser_session(f"theme=dark; cwr_u={USER}; cwr_s={cwr_s()}; csrf=1") == expected
    assert browser_session(f"cwr_s={cwr_s()};cwr_u={USER}") == expected


@pytest.mark.parametrize(
    "value",
    [quote(cwr_s()), quote(cwr_s(), safe=""), f'"{cwr_s()}"', cwr_s().rstrip("="), cwr_s().replace("/", "_")],
)
def test_session_cookie_is_read_in_other_encodings(value: str) -> None:
    """URL-encoded, quoted, without padding, in the alphabet of URLs: a proxy may change it."""
    assert browser_session(f"cwr_s={value}") == joined_session(SESSION)


@pytest.mark.parametrize(("record", "is_sampled"), [(True, True), (False, False), (None, True), (0, True)])
def test_session_is_sampled_unless_record_is_false(record: object, is_sampled: bool) -> None:  # noqa: FBT001 - the value of a row
    """Only the JSON value `false` counts."""
    assert browser_session(f"cwr_s={cwr_s(record=record)}") == joined_session(SESSION, is_sampled=is_sampled)


def test_cookie_of_the_own_app_monitor_takes_precedence() -> None:
    """With `cookieAttributes.unique` there is a cookie for each app monitor of the page."""
    others, own = f"cwr_s_{OTHER_MONITOR_ID}={cwr_s(OTHER_SESSION)}", f"cwr_s_{APP_MONITOR_ID}={cwr_s()}"
    common = f"cwr_s={cwr_s(OTHER_SESSION)}"
    assert browser_session(f"{others}; {common}; {own}", APP_MONITOR_ID) == joined_session(SESSION)
    assert browser_session(f"{others}; {common}", APP_MONITOR_ID) == joined_session(OTHER_SESSION)
    assert browser_session(f"{others}", APP_MONITOR_ID) is None
    assert browser_session(own) == joined_session(SESSION)


def test_user_without_a_session_is_read() -> None:
    """The user's cookie lives longer than the session's."""
    assert browser_session(f"cwr_u={USER}; cwr_s={cwr_s(NIL)}") == Session(None, USER)


@pytest.mark.parametrize(
    "header",
    [
        "",
        ";;;=;",
        "cwr_s=; cwr_u=",
        f"cwr_s={cwr_s(NIL)}; cwr_u={NIL}",
        f"cwr_s={cwr_s('not a uuid')}",
        f"cwr_s={cwr_s(SESSION + 'x')}",
        f"cwr_s={cwr_s([SESSION])}",
        f"cwr_s={cwr_s(None)}",
        f"cwr_s={cwr_s(7)}",
        f"cwr_sx={cwr_s()}",
        f"cwr_s_x={cwr_s()}",
        f"CWR_S={cwr_s()}",
        "cwr_s=" + base64.b64encode(b"null").decode(),
        "cwr_s=" + base64.b64encode(b"[" * 3000).decode(),
        "cwr_s=" + base64.b64encode(b"{}").decode(),
        "cwr_s=" + base64.b64encode(b'{"sessionId":' + b"9" * 3000 + b"}").decode(),
        "cwr_s=" + cwr_s(page="x" * MAX_COOKIE_CHARS),
        "cwr_s=%",
        "cwr_s=é",
        "cwr_s=\ud800",
        "cwr_u=<script>",
        "cwr_u=" + USER.replace("-", ""),
        "x=1; " * 100_000 + f"cwr_u={USER}",
    ],
)
def test_invalid_cookies_are_ignored(header: str) -> None:
    """A nil or malformed UUID, invalid JSON or Base64, nested too deeply, too long."""
    assert browser_session(header, APP_MONITOR_ID) is None


@given(
    st.one_of(
        st.text(st.characters(codec=None)),
        st.text(st.characters(codec=None)).map(lambda text: f"cwr_s={text}; cwr_u={text}"),
        st.binary().map(lambda data: f"cwr_s={base64.b64encode(data).decode()}"),
        st.recursive(
            st.none() | st.booleans() | st.text() | st.just(SESSION),
            lambda inner: st.dictionaries(st.sampled_from(["sessionId", "record", "page"]), inner) | st.lists(inner),
        ).map(lambda value: f"cwr_s={base64.b64encode(json.dumps(value).encode()).decode()}"),
    )
)
def test_any_header_results_in_uuids_or_none(header: str) -> None:
    """A client can send any text."""
    session = browser_session(header, APP_MONITOR_ID)
    assert session is None or all(UUID.fullmatch(value) for value in (session.id, session.user_id) if value)
