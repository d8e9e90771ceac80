"""Session sampling depends on the session id alone."""

from __future__ import annotations

import subprocess
import sys
import uuid

from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.mapping.sampling import is_sampled

RATES = st.floats(0, 1)


@given(st.text(st.characters(codec=None)), RATES, RATES)
def test_a_higher_rate_only_adds_sessions(session_id: str, one: float, other: float) -> None:
    """A session that was sent is sent at a higher rate too."""
    low, high = sorted((one, other))
    assert is_sampled(session_id, high) or not is_sampled(session_id, low)


@given(st.text(st.characters(codec=None)))
def test_rate_one_sends_all_sessions_and_rate_zero_none(session_id: str) -> None:
    """Also ids that are not UUIDs."""
    assert is_sampled(session_id, 1.0)
    assert not is_sampled(session_id, 0.0)


def test_the_share_of_sessions_is_the_rate() -> None:
    """Within 1 %, for 20,000 sessions."""
    ids = [str(uuid.UUID(int=number)) for number in range(20_000)]
    for rate in (0.01, 0.1, 0.5, 0.9):
        assert abs(sum(is_sampled(session_id, rate) for session_id in ids) / len(ids) - rate) < 0.01


def test_all_processes_agree() -> None:
    """The decision does not depend on Python's hash seed, and does not change between releases."""
    code = (
        "from otel_rum_exporter.mapping.sampling import is_sampled; print([is_sampled(str(n), 0.5) for n in range(64)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**_environment(), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert [number for number in range(12) if is_sampled(str(number), 0.5)] == [0, 3, 4, 6, 8, 9, 10]


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}
