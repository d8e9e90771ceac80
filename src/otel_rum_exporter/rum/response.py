"""Decide whether a response is RUM's own. Proxies, firewalls and captive portals respond in its place.

RUM's success is status 200 with an empty body. Its errors have a header with their type, or a known code in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

ERROR_TYPE_HEADER = "x-amzn-errortype"
MIN_ERROR_STATUS = 300
"""botocore raises an error from this status on."""

_OK = 200
_ERROR_NAME = re.compile(
    r"error|fault|exception|failure|message|^__type$|^code$|^detail$|^reason$|^title$", re.IGNORECASE
)
_SUCCESS_NAME = re.compile(r"^(success|succeeded|ok|accepted)$", re.IGNORECASE)
_SUCCESS_STATUSES = frozenset(("", "none", "200", "ok", "success"))


class NotRumError(Exception):
    """A response that is not RUM's own. Nothing was delivered."""


def check_success(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise NotRumError if a response that botocore takes for a success is not RUM's."""
    content_type = headers.get("content-type", "")
    if status >= MIN_ERROR_STATUS or (status == _OK and not is_page(content_type) and _is_empty_or_object(body)):
        return
    raise NotRumError(f"status {status}{f', {content_type}' if content_type else ''}")


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
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and not any(_is_error(name, value) for name, value in found.items())


def _is_error(name: str, value: Any) -> bool:
    if name.lower() == "status":
        return str(value).lower() not in _SUCCESS_STATUSES
    return (value is False) if _SUCCESS_NAME.search(name) else bool(value) and bool(_ERROR_NAME.search(name))
