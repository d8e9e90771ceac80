"""Streams of OTLP files: one body at a time, from any offset at the end of a body."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.otlp import FileBody, OtlpError, read_bodies, stream
from tests.otlp.files import ONE_JSON_SPAN, ONE_LOG_RECORD, TWO_SPANS, framed

zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

INDENTED = ONE_JSON_SPAN.replace(b"[", b"[\n")
LINES = ONE_JSON_SPAN + b"\n" + ONE_JSON_SPAN + b"\n\n" + ONE_JSON_SPAN + b"\n"
FRAMES = framed(TWO_SPANS, ONE_LOG_RECORD, TWO_SPANS)


def _read(content: bytes, begin: int = 0) -> list[FileBody]:
    return list(read_bodies(io.BytesIO(content), begin))


def _is_valid(body: FileBody) -> bool:
    try:
        body.decode()
    except OtlpError:
        return False
    return True


@pytest.mark.parametrize(
    ("content", "records"),
    [
        pytest.param(LINES, [1, 1, 1], id="JSON lines"),
        pytest.param(LINES[:-1], [1, 1, 1], id="JSON lines without a final newline"),
        pytest.param(ONE_JSON_SPAN, [1], id="one body of JSON"),
        pytest.param(INDENTED, [1], id="JSON over several lines"),
        pytest.param(FRAMES, [2, 1, 2], id="frames"),
        pytest.param(TWO_SPANS, [2], id="one message"),
        pytest.param(framed(*map(zstd.compress, (TWO_SPANS, ONE_JSON_SPAN))), [2, 1], id="frames with zstd"),
    ],
)
def test_bodies_are_read_one_by_one(content: bytes, records: list[int]) -> None:
    """A reader that starts at the end of a body gets the following ones."""
    bodies = _read(content)
    assert [len(body.decode().records) for body in bodies] == records
    assert not any(body.is_truncated for body in bodies)
    for number, body in enumerate(bodies, 1):
        assert [one.content for one in _read(content, body.end)] == [one.content for one in bodies[number:]]


@given(st.integers(1, len(LINES) - 1), st.sampled_from([LINES, FRAMES]))
def test_incomplete_file_is_read_up_to_its_last_complete_body(size: int, content: bytes) -> None:
    """The truncated body is marked, and is read whole when the file is complete."""
    written_so_far = content[: size % len(content)]
    first = [body for body in _read(written_so_far) if not body.is_truncated and _is_valid(body)]
    rest = _read(content, first[-1].end if first else 0)
    assert [body.content.strip() for body in first + rest] == [body.content.strip() for body in _read(content)]


def test_invalid_or_large_zstd_frame_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit applies to the decompressed size."""
    frame = zstd.compress(b" " * 10_000)
    with pytest.raises(OtlpError, match="not zstd"):
        _read(framed(frame[:8] + b"oops" * 9))
    monkeypatch.setattr(stream, "MAX_BODY_BYTES", 1000)
    with pytest.raises(OtlpError, match="more than 1000 bytes"):
        _read(framed(frame))


def test_missing_zstd_library_is_an_error_with_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is an extra."""
    for name in ("compression", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(OtlpError, match=r"pip install 'otel-rum-exporter\[zstd\]'"):
        _read(framed(b"\x28\xb5\x2f\xfd"))


def test_large_body_is_an_error_with_its_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies before it are read."""
    monkeypatch.setattr(stream, "MAX_BODY_BYTES", len(ONE_JSON_SPAN) + 10)
    bodies = read_bodies(io.BytesIO(ONE_JSON_SPAN + b"\n" + b" " * 1000 + ONE_JSON_SPAN))
    assert next(bodies).content == ONE_JSON_SPAN + b"\n"
    with pytest.raises(OtlpError, match=f"the line at byte {len(ONE_JSON_SPAN) + 1} has more than"):
        next(bodies)
