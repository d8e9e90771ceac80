"""A batch as PutRumEvents has it: the members of the request, and the body that they make.

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
    shared, metadata = batch.metadata()
    events = [
        {
            "id": event.id,
            # RUM's times are in seconds; a microsecond is as much as a double holds.
            "timestamp": event.timestamp_ns // 1000 / 1_000_000,
            "type": event.type,
            "metadata": own,
            "details": event.details,
        }
        for event, own in zip(batch.events, metadata, strict=True)
    ]
    return orjson.dumps({**_head(batch), "RumEvents": events, "SessionMetadata": shared})


def parameters(batch: Batch, *, has_session_metadata: bool) -> dict[str, Any]:
    """Return the arguments of boto3's `put_rum_events`.

    Without SessionMetadata, which botocore knows from 1.44.5, each event carries all of its metadata.
    """
    shared, metadata = batch.metadata() if has_session_metadata else ("", batch.merged_metadata())
    events = [
        {
            "id": event.id,
            "timestamp": _EPOCH + timedelta(microseconds=event.timestamp_ns // 1000),
            "type": event.type,
            "metadata": own,
            "details": event.details,
        }
        for event, own in zip(batch.events, metadata, strict=True)
    ]
    request = {"Id": batch.key.app_monitor.id, **_head(batch), "RumEvents": events}
    return {**request, "SessionMetadata": shared} if has_session_metadata else request


def _head(batch: Batch) -> dict[str, Any]:
    monitor, session_id, user_id = batch.key
    details = {"id": monitor.id, "name": monitor.name, "version": monitor.version}
    head: dict[str, Any] = {
        "BatchId": batch.id,
        "AppMonitorDetails": {name: value for name, value in details.items() if value},
        "UserDetails": {"userId": user_id, "sessionId": session_id},
    }
    if monitor.alias:
        head["Alias"] = monitor.alias
    return head
