"""The pytest plugin: the fixture `local_rum`, and a section in the report of a failed test.

pytest loads this module in every run once the package is installed, so it imports only pytest.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .local import LocalRum

_FIXTURE = "local_rum"
_MAX_LINES = 100
"""Of events in the report of a failed test."""


@pytest.fixture(name=_FIXTURE)
def _local_rum() -> Iterator[LocalRum]:
    """Run a local CloudWatch RUM for one test. Send to `local_rum.url` with `signing="none"`.

    `local_rum.events("http_event")` returns received events, `local_rum.wait_for("http_event")` waits for them.
    `assert_rum_events(local_rum, ...)` of `otel_rum_exporter.local` compares all events with a snapshot.
    `local_rum.refused`, `.dropped` and `.decisions` show what RUM would not keep, with the reasons. The report of a
    failed test lists the events. Exporters that outlive the test drop what they have, without log lines.
    """
    try:
        from .local import LocalRum
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    with LocalRum() as rum:
        yield rum
        registry = sys.modules.get("otel_rum_exporter.exporter.registry")
        if registry is not None:
            registry.abandon(rum.url)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add a summary of the local RUM to the report of a failed test."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    rum = getattr(item, "funcargs", {}).get(_FIXTURE)
    if rum is not None and report.when == "call" and report.failed:
        from .local.snapshot import snapshot

        lines = snapshot(rum.events).splitlines()
        more = [f"… {len(lines) - _MAX_LINES} more"] if len(lines) > _MAX_LINES else []
        report.sections.append(("local RUM", "\n".join([rum.summary, *lines[:_MAX_LINES], *more])))
