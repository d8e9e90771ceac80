"""URLs without secrets, and with ids masked where a URL becomes a name.

User info, query and fragment are removed first. Query parameters stay only if the configuration names them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from .._pattern import lazy_pattern
from .caches import cache_short_texts
from .path_ids import MASK, MAX_SEGMENT_CHARS, harmless, mask_path
from .secret_texts import may_be_webhook, scrub_webhook

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

_PLAIN = lazy_pattern(r"(https?://\w[\w.~%+,=&!$'()*-]*(?::\d{1,5})?)(/[\w.~:/%+,=&!$'()*-]*)?(?=[?#]|\Z)", re.ASCII)
"""Nearly every URL up to its query, as the part before its path and the path; it needs no parsing."""

_PLAIN_SEGMENT = re.compile(r"[\w.~:%+,=&!$'()*-]*", re.ASCII).fullmatch

_ENTRIES = frozenset({"", "/index.html"})
"""Paths of documents that hold a whole application."""

_USER_INFO = lazy_pattern(r"^[^/?#]{1,40}://(?:[^\s/?#@:]*:(?!\d{1,5}(?:[/?#]|\Z))\S*@|[^/?#\s]*@)")
_PATH_PARAMETERS = lazy_pattern(r";[^/]*")
_OPAQUE = lazy_pattern(r"(data:[\w/+.-]{0,80}|(?:blob|javascript|mailto|tel|sms|about):)", re.IGNORECASE)
"""URLs without a path: content, ids or people. Only their type is kept."""


def scrub(url: str, allowed_parameters: Collection[str] = ()) -> str:
    """Return a URL without user info, path parameters and fragment, and with only the allowed query parameters."""
    plain = None if allowed_parameters else _PLAIN.match(url)
    if plain:
        return plain[0]
    opaque = _OPAQUE.match(url)
    if opaque:
        return opaque[0]
    clean = _without_user_info(url)
    try:
        parts = urlsplit(clean)
    except ValueError:
        rest = clean if clean == url else clean.partition("://")[2]
        return re.split(r"[?#;]", rest, maxsplit=1)[0].rpartition("@")[2]
    query = ""
    if allowed_parameters:
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = urlencode([(name, value) for name, value in pairs if name in allowed_parameters])
    rest = urlunsplit(("", "", _PATH_PARAMETERS.sub("", parts.path), query, ""))
    host = parts.netloc.rpartition("@")[2]
    has_authority = parts.scheme and clean.startswith("://", len(parts.scheme))  # also an empty one: `file:///a`
    return f"{parts.scheme}://{host}{rest}" if has_authority else urlunsplit((parts.scheme, host, rest, "", ""))


def exported(url: str, allowed_parameters: Collection[str] = ()) -> str:
    """Return a URL as it is sent: scrubbed, and with the ids of its path masked."""
    if not allowed_parameters:
        plain = exported_plain(url)
        if plain is not None:
            return plain[0]
    found = scrub(url, allowed_parameters)
    start = found.find("/", found.find("://") + 3) if "://" in found else 0
    if start < 0:
        return found
    path, mark, query = found[start:].partition("?")
    return f"{scrub_webhook(found[:start] + mask_path(path))}{mark}{query}"


def exported_plain(url: str) -> tuple[str, str] | None:
    """Return what `exported` returns, and the last segment unmasked.

    None unless the URL is ASCII and none of its parts may be a secret; nearly all are such.
    """
    if not url.isascii():
        return None
    whole = url.partition("?")[0]
    if "#" in whole:
        whole = whole.partition("#")[0]
    folder, _, name = whole.rpartition("/")
    clean = _plain_folder(folder)
    # Most ids are numbers. They are rarely the same, so that a cache does not help.
    masked = MASK if name.isdecimal() else _plain_segment(name)
    return None if clean is None or masked is None else (f"{clean}/{masked}", name)


@cache_short_texts(4096, 256)
def _plain_folder(folder: str) -> str | None:
    """Return a URL without its last segment, and with the ids of its path masked; None if it may have a secret."""
    plain = _PLAIN.fullmatch(folder)
    if plain is None or may_be_webhook(folder):
        return None
    base, path = plain.groups()
    segments = [*map(_plain_segment, path.split("/"))] if path else [""]
    return None if None in segments else f"{base}{'/'.join(segments)}"  # type: ignore[arg-type] # none is None


@cache_short_texts(4096, MAX_SEGMENT_CHARS)
def _plain_segment(segment: str) -> str | None:
    """Return a masked segment of a path; None if it may have a secret."""
    return harmless(segment) if _PLAIN_SEGMENT(segment) and not may_be_webhook(segment) else None


def compose(scheme: str | None, host: str | None, port: int | None, target: str) -> str:
    """Return the absolute URL composed of the parts on a server span; only the target if the host is unknown."""
    if "://" in target:
        return target
    path = target if target.startswith("/") else f"/{target}"
    if not host:
        return path
    scheme = scheme or "http"
    name, host_port = split_host(host)
    port = host_port or port
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    authority = name if port is None or DEFAULT_PORTS.get(scheme) == port else f"{name}:{port}"
    return f"{scheme}://{authority}{path}"


def split_host(host: str) -> tuple[str, int | None]:
    """Return name and port of a Host header, which `server.address` may contain, also as `name:None`."""
    host = host.rpartition("@")[2]
    name, colon, digits = host.removesuffix(":None").rpartition(":")
    if colon and digits.isascii() and digits.isdigit() and (name.endswith("]") or ":" not in name):
        return name, int(digits[:6])
    return host.removesuffix(":None"), None


def hostname(url: str) -> str | None:
    """Return the host of an absolute URL; None if it has none or is malformed."""
    try:
        return urlsplit(_without_user_info(url)).hostname or None
    except ValueError:
        return None


def path(url: str) -> str:
    """Return the path of a URL or of a request target without path parameters, at least `/`."""
    plain = _PLAIN.match(url)
    if plain:
        return plain[2] or "/"
    if _OPAQUE.match(url):
        return "/"
    url = _without_user_info(url)
    try:
        found = urlsplit(url).path
    except ValueError:
        found = re.split(r"[?#]", url, maxsplit=1)[0]
    return _PATH_PARAMETERS.sub("", found) or "/"


def join(base: str | None, target: str) -> str:
    """Return the URL of a target that is relative to a document; the target if there is none."""
    try:
        return urljoin(base or "", target)
    except ValueError:
        return target


def page(url: str) -> str:
    """Return the path of a document's URL, or the route in its fragment: `#/cart` and `#!/cart` are pages.

    Other fragments, such as `#access_token=…`, are no part of a page.
    """
    document, _, fragment = url.partition("#")
    route = fragment.removeprefix("!")
    if not route.startswith("/"):
        return path(url)
    route = re.split(r"[?#&;=]", route, maxsplit=1)[0]
    base = path(document).rstrip("/")
    return route if base in _ENTRIES else f"{base}#{route}"


def _without_user_info(url: str) -> str:
    """Return a URL without user and password, which can contain `/`, `?`, `#` and `@` that they should encode."""
    found = _USER_INFO.match(url)
    return url if found is None else url[: url.index("://") + 3] + url[found.end() :]
