"""A batch has a stable id, and sends shared metadata once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.encoded_events import EncodedEvents, by_session_metadata
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id

KEY = BatchKey(AppMonitor("m", None, None, None), "s", "u")


def event(name: str = "a", own: dict[str, object] | None = None, shared: dict[str, object] | None = None) -> RumEvent:
    """Return an event with metadata."""
    shared = {"version": "1.0.0", "domain": "d"} if shared is None else shared
    return RumEvent.of(event_id(name), 1, "work", "{}", json.dumps(own or {}), json.dumps(shared))


def batch(*events: RumEvent) -> Batch:
    """Return a batch of events."""
    return Batch(KEY, tuple(EncodedEvents.of(group) for group in by_session_metadata(events)))


def own_metadata(events: bytes) -> dict[str, Any]:
    """Return the metadata of events as they are sent, by their ids."""
    return {event["id"]: json.loads(event["metadata"]) for event in json.loads(b"[%b]" % events)}


def test_the_same_events_have_the_same_batch_id() -> None:
    """Also in a retry after a restart."""
    a, b, c, d = map(event, "abcd")
    assert batch(a, b, c).id == batch(a, b, c).id
    ids = [batch(*events).id for events in ((a, b, c), (a, c), (a, b), (b, c), (c, b, a), (d, b, c), (a, b, d), (a,))]
    assert len(set(ids)) == len(ids)


OBJECTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(st.lists(st.tuples(OBJECTS, OBJECTS), min_size=1, max_size=5))
def test_merged_metadata_is_the_metadata_of_each_event(
    metadata: list[tuple[dict[str, object], dict[str, object]]],
) -> None:
    """RUM merges SessionMetadata with the metadata of each event, which takes precedence."""
    made = batch(*(event(str(number), own, shared) for number, (own, shared) in enumerate(metadata)))
    events, session = made.rum_events()
    sent, merged = own_metadata(events), own_metadata(made.merged_events())
    for number, (own, shared) in enumerate(metadata):
        assert {**json.loads(session), **sent[event_id(str(number))]} == {**shared, **own}
        assert merged[event_id(str(number))] == {**shared, **own}


def test_true_and_one_are_not_shared() -> None:
    """They are equal in Python, and different in JSON."""
    events, session = batch(event("a", shared={"x": True}), event("b", shared={"x": 1})).rum_events()
    assert session == "{}"
    assert [one["metadata"] for one in json.loads(b"[%b]" % events)] == ['{"x":true}', '{"x":1}']


def test_events_are_read_from_their_text_as_they_were() -> None:
    """For a split, and after a restart."""
    events = (event("a", {"x": "é\\n"}), event("b")._replace(record="span"), event("c")._replace(record="log"))
    encoded = EncodedEvents.of(events)
    assert encoded.events() == events
    assert EncodedEvents.decode(encoded.encode()) == encoded


def test_an_id_after_the_records_is_read_too() -> None:
    """Earlier spools have it."""
    encoded = EncodedEvents.of([event()])
    head = json.dumps([encoded.session_metadata, encoded.records, "id"])
    assert EncodedEvents.decode(head.encode() + b"\n" + encoded.json) == encoded


EVENT = event().json


@pytest.mark.parametrize(
    "content",
    [
        *(b"%b\n%b" % (head, EVENT) for head in (b'["{}"]', b'["{}","-","id",1]', b'["{}",1]', b'{"a":1,"b":2}', b"1")),
        b'"text"\n' + EVENT,
        b'["{}","-"]\n[]',
    ],
)
def test_other_content_is_unknown(content: bytes) -> None:
    """A later version may write it. It is damaged, not sent again and again."""
    with pytest.raises((TypeError, ValueError)):
        EncodedEvents.decode(content)


def test_a_single_event_is_kept_as_a_copy() -> None:
    """The memory of orjson's own texts is larger than they are."""
    one = event()
    encoded = EncodedEvents.of([one])
    assert encoded.json == one.json
    assert encoded.json is not one.json
