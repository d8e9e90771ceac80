"""The parameters and the JSON body of the PutRumEvents request of a batch.

https://docs.aws.amazon.com/cloudwatchrum/latest/APIReference/API_PutRumEvents.html
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from .batch import Batch

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def body(batch: Batch) -> bytes:
    """Return the JSON body of the request."""
    events, session_metadata = batch.rum_events()
    members = orjson.dumps(_common_members(batch)).removesuffix(b"}")
    return b'%b,"RumEvents":[%b],"SessionMetadata":%b}' % (members, events, orjson.dumps(session_metadata))


def parameters(batch: Batch, *, has_session_metadata: bool) -> dict[str, Any]:
    """Return the arguments of boto3's `put_rum_events`.

    botocore has SessionMetadata since 1.44.5. Without it, each event has all of its metadata.
    """
    events, shared = batch.rum_events() if has_session_metadata else (batch.merged_events(), "")
    request = {
        "Id": batch.key.app_monitor.id,
        **_common_members(batch),
        "RumEvents": [
            {**event, "timestamp": _EPOCH + timedelta(microseconds=round(event["timestamp"] * 1_000_000))}
            for event in orjson.loads(b"[%b]" % events)
        ],
    }
    return {**request, "SessionMetadata": shared} if has_session_metadata else request


def _common_members(batch: Batch) -> dict[str, Any]:
    monitor, session_id, user_id = batch.key
    details = {"id": monitor.id, "name": monitor.name, "version": monitor.version}
    members: dict[str, Any] = {
        "BatchId": batch.id,
        "AppMonitorDetails": {name: value for name, value in details.items() if value},
        "UserDetails": {"userId": user_id, "sessionId": session_id},
    }
    if monitor.alias:
        members["Alias"] = monitor.alias
    return members
