"""The instrumentations that a program under `opentelemetry-instrument` loads."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path


def only(*used: str) -> dict[str, str]:
    """Return the variable that switches all other instrumentations off.

    The test tools have about 40, of libraries that the program does not use. Their imports take 3 s of processor time.
    """
    installed = {point.name for point in entry_points(group="opentelemetry_instrumentor")}
    assert installed.issuperset(used), installed
    return {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(sorted(installed.difference(used)))}


def only_in_children(folder: Path, *used: str) -> dict[str, str]:
    """Return the variable that does the same in programs that remove OpenTelemetry's variables for their children."""
    (folder / "sitecustomize.py").write_text(f"import os\nos.environ.update({only(*used)!r})\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}
