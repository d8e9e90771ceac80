"""AWS's browser client, bundled as its users do: RUM_WEB_CLIENT is a folder with `aws-rum-web` and `esbuild`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FOLDER = os.environ.get("RUM_WEB_CLIENT")


def bundled(made: Path) -> bytes:
    """Bundle the client into a file, and return its content. A page then has it as `AwsRum`."""
    folder = Path(FOLDER or "")
    entry = "import {AwsRum} from 'aws-rum-web'; window.AwsRum = AwsRum;"
    esbuild = [str(folder / "node_modules/.bin/esbuild"), "--bundle", "--format=iife", f"--outfile={made}"]
    subprocess.run([*esbuild, "--log-level=warning"], input=entry, text=True, check=True, cwd=folder, timeout=60)
    return made.read_bytes()
