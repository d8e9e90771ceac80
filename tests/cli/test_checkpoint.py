"""A checkpoint stores how much of one file is sent to one destination."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from otel_rum_exporter.cli.checkpoint import HEAD_BYTES, Checkpoint

CONTENT = b"first\n" * 2000


def checkpoint(directory: Path, content: bytes = CONTENT, destination: str = "one", name: str = "a.json") -> Checkpoint:
    """Read the checkpoint of a file."""
    return Checkpoint(directory / "state", directory / name, io.BytesIO(content), destination)


@pytest.mark.parametrize("offset", [6, HEAD_BYTES + 10, len(CONTENT)])
def test_checkpoint_of_a_file_that_grows_keeps_its_offset(tmp_path: Path, offset: int) -> None:
    """Even if the file was shorter than the head that is compared."""
    checkpoint(tmp_path, CONTENT[:offset]).save(offset)
    assert checkpoint(tmp_path, CONTENT[:offset]).offset == offset
    assert checkpoint(tmp_path, CONTENT + b"more").offset == offset


@pytest.mark.parametrize(
    "other",
    [
        {"content": b"other\n" * 2000},
        {"content": CONTENT[:100]},
        {"content": b""},
        {"destination": "another"},
        {"name": "b.json"},
    ],
)
def test_checkpoint_of_another_file_or_destination_starts_at_0(tmp_path: Path, other: dict[str, bytes]) -> None:
    """A rotated or truncated file counts as another one."""
    checkpoint(tmp_path).save(6000)
    assert checkpoint(tmp_path, **other).offset == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"offset": "x", "head": 1}', '{"offset": -5, "head": ""}', "\x00"]
)
def test_damaged_checkpoint_starts_at_0(tmp_path: Path, content: str) -> None:
    """The file is sent again, with the same ids."""
    checkpoint(tmp_path).save(6)
    (path,) = (tmp_path / "state").iterdir()
    path.write_text(content)
    assert checkpoint(tmp_path).offset == 0


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="file names are Unicode")
def test_checkpoint_of_a_name_that_is_not_utf_8_keeps_its_offset(tmp_path: Path) -> None:
    """Linux allows any bytes in names."""
    checkpoint(tmp_path, name="\udcff.json").save(6)
    assert checkpoint(tmp_path, name="\udcff.json").offset == 6


def test_checkpoint_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    """It contains the name of the file."""
    checkpoint(tmp_path).save(6)
    (path,) = (tmp_path / "state").iterdir()
    assert (path.stat().st_mode & 0o077, path.parent.stat().st_mode & 0o077) == (0, 0)
