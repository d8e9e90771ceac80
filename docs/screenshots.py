"""Take the README's screenshots of the console, with half an hour of a shop's sessions. `make screenshots`.

An argument names another folder than docs/: `make docs-site` takes those of the site with the console of today.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import ViewportSize, sync_playwright

from otel_rum_exporter.local import LocalRum
from tests.local.http_client import post_bodies
from tests.local.web_sessions import bodies, faulty_bodies

DOCS = Path(__file__).parent
SHOTS: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", "console.png"), ("dark", "console-dark.png"))
SIZE = ViewportSize(width=1200, height=1240)
MAX_BYTES = 200 * 1024


def main(folder: Path = DOCS) -> int:
    """Take both screenshots; return the exit code."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium is not installed. To fix: install it, or set CHROMIUM to its path", file=sys.stderr)
        return 1
    now = time.time()
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with LocalRum() as rum, sync_playwright() as playwright:
        post_bodies(rum, (*bodies(now), *faulty_bodies(now)))
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for scheme, name in SHOTS:
            path = folder.resolve() / name
            context = browser.new_context(viewport=SIZE, color_scheme=scheme, device_scale_factor=2)
            page = context.new_page()
            page.goto(rum.url)
            page.wait_for_selector(".sessions li")
            path.write_bytes(small(page.screenshot()))
            print(f"{path.relative_to(Path.cwd())}: {path.stat().st_size} bytes")
        browser.close()
    return 0


def small(png: bytes) -> bytes:
    """Reduce the colours of a PNG until it fits into `MAX_BYTES`."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colors in (256, 128, 64, 32):
        out = io.BytesIO()
        image.quantize(colors, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() < MAX_BYTES:
            break
    return out.getvalue()


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
