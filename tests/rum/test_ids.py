"""Ids for RUM: unchanged, reformatted or hashed; event ids are the same in every process."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.rum.ids import event_id, id_within_span, id_within_trace, to_uuid

A = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize("value", [A, A.upper(), "6f9619ff-8b86-d011-b42d-00cf4fc964ff"])
def test_a_uuid_is_unchanged(value: str) -> None:
    """So it joins what AWS's clients report."""
    assert value == to_uuid(value, kind="session", key=b"")


def test_32_hex_digits_get_dashes() -> None:
    """OTel's browser and Android SDKs create ids in this format."""
    assert to_uuid("0123456789ABCDEF0123456789abcdef", kind="session", key=b"") == (
        "01234567-89ab-cdef-0123-456789abcdef"
    )


@given(st.text(st.characters(codec=None), min_size=1))
def test_any_other_id_becomes_a_stable_uuid_that_depends_on_key_and_kind(value: str) -> None:
    """RUM accepts only UUIDs. Sessions, users and applications get different ones."""
    made = to_uuid(f"u{value}", kind="session", key=b"a")
    assert uuid.UUID(made).version == 8
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert made == to_uuid(f"u{value}", kind="session", key=b"a")
    assert made != to_uuid(f"u{value}", kind="user", key=b"a")
    assert made != to_uuid(f"u{value}", kind="session", key=b"b")


def test_the_same_parts_give_the_same_event_id() -> None:
    """A retry, or another process with the same span, sends the same event."""
    assert event_id("m", "t", "s", "k", "0") == event_id("m", "t", "s", "k", "0")
    assert event_id("ab", "c") != event_id("a", "bc")
    assert event_id("lone \ud800 surrogate")


@pytest.mark.parametrize("parts", [("a",), ("a", "b")])
def test_an_id_has_36_characters(parts: tuple[str, ...]) -> None:
    """RUM requires the format of UUIDs."""
    made = event_id(*parts)
    assert [len(group) for group in made.split("-")] == [8, 4, 4, 4, 12]


@given(st.sets(st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(0, 600)), min_size=2, max_size=200))
def test_ids_within_spans_differ_if_any_part_differs(places: set[tuple[int, int, int]]) -> None:
    """Also if traces and spans are numbered instead of random."""
    made = {id_within_span(f"{trace:032x}", f"{span:016x}", index) for trace, span, index in places}
    assert len(made) == len(places)
    assert all(uuid.UUID(one).version == 8 and uuid.UUID(one).variant == uuid.RFC_4122 for one in made)


def test_ids_within_a_trace_end_as_the_trace_and_differ_by_their_parts() -> None:
    """They are never those of a span, and without a trace those of their parts."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    made = [id_within_trace(trace, "m", str(number)) for number in range(300)]
    assert len(set(made)) == 300
    assert {(one[19], one[24:]) for one in made} == {("9", trace[20:])}
    assert all(uuid.UUID(one).version == 8 and uuid.UUID(one).variant == uuid.RFC_4122 for one in made)
    assert id_within_trace("", "m", "0") == event_id("m", "0")
