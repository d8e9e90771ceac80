"""Modules that a test executes anew, so that they read the environment and share no state with other tests."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from types import ModuleType


def execute(spec: ModuleSpec | None) -> ModuleType:
    """Execute a module without adding it to `sys.modules`."""
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
