"""A recording of all received requests, one JSON line each: the console sends them again when it is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ..store import Store


def recording(store: Store) -> Iterator[bytes]:
    """Return the lines of the requests in order of arrival, refused ones included as far as they can be decoded."""
    accepted = [(batch.received_at, f"/appmonitors/{batch.app_monitor_id}", batch.raw) for batch in store.batches]
    refused = [(one.received_at, one.path, one.raw) for one in store.refused if one.raw is not None]
    return map(_line, sorted([*accepted, *refused], key=lambda request: request[0]))


def _line(request: tuple[float, str, Any]) -> bytes:
    received_at, path, body = request
    return json.dumps({"path": quote(path), "received_at": received_at, "body": body}).encode() + b"\n"
