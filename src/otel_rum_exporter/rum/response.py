"""Decide whether a response is RUM's own. Proxies, firewalls and captive portals respond in its place.

RUM's success is status 200 with an empty body. Its errors have a header with their type, or a known code in JSON.
Success is checked against tables of what other servers send, so that a member that RUM adds one day is no error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .._pattern import lazy_pattern

ERROR_TYPE_HEADER = "x-amzn-errortype"
MIN_ERROR_STATUS = 300
"""botocore raises an error from this status on."""

_OK = 200
_OTHER_HEADERS = frozenset((ERROR_TYPE_HEADER, "location", "refresh", "x-amzn-waf-action"))
"""The headers of errors, sign-in pages and firewalls, which may have status 200 and no body."""

_OTHER_CONTENT = lazy_pattern(r"html|xml|javascript|ecmascript|css|^(audio|font|image|multipart|video)/", re.IGNORECASE)
_ERROR_NAME = lazy_pattern(
    r"error|fault|exception|fail|message|^__type$|^detail$|^reason$|^title$"
    r"|blocked|denied|captcha|challenge|login|redirect",
    re.IGNORECASE,
)
_ERROR_VALUE = lazy_pattern(
    r"(error|fail|failed|failure|block|blocked|deny|denied|forbidden|reject|rejected)$", re.IGNORECASE
)
_STATUS_NAME = lazy_pattern(r"(code|(http[-_]?)?status([-_]?code)?)$", re.IGNORECASE)
_SUCCESS_STATUSES = frozenset(("", "0", "none", "200", "ok", "success"))
_SUCCESS_NAME = lazy_pattern(r"(success|succeeded|ok|accepted)$", re.IGNORECASE)
_NO = frozenset(("", "0", "false", "no", "none"))


class NotRumError(Exception):
    """A response that is not RUM's own. Nothing was delivered."""


def check_success(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise NotRumError if a response that botocore takes for a success is not RUM's."""
    content_type = headers.get("content-type", "")
    is_other = _OTHER_CONTENT.search(content_type) or not _OTHER_HEADERS.isdisjoint(map(str.lower, headers))
    if status >= MIN_ERROR_STATUS or (status == _OK and not is_other and _is_empty_or_object(body)):
        return
    raise NotRumError(f"status {status}{f', {content_type}' if content_type else ''}")


def check_length(headers: Mapping[str, str], body: bytes) -> None:
    """Raise NotRumError if a body is cut off, or its length is no number."""
    length = headers.get("content-length")
    if length is not None and length.strip() != str(len(body)):
        raise NotRumError(f"{len(body)} of {length} bytes")


def check_parsed(response: Any) -> None:
    """Do the same for a response of a client passed in, whose body is not available."""
    metadata = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    if not isinstance(metadata, Mapping):
        return  # a stub
    headers = metadata.get("HTTPHeaders") or {}
    # The length stands for the body. Only JSON may have any.
    is_empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    is_json = "json" in headers.get("content-type", "").lower()
    check_success(int(metadata.get("HTTPStatusCode") or _OK), headers, b"" if is_empty or is_json else b"-")


def is_page(content_type: str) -> bool:
    """Return whether a content type is HTML or XHTML."""
    return "html" in content_type.lower()


def _is_empty_or_object(body: bytes) -> bool:
    if not body:
        return True
    try:
        found = json.loads(body)
        return isinstance(found, dict) and not _has_error(found)
    except (ValueError, RecursionError):
        return False


def _has_error(found: Any) -> bool:
    if isinstance(found, dict):
        return any(_is_error(name, value) or _has_error(value) for name, value in found.items())
    return isinstance(found, list) and any(map(_has_error, found))


def _is_error(name: str, value: Any) -> bool:
    shown = str(value).lower()
    if _STATUS_NAME.match(name):
        return shown not in _SUCCESS_STATUSES
    if _SUCCESS_NAME.match(name):
        return shown in _NO
    return bool(_ERROR_VALUE.match(shown)) or (shown not in _NO and bool(value) and bool(_ERROR_NAME.search(name)))
