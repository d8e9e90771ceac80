"""The views of one request: the request of an event with its earlier attempts, and a refused request."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from ..record import Batch
from .event_fields import Json
from .received import Received
from .scope import Scope

_MAX_ATTEMPTS = 20
_MAX_EVENTS = 100


def request_detail(received: Received, scope: Scope) -> Json | None:
    """Return the requests with the query's `batch` as BatchId; None when there is none."""
    asked = scope.query.get("batch", "")
    batches = [batch for batch in received.batches if batch.batch_id == asked][-_MAX_ATTEMPTS:]
    if not batches:
        return None
    attempts = [one for one in received.requests if one.batch_id == asked][-_MAX_ATTEMPTS:]
    return {
        "answers": [{"status": one.status, "received_at": one.received_at} for one in attempts],
        "requests": [_request(batch) for batch in batches],
    }


def refused_request_detail(received: Received, scope: Scope) -> Json | None:
    """Return the refused request received at the query's `at`, with the decision on each event; None when not found."""
    asked = scope.query.get("at", "")
    refused_request = next((one for one in received.refused if str(one.received_at) == asked), None)
    if refused_request is None:
        return None
    return {
        "path": refused_request.path,
        "received_at": refused_request.received_at,
        "decisions": [asdict(decision) for decision in refused_request.decisions[:_MAX_EVENTS]],
        "body": _shortened(refused_request.raw),
    }


def _request(batch: Batch) -> Json:
    return {
        "path": f"/appmonitors/{batch.app_monitor_id}",
        "received_at": batch.received_at,
        "signed": batch.signed,
        "body_bytes": batch.body_bytes,
        "events": len(batch.raw.get("RumEvents", ())),
        "decisions": Counter(decision.outcome for decision in batch.decisions),
        "headers": dict(batch.headers),
        "body": _shortened(batch.raw),
    }


def _shortened(body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("RumEvents"), list):
        return {**body, "RumEvents": body["RumEvents"][:_MAX_EVENTS]}
    return body
