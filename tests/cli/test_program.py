"""`otel-rum`: help, version and missing packages."""

from __future__ import annotations

import re

import pytest

from tests.cli.program import code_without, error_line, run


def test_version_prints_name_and_version() -> None:
    """One line."""
    assert re.fullmatch(r"otel-rum, version \S+\n", run("--version").stdout)


def test_help_names_the_first_command_to_try() -> None:
    """A new user starts with the local RUM."""
    ended = run("--help")
    assert ended.returncode == 0
    assert "Start with `otel-rum local`" in ended.stdout


@pytest.mark.parametrize(("command", "extra"), [("explain", "cli"), ("gateway", "gateway"), ("demo", "demo")])
def test_command_without_click_names_its_extra(command: str, extra: str) -> None:
    """Most commands need only the extra `cli`."""
    ended = run(command, code=code_without("click"))
    assert ended.returncode == 2
    assert error_line(ended) == f"click is not installed: pip install 'otel-rum-exporter[{extra}]'"
