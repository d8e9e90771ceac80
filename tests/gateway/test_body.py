"""Compressed bodies within their limits."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.gateway.body import Budget, decompressed
from otel_rum_exporter.gateway.error_response import Reason, RequestError

MIB = 1024 * 1024
CONTENTS = st.binary(max_size=200) | st.integers(0, 3 * MIB).map(lambda size: b"x" * size)


def _decompress(body: bytes, encoding: str, max_bytes: int = 64 * MIB) -> bytes:
    return decompressed(body, encoding, max_bytes, lambda _: None)


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
@given(content=CONTENTS)
def test_a_body_is_decompressed(encoding: str, compress: Callable[[bytes], bytes], content: bytes) -> None:
    """Content may have any length and compression ratio."""
    assert _decompress(compress(content), encoding) == content


@given(contents=st.lists(CONTENTS, min_size=1, max_size=4))
def test_several_members_are_one_body(contents: list[bytes]) -> None:
    """Streaming writers produce several gzip members."""
    assert _decompress(b"".join(map(gzip.compress, contents)), "gzip") == b"".join(contents)


def test_incompressible_content_is_decompressed_in_steps() -> None:
    """The compressed and the decompressed size exceed one step."""
    content = os.urandom(3 * MIB + 5)
    assert _decompress(gzip.compress(content), "gzip") == content


@pytest.mark.parametrize("cut", [1, 5, 12, -1, -9])
def test_a_truncated_body_is_rejected(cut: int) -> None:
    """Even if only the checksum is missing."""
    with pytest.raises(RequestError, match="the body is not gzip") as raised:
        _decompress(gzip.compress(b"content " * 100)[:cut], "gzip")
    assert raised.value.reason is Reason.UNDECODABLE


def test_the_limit_applies_to_the_decompressed_size() -> None:
    """A body of exactly the limit is accepted. A larger one is never built in memory."""
    assert len(_decompress(gzip.compress(b"x" * MIB), "gzip", MIB)) == MIB
    reserved: list[int] = []
    with pytest.raises(RequestError) as raised:
        decompressed(gzip.compress(b"x" * 50 * MIB), "gzip", MIB, reserved.append)
    assert raised.value.reason is Reason.TOO_LARGE
    assert sum(reserved) <= MIB


def test_all_bodies_share_one_budget() -> None:
    """Bytes are available again at the end of a reservation. An address has half of them."""
    budget = Budget(10)
    with budget.reservation("192.0.2.1") as first, budget.reservation("192.0.2.1") as second:
        first(3)
        second(2)
        with pytest.raises(RequestError, match="from this address"):
            second(1)
        with budget.reservation("192.0.2.2") as other, budget.reservation(None) as unlimited:
            other(1)
            with pytest.raises(RequestError):
                unlimited(5)
            unlimited(4)
        assert budget.reserved_bytes == 5
    with budget.reservation("192.0.2.1") as third:
        third(5)
    assert budget.reserved_bytes == 0
    assert not budget._of_addresses


# A deflate block with Huffman codes of its own and no content, eight times. It takes longer to read than content.
_EMPTY_BLOCKS = bytes.fromhex(
    "04c081000000000090ff6b100007020000000040feaf41001c080000000000f9bf060170200000000000e4ff1a"
    "04c081000000000090ff6b100007020000000040feaf41001c080000000000f9bf060170200000000000e4ff1a"
)


def _deflate_of_empty_blocks(size: int) -> bytes:
    return zlib.compress(b"")[:2] + _EMPTY_BLOCKS * (size // len(_EMPTY_BLOCKS)) + b"\x03\0" + b"\0\0\0\1"


def test_the_empty_blocks_of_the_tests_are_valid() -> None:
    """Few of them are accepted."""
    assert _decompress(_deflate_of_empty_blocks(9000), "deflate") == b""


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"") * 30_000),
        ("gzip", gzip.compress(b"x") * 30_000),
        ("gzip", gzip.compress(bytes(MIB)) + gzip.compress(b"") * 30_000),
        ("deflate", _deflate_of_empty_blocks(MIB)),
        ("deflate", zlib.compress(b"")[:2] + b"\0\0\0\xff\xff" * 200_000 + b"\x03\0" + b"\0\0\0\1"),
    ],
)
def test_work_without_content_is_rejected(encoding: str, body: bytes) -> None:
    """Empty members and blocks take processor time that no limit of the content counts."""
    with pytest.raises(RequestError, match="too much work") as raised:
        _decompress(body, encoding)
    assert raised.value.reason is Reason.UNDECODABLE


def test_members_with_content_are_not_limited() -> None:
    """As block compressors write them, also if the content cannot be compressed."""
    content = os.urandom(1000)
    assert _decompress(gzip.compress(content) * 3000, "gzip") == content * 3000


def test_processor_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content may be made of small blocks, each as slow to read as a large one."""
    monkeypatch.setattr("otel_rum_exporter.gateway.body.MAX_CPU_SECONDS", -1.0)
    with pytest.raises(RequestError, match="too much work"):
        _decompress(gzip.compress(b"content"), "gzip")
