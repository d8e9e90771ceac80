"""Exporters of equal settings share a pipeline."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from otel_rum_exporter.exporter import registry
from otel_rum_exporter.exporter.pipeline import Pipeline
from otel_rum_exporter.exporter.registry import SharedPipeline
from tests.spans import make_config


class Client:
    """Takes everything."""

    def put_rum_events(self, **_: Any) -> dict[str, Any]:
        return {}


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_who_comes_as_the_last_one_leaves_has_a_pipeline_that_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never one that somebody is about to close."""
    client, came = Client(), []
    coming = threading.Thread(target=lambda: came.append(SharedPipeline(make_config(), client)))

    class Shares(set[SharedPipeline]):
        """Somebody comes, or tries to, while the last one looks whether anybody is left."""

        def copy(self) -> set[SharedPipeline]:
            left = super().copy()
            coming.start()
            coming.join(0.2)
            return left

    monkeypatch.setattr(registry, "_shares", Shares())
    SharedPipeline(make_config(), client).leave(0.0)
    coming.join()
    monkeypatch.setattr(registry, "_shares", set(came))
    assert not came[0].pipeline._is_closed
    came[0].leave(0.0)


def test_a_signal_handler_that_exports_as_the_pipeline_is_made_uses_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in the midst of the same thread's work, which no lock keeps out."""
    client, is_first = Client(), iter([True])
    inner: list[SharedPipeline] = []

    def making(*given: Any) -> Pipeline:
        if next(is_first, False):
            inner.append(SharedPipeline(make_config(), client))
        return Pipeline(*given)

    monkeypatch.setattr(registry, "Pipeline", making)
    outer = SharedPipeline(make_config(), client)
    assert outer.pipeline is inner[0].pipeline
    outer.leave(0.0)
    inner[0].leave(0.0)


def test_a_signal_handler_may_leave_in_the_midst_of_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks whether others are left does not stumble over one who goes."""
    client = Client()
    one, other = SharedPipeline(make_config(), client), SharedPipeline(make_config(timeout_millis=1), client)
    first_comparison = iter([True])

    class Key(tuple[Any, ...]):
        __slots__ = ()

        def __ne__(self, key: object) -> bool:
            if next(first_comparison, False):
                other.leave(0.0)
            return True

    monkeypatch.setattr(other, "_key", Key(other._key))
    one.leave(0.0)
    assert one.pipeline._is_closed
    assert other.pipeline._is_closed


def test_those_who_come_and_go_at_the_same_time_close_nobodys_pipeline() -> None:
    """The last to leave does, and only that one."""
    client = Client()
    first = SharedPipeline(make_config(), client)

    def come_and_go() -> None:
        for _ in range(300):
            SharedPipeline(make_config(), client).leave(0.0)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not first.pipeline._is_closed
    first.leave(0.0)
    assert first.pipeline._is_closed
