"""Chromium for the tests of the console; CHROMIUM sets its path. SCREENSHOTS=1 leaves screenshots in `artifacts/`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
_ARTIFACTS = Path(__file__).parents[3] / "artifacts"
DESKTOP: ViewportSize = {"width": 1280, "height": 720}

needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="Chromium is not installed: apt-get install chromium, or set CHROMIUM"
)

Open = Callable[..., Page]
expect.set_options(timeout=30_000)  # only a failing test waits so long


def screenshot(page: Page, name: str) -> None:
    """Save the whole page as an image, if SCREENSHOTS is set; no test depends on it, and it takes as long as a load."""
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=_ARTIFACTS / f"{name}.png", full_page=True)
