"""How far a file was sent is remembered for that file and destination, and for no other."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from otel_rum_exporter.cli.checkpoint import HEAD_BYTES, Checkpoint

CONTENT = b"first\n" * 2000


def checkpoint(directory: Path, content: bytes = CONTENT, destination: str = "one", name: str = "a.json") -> Checkpoint:
    """Read what is remembered."""
    return Checkpoint(directory / "state", directory / name, io.BytesIO(content), destination)


def test_an_offset_is_remembered_for_a_file_that_grows(tmp_path: Path) -> None:
    """Also when it was short at first."""
    for offset in (6, HEAD_BYTES + 10, len(CONTENT)):
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
def test_another_file_or_destination_begins_at_its_start(tmp_path: Path, other: dict[str, bytes]) -> None:
    """A file that was rotated away, cut, or is to go elsewhere as well."""
    checkpoint(tmp_path).save(6000)
    assert checkpoint(tmp_path, **other).offset == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"offset": "x", "head": 1}', '{"offset": -5, "head": ""}', "\x00"]
)
def test_what_is_damaged_counts_as_not_there(tmp_path: Path, content: str) -> None:
    """The file is sent again, with the same ids."""
    checkpoint(tmp_path).save(6)
    (place,) = (tmp_path / "state").iterdir()
    place.write_text(content)
    assert checkpoint(tmp_path).offset == 0


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """It has the name of the file."""
    checkpoint(tmp_path).save(6)
    (place,) = (tmp_path / "state").iterdir()
    assert (place.stat().st_mode & 0o077, place.parent.stat().st_mode & 0o077) == (0, 0)
