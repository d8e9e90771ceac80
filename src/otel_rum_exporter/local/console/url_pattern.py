"""URLs as patterns: ids become `{id}`, so that the calls of one endpoint are one row."""

from __future__ import annotations

import re

# Path segments that differ between calls of one endpoint: numbers, UUIDs, digests, e-mail addresses, long tokens.
_ID = re.compile(
    r"\d+|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?=[0-9a-f]*\d)[0-9a-f]{8,}|[^@/]+(?:@|%40)[^@/]+"
    r"|(?=[^/]*\d)(?=[^/]*[a-z])[\w-]{20,}|[a-z]{1,8}[_-](?=[\w-]*\d)[\w-]{4,}",
    re.IGNORECASE,
)
# A digest in a file name: `cart.8f2c41aa.js`, `cart-8f2c41aa.js`.
_DIGEST = re.compile(r"(?<=[.-])(?=[0-9a-f]*\d)[0-9a-f]{4,}(?=\.)", re.IGNORECASE)


def without_query(url: str) -> str:
    """Return a URL without query and fragment."""
    return url.partition("#")[0].partition("?")[0]


def pattern_of(url: str) -> str:
    """Return a URL without query and fragment, with `{id}` for the path segments that look like ids."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/") if separator else ("", "", url)
    segments = [_DIGEST.sub("{id}", "{id}" if _ID.fullmatch(segment) else segment) for segment in path.split("/")]
    return f"{scheme}{separator}{host}{slash}{'/'.join(segments)}" if separator else "/".join(segments)
