"""Options, the target, and the report by requirement."""

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
    """Add options for the address and the limits of the server."""
    group = parser.getgroup("OTLP conformance")
    group.addoption("--url", help="base URL of OTLP over HTTP, such as http://127.0.0.1:4318")
    group.addoption("--grpc", help="host:port of OTLP over gRPC")
    group.addoption("--header", action="append", default=[], help="'Name: value', sent with each request")
    group.addoption("--max-body-bytes", type=int, default=64 * 1024 * 1024, help="the server's limit of a request")
    group.addoption("--origin", help="an origin that browsers may send from")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "requirement(id, level, rule): what a test requires of OTLP receivers")


@pytest.fixture(scope="module")
def target(request: pytest.FixtureRequest, no_leaks_of_module: None) -> Iterator[Target]:
    """Return the server of the option --url, else this project's gateway, served for the tests."""
    option = request.config.getoption
    url = option("--url", default=None)
    if url is None:
        from own_gateway import own_gateway

        with own_gateway() as served:
            yield served
        return
    headers = dict(line.split(": ", 1) for line in option("--header"))
    yield Target(url.rstrip("/"), option("--grpc"), headers, option("--max-body-bytes"), option("--origin"))


@pytest.fixture(autouse=True)
def expect_deviations(request: pytest.FixtureRequest) -> None:
    """Expect the tests of a requirement to fail if the target deliberately deviates from it; fail if they pass."""
    marker = request.node.get_closest_marker("requirement")
    if marker is None or "target" not in request.fixturenames:
        return
    served: Target = request.getfixturevalue("target")
    reason = served.deviations.get(marker.args[0])
    if reason is not None:
        request.applymarker(pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True))


@pytest.fixture(params=sorted(PATHS))
def signal(request: pytest.FixtureRequest) -> str:
    """Return each signal."""
    return str(request.param)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add a test's requirement to its report."""
    outcome: Any = yield
    report = outcome.get_result()
    marker = item.get_closest_marker("requirement")
    if marker is not None:
        report.requirement = marker.args
        report.target_url = getattr(getattr(item, "funcargs", {}).get("target"), "url", "")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the worst outcome of the tests of each requirement."""
    outcomes: dict[tuple[str, ...], str] = {}
    url = ""
    for outcome in _WORST_FIRST:
        for report in terminalreporter.stats.get(outcome, []):
            requirement = getattr(report, "requirement", None)
            if requirement is not None:
                outcomes.setdefault(requirement, outcome if outcome in {"passed", "skipped"} else "FAILED")
                url = report.target_url or url
    if not outcomes or not terminalreporter.config.getoption("--url", default=None):
        return
    terminalreporter.section(f"OTLP conformance of {url}")
    for (name, level, rule), outcome in sorted(outcomes.items(), key=lambda item: _order(item[0])):
        terminalreporter.write_line(f"  {name:4} {level:7} {outcome:8} {rule}")


def _order(requirement: tuple[str, ...]) -> tuple[str, int, str]:
    return requirement[0][0], int("".join(filter(str.isdigit, requirement[0])) or 0), requirement[0]
