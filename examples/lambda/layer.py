"""Builds the layers for Lambda from wheels, for `make lambda-layer`: one zip for each architecture, in `build`.

boto3 is in the layer although the runtime has one: that one changes without notice, and this one is tested.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
PYTHON = "3.13"
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's names and those of wheels."""

GLIBC = ("manylinux2014", "manylinux_2_28", "manylinux_2_34")
"""Amazon Linux 2023, on which Python 3.13 runs, has glibc 2.34."""

MAX_BYTES = 50 * 1024 * 1024
"""Largest zip that Lambda accepts directly."""

TIME = (2020, 1, 1, 0, 0, 0)
"""Of every file, so that equal wheels make equal zips."""


def main() -> None:
    """Build both layers."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder)
        _pip("wheel", "--no-deps", "--wheel-dir", folder, str(ROOT))
        (wheel,) = wheels.glob("otel_rum_exporter-*.whl")
        for name, machine in ARCHITECTURES.items():
            target = wheels / name
            platforms = [f"--platform={glibc}_{machine}" for glibc in GLIBC]
            _pip(
                *("install", "--target", str(target), "--only-binary=:all:", "--no-compile", "--no-warn-conflicts"),
                *(*platforms, "--implementation=cp", f"--python-version={PYTHON}"),
                # pip applies conditions such as python_version to the Python that runs it.
                *(f"{wheel}[lambda]", "backports.zstd"),
            )
            archive = BUILD / f"lambda-layer-{name}.zip"
            _write(archive, target)
            size = archive.stat().st_size
            print(f"{archive.relative_to(ROOT)}: {size / 1024 / 1024:.1f} MiB")
            if size > MAX_BYTES:
                raise SystemExit(f"{archive.name} has more than {MAX_BYTES} bytes, which Lambda does not accept")


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments], check=True)


def _write(archive: Path, packages: Path) -> None:
    """Write the packages into the folder in which the runtime finds them."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(packages.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(f"python/{path.relative_to(packages).as_posix()}", TIME)
                entry.external_attr = 0o644 << 16
                file.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
