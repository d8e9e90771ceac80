"""The pytest plugin: each test runs pytest on a test file of a user."""

from __future__ import annotations

from typing import Any

import pytest

from otel_rum_exporter import DropReason, RumSpanExporter
from otel_rum_exporter.exporter import registry
from otel_rum_exporter.local import LocalRum
from tests.spans import APP_MONITOR_ID, make_span

pytest_plugins = ["pytester"]

SLOW_PLUGINS = "-p no:randomly -p no:hypothesispytest -p no:xdist -p no:pytest_cov -p no:anyio"

USER_TEST = """
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from otel_rum_exporter import RumSpanExporter

    def checkout(url):
        exporter = RumSpanExporter(
            app_monitor_id="11111111-1111-4111-8111-111111111111", region="eu-west-1", endpoint=url, signing="none"
        )
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(exporter))
        try:
            with provider.get_tracer("shop").start_as_current_span("checkout"):
                raise KeyError("no such coupon")
        except KeyError:
            pass
        provider.shutdown()

    def test_a_failed_checkout_is_seen(local_rum):
        checkout(local_rum.url)
        (error,) = local_rum.wait_for("js_error_event")
        assert error.details["type"] == "KeyError"
        assert local_rum.events("com.amazon.rum.js_error_event") == local_rum.events("js_error_event")
        assert not local_rum.refused and not local_rum.dropped

    def test_fixture_is_empty_in_the_next_test(local_rum):
        assert local_rum.events == ()
"""


@pytest.fixture(autouse=True)
def _no_slow_plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load only this package's plugin by its entry point: the import of the test tools takes longer than a test."""
    monkeypatch.setenv("PYTEST_ADDOPTS", SLOW_PLUGINS)


def test_fixture_receives_events_of_one_test(pytester: pytest.Pytester) -> None:
    """The fixture needs no import, and each test gets a new one."""
    pytester.makepyfile(USER_TEST)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_failed_test_reports_the_summary(pytester: pytest.Pytester) -> None:
    """The report lists accepted events, refused requests and dropped events."""
    pytester.makepyfile(
        USER_TEST
        + """
    def test_wrong(local_rum):
        checkout(local_rum.url)
        local_rum.wait_for("js_error_event")
        assert local_rum.events("http_event")
    """
    )
    result = pytester.runpytest_subprocess("-k", "test_wrong")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- local RUM -*",
            "accepted: *1 x com.amazon.rum.js_error_event*; refused: none*",
            "js_error_event KeyError: 'no such coupon'",
        ]
    )


def test_missing_extra_fails_only_tests_that_use_the_fixture(pytester: pytest.Pytester) -> None:
    """The message is one line with the pip command."""
    pytester.makeconftest("import sys; sys.modules['uvicorn'] = None")
    pytester.makepyfile("def test_with(local_rum): pass\ndef test_without(): pass")
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(passed=1, errors=1)
    message = (
        "otel_rum_exporter.local needs the package 'uvicorn', which is not installed: *otel-rum-exporter[[]local]'"
    )
    result.stdout.fnmatch_lines([f"*{message}"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py:*")


def test_unused_plugin_imports_only_itself_and_the_package(pytester: pytest.Pytester) -> None:
    """No other module of the package and no dependency is imported."""
    pytester.makeconftest(
        """
        import sys
        def pytest_unconfigure():
            heavy = ("otel_rum_exporter", "opentelemetry", "boto3", "botocore", "uvicorn", "starlette", "jsonschema")
            print("loaded:", *sorted(name for name in sys.modules if name.split(".")[0] in heavy))
        """
    )
    pytester.makepyfile("def test_without(): pass")
    result = pytester.runpytest_subprocess()
    expected = "loaded: otel_rum_exporter otel_rum_exporter._version otel_rum_exporter.pytest_plugin"
    assert expected in result.outlines


def test_fixtures_option_shows_the_fixture(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` has its first line."""
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(["local_rum*pytest_plugin.py*", "    Run a local CloudWatch RUM for one test*"])


OUTLIVING = """
    import pytest
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from otel_rum_exporter import RumSpanExporter
    from otel_rum_exporter.local import Fault

    provider = TracerProvider()

    def test_an_application_sets_itself_up(local_rum):
        exporter = RumSpanExporter(
            app_monitor_id="11111111-1111-4111-8111-111111111111", region="eu-west-1", endpoint=local_rum.url,
            signing="none",
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
        provider.get_tracer("shop").start_span("first").end()
        provider.force_flush()
        local_rum.wait_for("first", timeout=30)
        local_rum.faults = [Fault(status=503)]
        provider.get_tracer("shop").start_span("undelivered").end()
        provider.force_flush()

    def test_it_goes_on_after_the_fixture():
        provider.get_tracer("shop").start_span("second").end()
        provider.force_flush()
"""


def test_exporters_that_outlive_the_fixture_log_no_losses(pytester: pytest.Pytester) -> None:
    """Neither while later tests run, nor at the exit of pytest."""
    pytester.makepyfile(OUTLIVING)
    result = pytester.runpytest_subprocess("-p", "no:logging", "-s")
    result.assert_outcomes(passed=2)
    printed = f"{result.stdout}{result.stderr}"
    # The test itself makes requests fail; what follows is silent.
    lines = [line for line in printed.splitlines() if "CloudWatch RUM" in line]
    assert all("PutRumEvents failed" in line and "503" in line for line in lines), lines


def test_an_exporter_of_a_later_test_with_the_same_port_delivers() -> None:
    """The system may give a later server the port of an earlier one, and an old exporter may still be there."""
    settings: dict[str, Any] = {"app_monitor_id": APP_MONITOR_ID, "region": "eu-west-1", "signing": "none"}
    with LocalRum() as first:
        port = int(first.url.rpartition(":")[2])
        old = RumSpanExporter(endpoint=first.url, **settings)
        old.export([make_span("old")])
        registry.abandon(first.url)
    with LocalRum(port=port) as second:
        new = RumSpanExporter(endpoint=second.url, **settings)
        old.export([make_span("late")])
        old.shutdown()
        again = RumSpanExporter(endpoint=second.url, **settings)
        new.export([make_span("new")])
        assert [event.type for event in second.wait_for("new", timeout=30)] == ["new"]
        assert not second.events("late")
        assert new.ledger == again.ledger, "both share a pipeline"
        new.shutdown()
        again.shutdown()
    assert old.ledger.dropped[DropReason.SHUTDOWN] >= 1
