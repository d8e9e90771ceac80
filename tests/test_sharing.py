"""Exporters of equal settings share a pipeline."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from otel_rum_exporter.sharing import SharedPipeline
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
