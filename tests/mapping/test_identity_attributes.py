"""The order of precedence of each identity field, and how a span's own attributes combine with its ancestor's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.trace import SpanContext

from otel_rum_exporter.mapping.caches import Caches
from otel_rum_exporter.mapping.identity import Identities, Identity, Moment
from otel_rum_exporter.mapping.identity_attributes import (
    FIELDS,
    NOTHING,
    IdentityAttributes,
    IdentityField,
    IdentityReader,
    Source,
)
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.rum.ids import NIL_UUID
from tests.spans import make_span

NOW = Moment(1_795_000_000_000_000_000, 0)
IDS = {source: f"{number}0000000-0000-4000-8000-000000000000" for number, source in enumerate(Source, 1)}
PROCESS_SESSION = IDS[Source.PROCESS]


def identity_of(attributes: Mapping[Source, Mapping[str, Any]]) -> Identity:
    """Return the identity of a span whose sources have the given attributes."""
    identities = Identities(
        IdentityReader(hash_key=b"key", has_enduser_id=False), Caches(), new_id=lambda: PROCESS_SESSION
    )
    browser = SpanContext(77, 76, is_remote=True)
    earlier = make_span("earlier", attributes.get(Source.TRACE), parent=browser)
    parent = make_span("parent", attributes.get(Source.ANCESTOR), parent=browser)
    span = make_span("span", attributes.get(Source.OWN), parent=parent, resource=attributes.get(Source.RESOURCE))
    found = [identities.assign([(SpanView.of(one), {})], NOW) for one in (earlier, parent, span)]
    ((_, _, identity),) = found[-1]
    return identity


CASES = [
    pytest.param(field, number, id=f"{field.name} of {source.value}")
    for field in FIELDS
    for number, source in enumerate(field.sources)
]


@pytest.mark.parametrize(("field", "number"), CASES)
def test_each_source_takes_precedence_over_those_after_it(field: IdentityField, number: int) -> None:
    """The documentation shows this table."""
    sources = field.sources[number:]
    if field.name == "sampling":
        for sampled in (True, False):
            stated = {source: {field.attributes[0]: sampled == (source is sources[0])} for source in sources}
            assert identity_of(stated).is_sampled is sampled
        return
    attributes: dict[Source, dict[str, Any]] = {source: {field.attributes[0]: IDS[source]} for source in sources}
    attributes.pop(Source.PROCESS, None)
    identity = identity_of(attributes)
    found = {"session": identity.session_id, "user": identity.user_id}[field.name]
    assert found == IDS[sources[0]]
    assert identity.is_minted is (Source.PROCESS in sources[:1] or field.name == "user")


def test_a_field_without_any_source_is_unknown() -> None:
    """A user is the nil UUID, and the sample rate decides on recording."""
    assert identity_of({}) == Identity(PROCESS_SESSION, NIL_UUID, {}, is_minted=True, is_sampled=None)


OWN = {"pageId": "/own", "title": "own"}
ABOVE = {"pageId": "/above", "domain": "above.example"}


@pytest.mark.parametrize(
    ("is_nested", "expected"),
    [
        (False, {"pageId": "/own", "title": "own", "domain": "above.example"}),
        (True, {"pageId": "/above", "title": "own", "domain": "above.example"}),
    ],
)
@pytest.mark.parametrize("session", [None, "own"])
def test_own_metadata_takes_precedence_unless_nested(
    session: str | None, expected: dict[str, str], *, is_nested: bool
) -> None:
    """A request that an application makes to itself is on the page that caused it, also with another session."""
    own = IdentityAttributes(session=session, metadata=OWN, is_nested=is_nested)
    completed = own.completed_by(IdentityAttributes(session="above", metadata=ABOVE))
    assert completed.metadata == expected
    assert completed.session == (session or "above")
    assert not completed.is_nested


@pytest.mark.parametrize("is_nested", [False, True])
def test_one_sided_metadata_is_shared(*, is_nested: bool) -> None:
    """Many spans are descendants of one page, and must not each hold a copy of it."""
    own = IdentityAttributes(metadata=OWN, is_nested=is_nested)
    assert own.completed_by(IdentityAttributes(session="above")).metadata is OWN
    above = IdentityAttributes(session="above", metadata=ABOVE)
    assert IdentityAttributes(user="own", is_nested=is_nested).completed_by(above).metadata is ABOVE
    assert NOTHING.completed_by(above) is above


def test_user_and_sampling_are_inherited_within_a_session_only() -> None:
    """Another session may belong to another user."""
    above = IdentityAttributes(session="above", user="ann", is_minted=True, is_sampled=False)
    assert IdentityAttributes(session="own").completed_by(above) == IdentityAttributes(session="own")
    same = IdentityAttributes(session="above")
    assert same.completed_by(above) == above
    stated = IdentityAttributes(user="bob", is_sampled=True)
    assert stated.completed_by(above) == IdentityAttributes("above", "bob", is_minted=True, is_sampled=True)


@pytest.mark.parametrize(
    ("own", "is_repeated"),
    [
        (IdentityAttributes(session="above"), True),
        (IdentityAttributes(session="above", user="ann", is_sampled=True), True),
        (IdentityAttributes(session="above", user="bob"), False),
        (IdentityAttributes(session="own"), False),
        (IdentityAttributes(session="above", metadata=OWN), False),
        (IdentityAttributes(session="above", is_minted=True), False),
        (IdentityAttributes(session="above", is_joined=True), False),
        (IdentityAttributes(session="above", is_sampled=False), False),
        (IdentityAttributes(session="above", request=b"trace and span"), False),
        (IdentityAttributes(session="above", is_nested=True), False),
    ],
)
def test_spans_that_repeat_their_ancestor_share_its_attributes(own: IdentityAttributes, *, is_repeated: bool) -> None:
    """In many applications each span states session and user."""
    above = IdentityAttributes(session="above", user="ann", is_sampled=True, metadata=ABOVE)
    assert (own.completed_by(above) is above) is is_repeated


def test_spans_with_the_same_ids_share_their_attributes_whatever_else_they_state() -> None:
    """So that after a change of the page, their identity is made once."""
    reader = IdentityReader(hash_key=b"key", has_enduser_id=False)
    ids = {"session.id": "s", "user.id": "u"}
    views = [SpanView.of(make_span(attributes={**more, **ids})) for more in ({}, {"a": 1}, {"a": 1, "b": [2]})]
    first, *others = reader.of_views([(view, {}) for view in views])
    assert all(one is first for one in others)


@pytest.mark.parametrize("value", [42, 42.0, "42"])
def test_a_number_is_an_id_in_any_encoding(value: object) -> None:
    """Applications set `user.id` to the key of a table; exporters send integers also as doubles."""
    reader = IdentityReader(hash_key=b"key", has_enduser_id=False)
    view = SpanView.of(make_span(attributes={"user.id": value, "session.id": value}))
    found = reader.of_view(view, {})
    assert (found.session, found.user) == ("42", "42")
    assert reader.of_resource(make_span(resource={"user.id": value}).resource) == (None, "42")


@pytest.mark.parametrize("value", [True, 4.5, float("nan"), float("inf"), 1e300, 2**200, "", None, [42], b"42"])
def test_other_values_are_no_ids(value: object) -> None:
    """They name nothing, or have more than one spelling."""
    reader = IdentityReader(hash_key=b"key", has_enduser_id=False)
    assert reader.of_view(SpanView.of(make_span(attributes={"user.id": value})), {}).user is None
