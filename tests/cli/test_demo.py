"""`otel-rum demo` runs the installed shop, and names missing packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import CODE, code_without_package, error_line, run
from tests.instrumentations import only_in_children


def test_demo_runs_the_installed_shop(tmp_path: Path) -> None:
    """It needs no file of the source tree, and RUM receives all events."""
    installed = only_in_children(tmp_path, "flask", "requests")
    ended = run("demo", "--once", code=f"import os; os.chdir({str(tmp_path)!r}); {CODE}", **installed)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "js_error_event" in ended.stdout
    assert "refused: 0   dropped: 0   removed: 0" in ended.stdout
    assert "Open the shop" not in ended.stdout, "the shop has already stopped"


@pytest.mark.parametrize("package", ["flask", "opentelemetry-distro"])
def test_demo_names_a_missing_package_and_the_extra(package: str) -> None:
    """In one line."""
    ended = run("demo", "--once", code=code_without_package(package))
    assert ended.returncode == 2
    assert error_line(ended) == f"{package} is not installed: pip install 'otel-rum-exporter[demo]'"
