"""Exporters of equal settings share a pipeline, which the last of them closes."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from otel_rum_exporter.exporter import pipeline, registry
from otel_rum_exporter.exporter.registry import ExitTime, SharedPipeline
from otel_rum_exporter.ledger import DropReason
from tests.spans import make_config, make_span

TraceFunction = Callable[[FrameType, str, Any], Any]


class Client:
    """Accepts everything."""

    def put_rum_events(self, **_: Any) -> dict[str, Any]:
        return {}


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def share(client: Client, **settings: Any) -> SharedPipeline:
    """Return a share in the pipeline of these settings."""
    return SharedPipeline(make_config(max_requests_per_second=0, **settings), client)


def export(shared: SharedPipeline) -> None:
    """Export a span."""
    shared.export(lambda one: one.add_spans([make_span(attributes={"session.id": "one"})]))


def is_open(shared: SharedPipeline) -> bool:
    """Export a span, and return whether it was kept."""
    export(shared)
    return shared.flush(30.0) and not shared.ledger.dropped


def run_at_once(*targets: Any) -> None:
    """Run functions in threads that begin together."""
    barrier = threading.Barrier(len(targets))

    def run(target: Any) -> None:
        barrier.wait()
        target()

    threads = [threading.Thread(target=run, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_whose_spans_are_the_first_build_one_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """All spans are delivered by it, with the same sessions."""
    built: list[pipeline.Pipeline] = []

    class Counted(pipeline.Pipeline):
        def __init__(self, *values: Any) -> None:
            super().__init__(*values)
            built.append(self)

    monkeypatch.setattr(pipeline, "Pipeline", Counted)
    for _ in range(20):
        shared = share(Client())
        run_at_once(*[lambda shared=shared: export(shared)] * 4)
        shared.leave(30.0)
        assert (len(built), shared.ledger.delivered) == (1, 4)
        built.clear()


def test_a_share_that_is_taken_while_the_last_one_leaves_has_an_open_pipeline() -> None:
    """Never one that another thread is about to close."""
    for _ in range(50):
        client, taken = Client(), list[SharedPipeline]()
        last = share(client)
        export(last)
        run_at_once(lambda: last.leave(0.0), lambda: taken.append(share(client)))  # noqa: B023 - they run now
        assert is_open(taken[0])
        taken[0].leave(0.0)
        assert not is_open(last)


def test_the_last_of_many_shares_closes_the_pipeline() -> None:
    """Shares that come and go at the same time close none that is in use."""
    client = Client()
    first = share(client)

    def come_and_go() -> None:
        for _ in range(300):
            share(client).leave(0.0)

    run_at_once(*[come_and_go] * 4)
    assert is_open(first)
    first.leave(0.0)
    assert not is_open(first)


def test_a_share_that_left_before_the_first_span_counts_it_as_dropped() -> None:
    """A thread may be about to export while another shuts down."""
    shared = share(Client())
    shared.leave(0.0)
    assert shared.ledger.accepted == 0
    export(shared)
    assert shared.ledger.dropped == {DropReason.SHUTDOWN: 1}


def test_an_export_at_the_same_time_as_the_last_leave_is_delivered_or_counted() -> None:
    """No pipeline stays open without a share."""
    for _ in range(50):
        shared = share(Client())
        run_at_once(lambda: shared.leave(1.0), lambda: export(shared))  # noqa: B023 - they run now
        ledger = shared.ledger
        assert (ledger.accepted, ledger.stored) == (1, 0)
        assert not is_open(shared)


def test_the_ledger_is_empty_before_the_first_span_and_counts_afterwards() -> None:
    """Reading it builds nothing; there is nothing to flush either."""
    shared = share(Client())
    assert shared.ledger.accepted == 0
    assert shared.flush(0.0)
    assert is_open(shared)
    assert shared.ledger.delivered == 1
    shared.leave(0.0)


class Handler:
    """A signal handler that runs before one line of a function of the registry, in the same thread."""

    def __init__(self, function: str, line: int, handle: Callable[[], None]) -> None:
        self._function = function
        self._line = line
        self._handle = handle
        self._previous = sys.gettrace()
        self.is_done = False

    def __enter__(self) -> None:
        sys.settrace(self._enter_frame)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._previous)

    def _enter_frame(self, frame: FrameType, _event: str, _: object) -> TraceFunction | None:
        code = frame.f_code
        return self._before_line if (code.co_filename, code.co_name) == (registry.__file__, self._function) else None

    def _before_line(self, _frame: FrameType, event: str, _: object) -> TraceFunction:
        if event == "line":
            self._line -= 1
            if self._line == 0:
                self.is_done = True
                sys.settrace(None)
                self._handle()
        return self._before_line


def test_a_signal_handler_that_exports_while_the_pipeline_is_built_uses_the_same() -> None:
    """No lock keeps it out, since it runs in the thread that has the lock."""
    for line in itertools.count(1):
        client = Client()
        outer, inner = share(client), share(client)
        handler = Handler("_build", line, lambda: export(inner))  # noqa: B023 - it runs now
        with handler:
            export(outer)
        assert outer.flush(30.0)
        assert outer.pipeline is inner.pipeline
        assert outer.ledger.delivered == 1 + handler.is_done
        outer.leave(30.0)
        inner.leave(30.0)
        if not handler.is_done:
            break
    assert line > 5


@pytest.mark.parametrize("settings", [{}, {"timeout_millis": 1}], ids=["same settings", "other settings"])
def test_a_signal_handler_may_leave_while_another_share_leaves(settings: dict[str, int]) -> None:
    """Both pipelines are closed afterwards, and nothing is left in the registry."""
    for line in itertools.count(1):
        client = Client()
        one, other = share(client), share(client, **settings)
        export(one)
        export(other)
        handler = Handler("leave", line, lambda: other.leave(0.0))  # noqa: B023 - it runs now
        with handler:
            one.leave(0.0)
        if not handler.is_done:
            other.leave(0.0)
        assert not is_open(one)
        assert not is_open(other)
        if not handler.is_done:
            break
    assert line > 5


def test_exporters_share_the_time_at_exit() -> None:
    """Each gets an equal share of what is left."""
    now = 100.0
    time = ExitTime(lambda: now)
    assert time.share(10.0, 4) == 2.5
    now = 102.5
    assert time.share(10.0, 3) == 2.5
    now = 109.0
    assert time.share(10.0, 0) == 1.0
    now = 111.0
    assert time.share(10.0, 1) == 0.0
    now = 121.0
    assert time.share(10.0, 1) == 10.0, "a thread went on after the main thread, and ends much later"


def test_an_export_waits_for_delivery_but_not_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shutdown that follows waits, within a time that all exporters share."""
    shared = share(Client())
    waits: list[float] = []
    monkeypatch.setattr(shared.pipeline, "wait", waits.append)
    export(shared)
    assert waits == [10.0]
    monkeypatch.setattr(registry, "_is_at_exit", lambda: True)
    export(shared)
    assert waits == [10.0]
    assert shared.flush(30.0)
    shared.leave(30.0)
    assert shared.ledger.delivered == 2
