"""Files of OTLP one body at a time, from any offset that is the end of one."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.otlp import Decoded, OtlpError, pieces, stream
from tests.otlp.test_file import JSON, LOGS, SPANS, _framed

zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

PRETTY = JSON.replace(b"[", b"[\n")
LINES = JSON + b"\n" + JSON + b"\n\n" + JSON + b"\n"
FRAMES = _framed(SPANS, LOGS, SPANS)


@pytest.mark.parametrize(
    ("content", "records"),
    [
        pytest.param(LINES, [1, 1, 1], id="JSON lines"),
        pytest.param(LINES[:-1], [1, 1, 1], id="JSON lines without an end"),
        pytest.param(JSON, [1], id="one body of JSON"),
        pytest.param(PRETTY, [1], id="JSON that is meant to be read"),
        pytest.param(FRAMES, [2, 1, 2], id="messages behind their lengths"),
        pytest.param(SPANS, [2], id="one message"),
        pytest.param(_framed(*map(zstd.compress, (SPANS, JSON))), [2, 1], id="compressed by zstd"),
    ],
)
def test_a_file_is_read_body_by_body_and_can_be_gone_on_with_behind_each(content: bytes, records: list[int]) -> None:
    """From the end of each body the same ones follow."""
    read = list(pieces(io.BytesIO(content)))
    assert [len(piece.decode().records) for piece in read] == records
    assert not any(piece.is_cut for piece in read)
    for number, piece in enumerate(read, 1):
        assert [one.content for one in pieces(io.BytesIO(content), piece.end)] == [one.content for one in read[number:]]


@given(st.integers(1, len(LINES) - 1), st.sampled_from([LINES, FRAMES]))
def test_what_is_still_being_written_is_read_as_far_as_it_is_there(size: int, content: bytes) -> None:
    """A body that is cut is marked, and comes whole once it is complete."""
    cut = content[: size % len(content)]
    read = [piece for piece in pieces(io.BytesIO(cut)) if not piece.is_cut and _is_sound(piece)]
    end = read[-1].end if read else 0
    rest = list(pieces(io.BytesIO(content), end))
    whole = list(pieces(io.BytesIO(content)))
    assert [piece.content.strip() for piece in read + rest] == [piece.content.strip() for piece in whole]


def _is_sound(piece: stream.Piece) -> bool:
    try:
        return isinstance(piece.decode(), Decoded)
    except OtlpError:
        return False


def test_what_zstd_cannot_read_or_makes_too_much_of_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that is damaged, and one that says much with little."""
    frame = zstd.compress(b" " * 10_000)
    with pytest.raises(OtlpError, match="not zstd"):
        list(pieces(io.BytesIO(_framed(frame[:8] + b"oops" * 9))))
    monkeypatch.setattr(stream, "MAX_BODY_BYTES", 1000)
    with pytest.raises(OtlpError, match="more than 1000 bytes"):
        list(pieces(io.BytesIO(_framed(frame))))


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra of its own."""
    for name in ("compression", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(OtlpError, match=r"pip install 'otel-rum-exporter\[zstd\]'"):
        list(pieces(io.BytesIO(_framed(b"\x28\xb5\x2f\xfd"))))


def test_a_body_larger_than_any_should_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has its place."""
    monkeypatch.setattr(stream, "MAX_BODY_BYTES", len(JSON) + 10)
    with pytest.raises(OtlpError, match=f"the line at byte {len(JSON) + 1} has more than"):
        list(pieces(io.BytesIO(JSON + b"\n" + b" " * 1000 + JSON)))
