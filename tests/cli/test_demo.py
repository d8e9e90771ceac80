"""`otel-rum demo` works from what was installed, and says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import RUN, run


def test_demo_runs_the_shop_that_was_installed(tmp_path: Path) -> None:
    """Nothing of the source tree is needed; everything arrives."""
    ended = run("demo", "--once", code=f"import os; os.chdir({str(tmp_path)!r}); {RUN}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "js_error_event" in ended.stdout
    assert "refused: 0   dropped: 0   removed: 0" in ended.stdout
    assert "Open the shop" not in ended.stdout, "it is closed by then"


@pytest.mark.parametrize("package", ["flask", "opentelemetry-distro"])
def test_a_missing_package_is_named_with_what_installs_it(package: str) -> None:
    """In one line."""
    missing = (
        "from importlib import metadata; own = metadata.version\n"
        "def version(name):\n"
        f"    if name == {package!r}: raise metadata.PackageNotFoundError(name)\n"
        "    return own(name)\n"
        f"metadata.version = version\n{RUN}"
    )
    ended = run("demo", "--once", code=missing)
    assert (ended.returncode, ended.stderr) == (
        2,
        f"otel-rum: {package} is not installed: pip install 'otel-rum-exporter[demo]'\n",
    )
