"""Children wait for their parents, each as long as its eldest sibling."""

import pytest

from otel_rum_exporter.mapping import pending as module
from otel_rum_exporter.mapping.pending import WAIT_NS, Waiting
from otel_rum_exporter.mapping.record_view import SpanKey

MOTHER: SpanKey = ("t", "mother")
AUNT: SpanKey = ("t", "aunt")


@pytest.fixture
def waiting() -> Waiting[str]:
    """Let three children wait for two parents."""
    made: Waiting[str] = Waiting()
    made.add(MOTHER, "first", 100, 0)
    made.add(AUNT, "cousin", 200, 10)
    made.add(MOTHER, "second", 300, 20)
    return made


def test_a_parent_has_its_children_back_in_their_order(waiting: Waiting[str]) -> None:
    """Once; who never had any has none."""
    assert (waiting.count, waiting.size_bytes) == (3, 600)
    assert waiting.release(MOTHER) == ["first", "second"]
    assert waiting.release(MOTHER) == []
    assert (waiting.count, waiting.size_bytes, waiting.longest_awaited) == (1, 200, AUNT)


def test_a_wait_is_over_after_its_time(waiting: Waiting[str]) -> None:
    """The longest first."""
    assert waiting.overdue(WAIT_NS - 1) is None
    assert waiting.next_overdue_seconds(WAIT_NS - 500_000_000) == 0.5
    assert waiting.overdue(WAIT_NS) == MOTHER
    waiting.release(MOTHER)
    assert waiting.overdue(WAIT_NS) is None
    assert waiting.overdue(WAIT_NS + 10) == AUNT
    waiting.release(AUNT)
    assert waiting.overdue(10 * WAIT_NS) is None
    assert waiting.next_overdue_seconds(0) is None


@pytest.mark.parametrize(("bound", "value"), [("MAX_WAITING", 2), ("MAX_WAITING_BYTES", 599)])
def test_a_wait_is_over_when_too_many_wait(
    waiting: Waiting[str], monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    """Memory is bounded, whatever never ends."""
    monkeypatch.setattr(module, bound, value)
    assert waiting.overdue(20) == MOTHER
    waiting.release(MOTHER)
    assert waiting.overdue(20) is None
