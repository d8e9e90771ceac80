"""The view of the request that an event came in, and of its earlier tries."""

from __future__ import annotations

from ..record import Batch
from .field import Json
from .received import Received
from .scope import Scope

_MAX_TRIES = 20
_MAX_EVENTS = 100


def request_story(received: Received, scope: Scope) -> Json | None:
    """Tell the requests whose BatchId is the `batch` of the query; None when there is none."""
    asked = scope.query.get("batch", "")
    batches = [batch for batch in received.batches if batch.batch_id == asked][-_MAX_TRIES:]
    if not batches:
        return None
    tries = [one for one in received.requests if one.batch_id == asked][-_MAX_TRIES:]
    return {
        "answers": [{"status": one.status, "received_at": one.received_at} for one in tries],
        "requests": [_request(batch) for batch in batches],
    }


def _request(batch: Batch) -> Json:
    sent = batch.raw.get("RumEvents", ())
    return {
        "path": f"/appmonitors/{batch.app_monitor_id}",
        "received_at": batch.received_at,
        "signed": batch.signed,
        "body_bytes": batch.body_bytes,
        "events": len(sent),
        "headers": dict(batch.headers),
        "body": {**batch.raw, "RumEvents": sent[:_MAX_EVENTS]},
    }
