"""Children wait for their parents, each as long as its first sibling."""

import pytest

from otel_rum_exporter.mapping import pending as module
from otel_rum_exporter.mapping.pending import MAX_PENDING_NS, PendingSpans
from otel_rum_exporter.mapping.record_view import SpanKey

MOTHER: SpanKey = b"mother"
AUNT: SpanKey = b"aunt"


@pytest.fixture
def pending() -> PendingSpans[str]:
    """Make three pending children of two parents."""
    pending: PendingSpans[str] = PendingSpans()
    pending.add(MOTHER, "first", 100, 0, key=None, is_request=False)
    pending.add(AUNT, "cousin", 200, 10, key=None, is_request=False)
    pending.add(MOTHER, "second", 300, 20, key=None, is_request=False)
    return pending


def test_a_parent_resolves_its_children_once_and_in_order(pending: PendingSpans[str]) -> None:
    """A parent without children resolves none."""
    assert (pending.count, pending.size_bytes) == (3, 600)
    assert pending.resolve(MOTHER) == ["first", "second"]
    assert pending.resolve(MOTHER) == []
    assert (pending.count, pending.size_bytes, pending.oldest) == (1, 200, AUNT)


def test_children_expire_after_their_time(pending: PendingSpans[str]) -> None:
    """The oldest first."""
    assert MAX_PENDING_NS == 30_000_000_000
    assert pending.expired(MAX_PENDING_NS - 1) is None
    assert pending.next_expiry_seconds(MAX_PENDING_NS - 500_000_000) == 0.5
    assert pending.expired(MAX_PENDING_NS) == MOTHER
    pending.resolve(MOTHER)
    assert pending.expired(MAX_PENDING_NS) is None
    assert pending.expired(MAX_PENDING_NS + 10) == AUNT
    pending.resolve(AUNT)
    assert pending.expired(10 * MAX_PENDING_NS) is None
    assert pending.next_expiry_seconds(0) is None


def test_a_resolved_span_is_no_longer_between_its_children_and_its_parent() -> None:
    """Else a later child of it would be awaited under a parent that has no children."""
    pending: PendingSpans[str] = PendingSpans()
    pending.add(MOTHER, "child", 100, 0, key=AUNT, is_request=False)
    pending.add(AUNT, "grandchild", 100, 0, key=None, is_request=False)
    assert pending.oldest == MOTHER
    assert pending.resolve(MOTHER) == ["child"]
    assert pending.oldest == AUNT


@pytest.mark.parametrize(("bound", "value"), [("MAX_PENDING", 2), ("MAX_PENDING_BYTES", 599)])
def test_the_application_with_more_than_its_share_makes_room(
    monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    """As soon as all together have too many."""
    monkeypatch.setattr(module, bound, 10 if value < 10 else 1000)
    group: dict[int, PendingSpans[str]] = {}
    for number in range(2):
        group[number] = PendingSpans(group)
    large, small = group.values()
    for number in range(8):
        large.add(b"%d" % number, "child", 100, 0, key=None, is_request=False)
    for number in range(2):
        small.add(b"%d" % number, "child", 100, 0, key=None, is_request=False)
    assert (large.expired(1), small.expired(1)) == (None, None)
    small.add(b"2", "child", 100, 0, key=None, is_request=False)
    assert (large.expired(1), small.expired(1)) == (b"0", None)


@pytest.mark.parametrize(("bound", "value"), [("MAX_PENDING", 2), ("MAX_PENDING_BYTES", 599)])
def test_children_expire_early_when_too_many_are_pending(
    pending: PendingSpans[str], monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    """Memory is bounded, whatever never ends."""
    monkeypatch.setattr(module, bound, value)
    assert pending.expired(20) == MOTHER
    pending.resolve(MOTHER)
    assert pending.expired(20) is None
