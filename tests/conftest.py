"""A real data plane to send to, and exporters that send to it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator
from functools import cache
from typing import Any

import botocore.session
import hypothesis
import pytest

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.local import LocalRum
from tests.leaks import no_leaks
from tests.spans import APP_MONITOR_ID

# Until `pytest_runtestloop`: nothing of the imports and of the collection becomes garbage, and each pass over
# their many objects takes time.
gc.disable()

hypothesis.settings.register_profile(
    "project",
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "50")),
    deadline=None,  # timing never decides a test
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("project")

# Each exporter makes a botocore session of its own, and reading AWS's data files takes most of the time for it.
botocore.session.create_loader = cache(botocore.session.create_loader)

# A shell that starts this in the background lets it ignore Ctrl-C, and so would the processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return three workers per core: many tests wait for processes and pauses, which takes no processor."""
    return 3 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each worker import the test modules in another order.

    To compile them takes three times as long as the rest of the collection. In the same order, all workers compile the
    same module at the same time. In another order, most of them find it compiled by the first.
    """
    report = yield
    worker = getattr(collector.config, "workerinput", None)
    if worker and isinstance(collector, pytest.Directory) and report.passed:
        number = int(worker["workerid"].removeprefix("gw"))
        first = len(report.result) * number // worker["workercount"]
        report.result = report.result[first:] + report.result[:first]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all workers the same order of tests, before pytest-randomly changes it."""
    items.sort(key=lambda item: item.path)  # a stable sort: the tests of a module stay in order


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Exempt what collection made from garbage collection, which takes 0.3 s for it, and often happens in a test."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def no_leaks_of_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves something open; it is the first of its fixtures, so the others have ended."""
    if "no_leaks_of_module" in request.fixturenames:
        yield
    else:
        with no_leaks():
            yield


@pytest.fixture(scope="module")
def no_leaks_of_module() -> Iterator[None]:
    """Fail a module that leaves something open. A fixture that tests share requests this first.

    It cannot be traced to one test: the shared server may open connections and threads in any of them.
    """
    with no_leaks():
        yield


@pytest.fixture
def rum() -> Iterator[LocalRum]:
    """Serve a data plane."""
    with LocalRum() as local:
        yield local


@pytest.fixture
def exporter(rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RumSpanExporter]]:
    """Make exporters that send to `rum`, and shut them down; sessions that tests name are not started."""
    for name in [name for name in os.environ if name.startswith(("OTEL_", "AWS_"))]:
        monkeypatch.delenv(name)
    made: list[RumSpanExporter] = []

    def make(**settings: Any) -> RumSpanExporter:
        settings = {"endpoint": rum.url, "signing": "none", "session_start": "minted", **settings}
        settings.setdefault("app_monitor_id", APP_MONITOR_ID)
        made.append(RumSpanExporter(**settings))
        return made[-1]

    yield make
    for one in made:
        one.shutdown(1000)
