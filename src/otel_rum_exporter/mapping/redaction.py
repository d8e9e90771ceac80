"""What never leaves the application: attributes that name people or open doors, and the secret parts of URLs.

The rules are tables, and hold for attributes of spans, of their events and of log records alike. Settings add
to what URLs keep (`url_query_parameters`) and name what goes along as metadata (`metadata_attributes`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from .._attributes import MARKS, SESSION_ATTRIBUTES, USER_ATTRIBUTES
from . import urls
from .attribute_values import MAX_DEPTH
from .record_view import shape_of

NEVER_EXPORTED = frozenset(
    (
        *SESSION_ATTRIBUTES,
        *USER_ATTRIBUTES,
        *("session.previous_id", "enduser.id", "user.email", "user.full_name", "user.name"),
        *("client.address", "client.ip", "http.client_ip", "source.address"),
        *("net.peer.ip", "net.sock.peer.addr", "network.peer.address"),
        *("client.socket.address", "url.query", "code.locals"),
        *("db.connection_string", "db.query.text", "db.statement", "graphql.document", "messaging.url"),
        *("process.command", "process.command_args", "process.command_line"),
        *MARKS,
    )
)
"""Attributes that name a person or a person's machine, or hold values of users; RUM knows people by hashed ids."""

NEVER_EXPORTED_HEADERS = frozenset(
    ("cf_connecting_ip", "client_ip", "forwarded", "true_client_ip", "x_client_ip", "x_forwarded_for", "x_real_ip")
)
"""Captured headers that name the machine of a person, as OTel writes them."""

SECRET_WORDS = ("api_key", "authorization", "cookie", "credential", "csrf", "password", "secret", "token")
"""Words that make any attribute a secret, wherever in its name they stand; for `_` also `.`, `-` or nothing."""

URL_ATTRIBUTES = frozenset(
    (
        *("url.full", "url.original", "http.url", "http.target", "browser.document.url.full"),
        *("location.href", "prev.href"),
        *(f"http.request.header.{name}" for name in ("referer", "origin")),
        *(f"http.response.header.{name}" for name in ("location", "content_location")),
    )
)
"""Attributes that hold a URL, or a list of them."""

TOO_DEEP = "..."
"""In place of what is nested too deeply to be read."""

MASK = "***"
"""In place of a secret's value, behind its name."""

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
"""What all that is scrubbed has, and most values of attributes have not."""

_HARMLESS = frozenset((int, float, bool))
"""Types of values that quote nothing."""

_USER_INFO = re.compile(r"://[^/\s@'\"]+@")
_QUERY = re.compile(
    r"""[?#;](?: (?<!;)[^\s?#=&'"<>]+                                # ?token=…, #access_token=…
              | (?<=;)(?=\w*?(?:auth|sess|sid|token))\w+             # ;jsessionid=…
             )=[^\s'"<>)\]]*?(?=(?::\d{1,9}){0,2}(?:[\s'"<>)\]]|$))     # up to a script's :line:column""",
    re.VERBOSE,
)


def exportable(attributes: Mapping[str, Any], allowed_parameters: Collection[str], depth: int = 0) -> dict[str, Any]:
    """Return the attributes that may leave, with URLs scrubbed; the same holds for maps among their values."""
    shape = shape_of(attributes)
    if len(shape.names) == len(attributes):
        wanted: Iterable[str] = shape.found(_exportable)
    else:
        wanted = [name for name in attributes if not is_private.__wrapped__(str(name))]
    found = {}
    for name in wanted:
        value = attributes[name]
        found[name] = value if type(value) in _HARMLESS else scrubbed(name, value, allowed_parameters, depth)
    return found


def _exportable(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if not is_private(name))


@lru_cache(maxsize=1024)
def is_private(name: str) -> bool:
    """Say whether an attribute of this name never leaves."""
    header = _HEADER.fullmatch(name)
    return (
        name in NEVER_EXPORTED
        or name.startswith(_QUERY_PARAMETER)
        or (header is not None and header[1].lower().replace("-", "_") in NEVER_EXPORTED_HEADERS)
        or bool(_SECRET_NAME.search(name))
    )


def scrubbed(name: str, value: Any, allowed_parameters: Collection[str], depth: int = 0) -> Any:
    """Return the value of an attribute, scrubbed where it is or quotes a URL, also in lists and maps."""
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
    """Return free text, as an exception's message, without the secrets it quotes.

    They are user info, queries and fragments of URLs, and values of what has a secret's name, as `password=…`.
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
    """Say whether a pattern has anything to look for, which costs much less than looking."""
    if "=" not in text and ":" not in text:
        return False
    lowered = text.lower()
    return any(stem in lowered for stem in _SECRET_STEMS)


def _masked(found: re.Match[str]) -> str:
    return (found["header"] or found["key"]) + MASK
