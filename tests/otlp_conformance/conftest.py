"""Options, the target, and the report by duty."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from target import PATHS, Target

_WORST_FIRST = ("failed", "error", "skipped", "passed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which server, and what is known of it."""
    group = parser.getgroup("OTLP conformance")
    group.addoption("--url", help="base URL of OTLP over HTTP, such as http://127.0.0.1:4318")
    group.addoption("--grpc", help="host:port of OTLP over gRPC")
    group.addoption("--header", action="append", default=[], help="'Name: value', sent with each request")
    group.addoption("--max-body-bytes", type=int, default=64 * 1024 * 1024, help="the server's limit of a request")
    group.addoption("--origin", help="an origin that browsers may send from")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line("markers", "duty(id, level, rule): the duty of an OTLP receiver that a test is for")


@pytest.fixture(scope="module")
def target(request: pytest.FixtureRequest, no_leaks_of_module: None) -> Iterator[Target]:
    """Return the server named on the command line, else this project's own, served for the tests."""
    option = request.config.getoption
    url = option("--url", default=None)
    if url is None:
        from own import own_target

        with own_target() as served:
            yield served
        return
    headers = dict(line.split(": ", 1) for line in option("--header"))
    yield Target(url.rstrip("/"), option("--grpc"), headers, option("--max-body-bytes"), option("--origin"))


@pytest.fixture(params=sorted(PATHS))
def signal(request: pytest.FixtureRequest) -> str:
    """Return each kind of telemetry."""
    return str(request.param)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep a test's duty with its outcome."""
    outcome: Any = yield
    report = outcome.get_result()
    marker = item.get_closest_marker("duty")
    if marker is not None:
        report.duty = marker.args
        report.target_url = getattr(getattr(item, "funcargs", {}).get("target"), "url", "")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the worst outcome of each duty's tests."""
    outcomes: dict[tuple[str, ...], str] = {}
    url = ""
    for outcome in _WORST_FIRST:
        for report in terminalreporter.stats.get(outcome, []):
            duty = getattr(report, "duty", None)
            if duty is not None:
                outcomes.setdefault(duty, outcome if outcome in {"passed", "skipped"} else "FAILED")
                url = report.target_url or url
    if not outcomes or not terminalreporter.config.getoption("--url", default=None):
        return
    terminalreporter.section(f"OTLP conformance of {url}")
    for (name, level, rule), outcome in sorted(outcomes.items(), key=lambda item: _order(item[0])):
        terminalreporter.write_line(f"  {name:4} {level:7} {outcome:8} {rule}")


def _order(duty: tuple[str, ...]) -> tuple[str, int, str]:
    return duty[0][0], int("".join(filter(str.isdigit, duty[0])) or 0), duty[0]
