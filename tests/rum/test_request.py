"""The finished body is the body that boto3 would create from the parameters."""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore
import pytest
from botocore.config import Config as BotoConfig

from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.encoded_events import EncodedEvents, by_session_metadata
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id
from otel_rum_exporter.rum.request import body, parameters
from tests.spans import APP_MONITOR_ID, START_NS

SESSION_ID = "11111111-1111-4111-8111-111111111111"
USER_ID = "22222222-2222-4222-8222-222222222222"


def batch(*, alias: str | None, version: str | None) -> Batch:
    """Return a batch of two events with all kinds of text."""
    key = BatchKey(AppMonitor(APP_MONITOR_ID, "monitor", version, alias), SESSION_ID, USER_ID)
    events = [
        RumEvent.of(
            event_id(name), START_NS + 123_456_789, name, json.dumps({"text": 'é"\\'}), '{"pageId":"/"}', shared
        )
        for name, shared in (("one", '{"domain":"a","version":"1.0.0"}'), ("two", '{"domain":"b","version":"1.0.0"}'))
    ]
    return Batch(key, tuple(EncodedEvents.of(group) for group in by_session_metadata(events)))


@pytest.mark.parametrize(("alias", "version"), [("front", "1.2"), (None, None)])
def test_the_finished_body_equals_the_body_of_boto3(alias: str | None, version: str | None) -> None:
    """Each member, and times to the microsecond."""
    client = boto3.session.Session(region_name="us-east-1").client(
        "rum", config=BotoConfig(signature_version=botocore.UNSIGNED)
    )
    members = client.meta.service_model.operation_model("PutRumEvents").input_shape.members
    if "SessionMetadata" not in members:
        pytest.skip("this botocore does not know SessionMetadata")
    made: list[Any] = []

    def intercept(request: Any, **_: Any) -> Any:
        made.append(request)
        raise InterruptedError

    client.meta.events.register("before-send.rum.PutRumEvents", intercept)
    sent = batch(alias=alias, version=version)
    with pytest.raises(InterruptedError):
        client.put_rum_events(**parameters(sent, has_session_metadata=True))
    theirs, ours = json.loads(made[0].body), json.loads(body(sent))
    assert theirs.keys() == ours.keys()
    for mine, its in zip(ours.pop("RumEvents"), theirs.pop("RumEvents"), strict=True):
        assert mine.pop("timestamp") == pytest.approx(its.pop("timestamp"), abs=1e-6)
        assert mine == its
    assert theirs == ours


def test_shared_metadata_is_sent_once() -> None:
    """Other metadata is sent with each event."""
    made = json.loads(body(batch(alias=None, version=None)))
    assert json.loads(made["SessionMetadata"]) == {"version": "1.0.0"}
    assert [json.loads(event["metadata"])["domain"] for event in made["RumEvents"]] == ["a", "b"]
    assert [event["timestamp"] for event in made["RumEvents"]] == [START_NS / 1e9 + 0.123456] * 2
