"""Chromium for the tests of the console; CHROMIUM sets its path. Screenshots go to `artifacts/`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
ARTIFACTS = Path(__file__).parents[3] / "artifacts"

needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="Chromium is not installed: apt-get install chromium, or set CHROMIUM"
)

Open = Callable[..., Page]
expect.set_options(timeout=30_000)  # only a failing test waits so long
