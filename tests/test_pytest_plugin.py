"""The pytest plugin in the tests of its users: each test here runs its own pytest."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

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

    def test_another_test_has_another_stand_in(local_rum):
        assert local_rum.events == ()
"""


def test_a_users_test_asserts_on_events(pytester: pytest.Pytester) -> None:
    """The fixture needs no import, and is new for each test."""
    pytester.makepyfile(USER_TEST)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_a_failed_test_reports_what_arrived(pytester: pytest.Pytester) -> None:
    """The report shows which events were sent instead."""
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
    result.stdout.fnmatch_lines(["*- local RUM -*", "arrived: *1 x com.amazon.rum.js_error_event*; refused: nothing*"])


def test_a_missing_extra_is_one_line_where_the_fixture_is_used(pytester: pytest.Pytester) -> None:
    """Tests that do not use it pass."""
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


def test_the_plugin_costs_nothing_where_it_is_not_used(pytester: pytest.Pytester) -> None:
    """Only the plugin and the package itself are loaded, and none of their dependencies."""
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


def test_pytest_lists_the_fixture_with_its_description(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` has one line for it."""
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(
        ["local_rum*pytest_plugin.py*", "    Serve a stand-in for CloudWatch RUM, for one test*"]
    )
