"""What is public, and that it is typed."""

import importlib.resources

import otel_rum_exporter
from otel_rum_exporter import local


def test_the_public_names_are_these_and_no_others() -> None:
    """Nothing becomes public by accident."""
    assert otel_rum_exporter.__all__ == [
        "ConfigError",
        "RumLogExporter",
        "RumSessionMiddleware",
        "RumSessionProcessor",
        "RumSessionWsgiMiddleware",
        "RumSpanExporter",
        "__version__",
    ]
    assert "LocalRum" in local.__all__


def test_the_package_says_that_it_is_typed() -> None:
    """PEP 561, in the installed package."""
    assert importlib.resources.files(otel_rum_exporter).joinpath("py.typed").is_file()
