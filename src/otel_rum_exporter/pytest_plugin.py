"""The pytest plugin: the fixture `local_rum`, and what it received in the report of a failed test.

pytest loads this module in every run of whoever has the package installed, so it imports nothing but pytest.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .local import LocalRum

_FIXTURE = "local_rum"


@pytest.fixture(name=_FIXTURE)
def _local_rum() -> Iterator[LocalRum]:
    """Serve a stand-in of CloudWatch RUM, for one test: send to `local_rum.url` with `signing="none"`, then assert.

    `local_rum.events("http_event")` has what arrived, `local_rum.wait_for("http_event")` waits for it, and
    `local_rum.refused`, `.dropped` and `.verdicts` tell what RUM would not show. A test that fails reports all of it.
    """
    try:
        from .local import LocalRum
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    with LocalRum() as rum:
        yield rum


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add to the report of a failed test what its stand-in received."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    rum = getattr(item, "funcargs", {}).get(_FIXTURE)
    if rum is not None and report.when == "call" and report.failed:
        report.sections.append(("local RUM", rum.summary))
