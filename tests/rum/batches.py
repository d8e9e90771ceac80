"""A batch to send."""

from __future__ import annotations

import json

from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.encoded_events import EncodedEvents
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import NIL_UUID, event_id
from tests.spans import APP_MONITOR_ID, START_NS

SESSION_ID = "11111111-1111-4111-8111-111111111111"
SHARED = json.dumps({"version": "1.0.0", "domain": "shop.example"})


def batch(*details: str, alias: str | None = None) -> Batch:
    """Return a batch of custom events."""
    events = [
        RumEvent.of(event_id(str(number)), START_NS + 123_456_000, "work", one, '{"pageId":"/"}', SHARED)
        for number, one in enumerate(details or ("{}",))
    ]
    key = BatchKey(AppMonitor(APP_MONITOR_ID, "monitor", "1.2", alias), SESSION_ID, NIL_UUID)
    return Batch(key, (EncodedEvents.of(events),))
