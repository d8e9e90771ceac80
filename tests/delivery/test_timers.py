"""Timers: each name has one, the earliest."""

from __future__ import annotations

import math
from functools import partial

import pytest

from otel_rum_exporter.delivery.timers import Timers


def test_the_earlier_of_two_timers_with_one_name_is_kept() -> None:
    """With its function."""
    timers = Timers()
    calls: list[float] = []
    assert not timers
    assert (timers.due(math.inf), timers.next_seconds()) == (None, math.inf)
    for name, seconds in (("flush", 5.0), ("flush", 3.0), ("flush", 4.0), ("expire", 9.0)):
        timers.add(name, seconds, partial(calls.append, seconds))
    assert timers
    assert timers.next_seconds() == 3.0
    assert [timers.due(now) for now in (2.9, 3.0, 8.9)] == [None, "flush", "flush"]
    timers.pop("flush")()
    assert calls == [3.0]
    assert [timers.due(now) for now in (8.9, 9.0)] == [None, "expire"]
    with pytest.raises(KeyError):
        timers.pop("flush")
