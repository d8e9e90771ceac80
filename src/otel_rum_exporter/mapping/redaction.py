"""What never leaves the application: attributes with personal data or secrets, and secret parts of URLs.

The rules are tables. They apply to attributes of spans, span events and log records. Settings name query parameters
that URLs keep (`url_query_parameters`) and attributes to send as metadata (`metadata_attributes`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .._attributes import (
    DOCUMENT_URLS,
    ENDUSER_ID,
    PREVIOUS_SESSION,
    PREVIOUS_URL,
    PRIVATE_ATTRIBUTES,
    REFERRER,
    SESSION_ATTRIBUTES,
    URLS,
    USER_ATTRIBUTES,
)
from . import urls
from .attribute_values import MAX_DEPTH
from .caches import cache_short_texts
from .record_view import keys_of

NEVER_EXPORTED = frozenset(
    (
        *SESSION_ATTRIBUTES,
        *USER_ATTRIBUTES,
        *(PREVIOUS_SESSION, ENDUSER_ID, "user.email", "user.full_name", "user.name"),
        *("client.address", "client.ip", "http.client_ip", "source.address"),
        *("net.peer.ip", "net.sock.peer.addr", "network.peer.address"),
        *("client.socket.address", "url.query", "code.locals"),
        *("db.connection_string", "db.query.text", "db.statement", "graphql.document", "messaging.url"),
        *("process.command", "process.command_args", "process.command_line"),
        *PRIVATE_ATTRIBUTES,
    )
)
"""Attributes that identify a person or their machine, or contain users' data; RUM gets hashed ids instead."""

NEVER_EXPORTED_HEADERS = frozenset(
    ("cf_connecting_ip", "client_ip", "forwarded", "true_client_ip", "x_client_ip", "x_forwarded_for", "x_real_ip")
)
"""Captured headers that identify a person's machine, in OpenTelemetry's spelling."""

SECRET_WORDS = ("api_key", "authorization", "cookie", "credential", "csrf", "password", "secret", "token")
"""An attribute whose name contains one of these words is a secret; `_` also matches `.`, `-` or nothing."""

URL_ATTRIBUTES = frozenset(
    (
        *(*URLS, *DOCUMENT_URLS, "url.original", "http.target", PREVIOUS_URL),
        *(REFERRER, "http.request.header.origin"),
        *(f"http.response.header.{name}" for name in ("location", "content_location")),
    )
)
"""Attributes that hold a URL, or a list of them."""

TOO_DEEP = "..."
"""Replaces values that are nested too deeply."""

MAX_CACHED_CHARS = 256

MASK = "***"
"""Replaces the value of a secret."""

_SECRET_WORD = "|".join(word.replace("_", "[_.-]?") for word in SECRET_WORDS)
_SECRET_NAME = re.compile(_SECRET_WORD, re.IGNORECASE)
_SECRET_STEMS = tuple({word.partition("_")[0]: None for word in SECRET_WORDS})
_SECRET_VALUE = re.compile(
    rf"""(?P<header>(?:authorization|cookie)['"]?\s?[:=]\s?['"]?)[^\r\n'"]+   # a header, to the end of its line
       | (?P<key>(?:{_SECRET_WORD})[\w.-]{{0,40}}(?:=|['"]\s?[:=]\s?))      # password=…, 'token': …
         (?:"[^"\n]{{0,500}}"|'[^'\n]{{0,500}}'|[^\s'",;&)\]}}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_QUERY_PARAMETER = "db.query.parameter."
_HEADER = re.compile(r"http\.(?:request|response)\.header\.(.+)")
_SUSPICIOUS = re.compile("[@=:]")
"""Every text to scrub contains one of these; most attribute values do not."""

_HARMLESS = frozenset((int, float, bool))
"""Types of values that cannot contain secrets."""

_USER_INFO = re.compile(r"://[^/\s@'\"]+@")
_QUERY = re.compile(
    r"""[?#;](?: (?<!;)[^\s?#=&'"<>]+                                # ?token=…, #access_token=…
              | (?<=;)(?=\w*?(?:auth|sess|sid|token))\w+             # ;jsessionid=…
             )=[^\s'"<>)\]]*?(?=(?::\d{1,9}){0,2}(?:[\s'"<>)\]]|$))     # up to a script's :line:column""",
    re.VERBOSE,
)


def exportable(attributes: Mapping[str, Any], allowed_parameters: Collection[str], depth: int = 0) -> dict[str, Any]:
    """Return the attributes that may be sent, with URLs scrubbed, also in maps among their values."""
    keys = keys_of(attributes)
    if len(keys.names) == len(attributes):
        names: Iterable[str] = keys.cached(_exportable)
    else:
        names = [name for name in attributes if not is_private(str(name))]
    found = {}
    for name in names:
        value = attributes[name]
        found[name] = value if type(value) in _HARMLESS else scrubbed(name, value, allowed_parameters, depth)
    return found


def _exportable(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if not is_private(name))


@cache_short_texts(1024, MAX_CACHED_CHARS)
def is_private(name: str) -> bool:
    """Return whether an attribute with this name is never sent."""
    header = _HEADER.fullmatch(name)
    return (
        name in NEVER_EXPORTED
        or name.startswith(_QUERY_PARAMETER)
        or (header is not None and header[1].lower().replace("-", "_") in NEVER_EXPORTED_HEADERS)
        or bool(_SECRET_NAME.search(name))
    )


def scrubbed(name: str, value: Any, allowed_parameters: Collection[str], depth: int = 0) -> Any:
    """Return an attribute value without secrets of URLs and texts, also inside lists and maps."""
    if isinstance(value, str):
        return urls.scrub(value, allowed_parameters) if name in URL_ATTRIBUTES else scrub_text(value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (Mapping, list, tuple)) and depth >= MAX_DEPTH:
        return TOO_DEEP
    if isinstance(value, Mapping):
        return exportable(value, allowed_parameters, depth + 1)
    if isinstance(value, (list, tuple)):
        return [scrubbed(name, item, allowed_parameters, depth + 1) for item in value]
    return value


def scrub_text(text: str) -> str:
    """Return free text, such as an exception message, without secrets.

    Secrets are user info, queries and fragments of URLs, and values after a secret's name, as in `password=…`.
    """
    if not _SUSPICIOUS.search(text):
        return text
    if "@" in text:
        text = _USER_INFO.sub("://", text)
    if "=" in text:
        text = _QUERY.sub("", text)
    if not _names_secret(text):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(_SECRET_VALUE.sub(_masked, line) if _names_secret(line) else line for line in lines)


def _names_secret(text: str) -> bool:
    """Return whether a text can contain a secret's name; much cheaper than the pattern."""
    if "=" not in text and ":" not in text:
        return False
    lowered = text.lower()
    return any(stem in lowered for stem in _SECRET_STEMS)


def _masked(found: re.Match[str]) -> str:
    return (found["header"] or found["key"]) + MASK
