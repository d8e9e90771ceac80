"""The instrumentations that a program under `opentelemetry-instrument` loads."""

from __future__ import annotations

from importlib.metadata import entry_points


def only(*used: str) -> dict[str, str]:
    """Return the variable that switches all other instrumentations off.

    The test tools have about 40, of libraries that the program does not use. Their imports take 3 s of processor time.
    """
    installed = {point.name for point in entry_points(group="opentelemetry_instrumentor")}
    assert installed.issuperset(used), installed
    return {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(sorted(installed.difference(used)))}
