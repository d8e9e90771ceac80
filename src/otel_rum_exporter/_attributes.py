"""Names of attributes that mean something to the mapping, stable semantic conventions before old ones.

Where a tuple lists several, the first that is present wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SESSION_ATTRIBUTES = ("session.id", "splunk.rumSessionId")
USER_ATTRIBUTES = ("enduser.pseudo.id", "user.hash", "app.installation.id", "user.id", "user.anonymous_id")
ENDUSER_ID = "enduser.id"
"""A user only if the settings accept it: it may be a name."""

PREVIOUS_SESSION = "session.previous_id"

SERVICE_NAME = "service.name"
RESOURCE_APP_MONITOR_ID = "aws.rum.appmonitor.id"
RESOURCE_ALIAS = "aws.rum.appmonitor.alias"
RESOURCE_VERSIONS = ("service.version", "app.build_id")

SCREEN_NAMES = ("app.screen.name", "screen.name")
LAST_SCREENS = ("last.screen.name", "app.screen.previous.name")
PARENT_SCREENS = ("app.screen.parent_screen.name", *LAST_SCREENS)
INTERACTION = "app.screen.interaction"

METHODS = ("http.request.method", "http.method")
STATUSES = ("http.response.status_code", "http.status_code")
URLS = ("url.full", "http.url")
TARGETS = ("url.path", "http.target")
ROUTE = "http.route"
SERVER_HOSTS = ("server.address", "http.host", "net.host.name")
SERVER_PORTS = ("server.port", "net.host.port")
CLIENT_HOSTS = ("server.address", "http.host", "net.peer.name")
CLIENT_PORTS = ("server.port", "net.peer.port")
CALLED_SERVICES = ("server.address", "net.peer.name")
USER_AGENTS = ("user_agent.original", "http.user_agent")
ACCEPT_LANGUAGE = "http.request.header.accept_language"
REFERRER = "http.request.header.referer"
DOCUMENT_URL = "browser.document.url.full"
DOCUMENT_URLS = ("location.href", DOCUMENT_URL, "page.url")
PREVIOUS_URL = "prev.href"
TRANSFER_SIZES = ("http.response.size", "http.response.body.size", "http.response_content_length")
CONTENT_LENGTHS = ("http.response.body.size", "http.response_content_length")

EXCEPTION_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACK = "exception.type", "exception.message", "exception.stacktrace"
EXCEPTION = (EXCEPTION_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACK)
ERROR_TYPES = (EXCEPTION_TYPE, "error.type")
CODE_FILES = ("code.file.path", "code.filepath")
CODE_LINES = ("code.line.number", "code.lineno")

EVENT_TYPE, EVENT_DETAILS = "rum.event.type", "rum.event.details"
"""The event that an application chooses for a span or log record."""

SESSION_SAMPLED = "rum.session.sampled"
"""Whether the session is recorded, if that was decided elsewhere, for example by the browser client."""

SESSION_MINTED = "rum.session.minted"
"""True if this process created the session's id, so that the first event of the session starts it in RUM."""

SESSION_JOINED = "rum.session.joined"
"""The program that started the session, if neither this process nor the application did: `BY_BROWSER`, `BY_SERVER`."""

BY_BROWSER = "browser"
"""AWS's browser client started the session, and sends its pages."""

BY_SERVER = "server"
"""Another request or service started the session."""

SESSION_MISSING = "rum.session.missing"
"""Why the middleware found no session for a request served: `NO_COOKIE` or `NOT_ISSUED`."""

NO_COOKIE = "no cookie"
NOT_ISSUED = "not issued"
"""The middleware issues cookies, but not to this client: a program, or a person who did not consent."""

SCREEN_SHOWN = "rum.screen.shown"
"""False on a span that happened on the screen that it names, and did not show it."""

SCREEN_PARENT_MILLIS = "rum.screen.parent_millis"
"""The time that the previous screen was shown, in milliseconds, on the span that shows another."""

PAGE_TAGS = "rum.page.tags"
"""A list of RUM's `pageTags`, on a request served or a screen."""

PRIVATE_ATTRIBUTES = frozenset(
    {
        *(EVENT_TYPE, EVENT_DETAILS, SESSION_SAMPLED, SESSION_MINTED, SESSION_JOINED, SESSION_MISSING),
        *(SCREEN_SHOWN, SCREEN_PARENT_MILLIS, PAGE_TAGS),
    }
)
"""Attributes of this project. The exporter reads them and leaves them out of events."""


def plain(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Copy attributes into a plain dict.

    The SDK's mapping locks for every key it is asked for; its own `copy` locks once.
    """
    if attributes is None:
        return {}
    copy = getattr(attributes, "copy", None)
    return dict(attributes) if copy is None else copy()
