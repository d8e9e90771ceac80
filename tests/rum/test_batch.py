"""A batch has a stable id, and sends shared metadata once."""

import json

from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id

KEY = BatchKey(AppMonitor("m", None, None, None), "s", "u")


def event(name: str = "a", own: dict[str, object] | None = None, shared: dict[str, object] | None = None) -> RumEvent:
    """Return an event with metadata."""
    shared = {"version": "1.0.0", "domain": "d"} if shared is None else shared
    return RumEvent(event_id(name), 1, "work", "{}", json.dumps(own or {}), json.dumps(shared))


def test_the_same_events_have_the_same_batch_id() -> None:
    """Also in a retry after a restart."""
    assert Batch(KEY, (event("a"), event("b"))).id == Batch(KEY, (event("a"), event("b"))).id
    assert Batch(KEY, (event("a"), event("b"))).id != Batch(KEY, (event("a"),)).id


OBJECTS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(st.lists(st.tuples(OBJECTS, OBJECTS), min_size=1, max_size=5))
def test_merged_metadata_is_the_metadata_of_each_event(
    metadata: list[tuple[dict[str, object], dict[str, object]]],
) -> None:
    """RUM merges SessionMetadata with the metadata of each event, which takes precedence."""
    events = tuple(event(str(number), own, shared) for number, (own, shared) in enumerate(metadata))
    batch = Batch(KEY, events)
    session, own_metadata = batch.metadata()
    merged = batch.merged_metadata()
    for number, (own, shared) in enumerate(metadata):
        assert {**json.loads(session), **json.loads(own_metadata[number])} == {**shared, **own}
        assert json.loads(merged[number]) == {**shared, **own}


def test_true_and_one_are_not_shared() -> None:
    """They are equal in Python, and different in JSON."""
    batch = Batch(KEY, (event("a", shared={"x": True}), event("b", shared={"x": 1})))
    session, own = batch.metadata()
    assert (session, own) == ("{}", ['{"x":true}', '{"x":1}'])
