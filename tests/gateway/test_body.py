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


def _unpack(body: bytes, encoding: str, max_bytes: int = 64 * MIB) -> bytes:
    return decompressed(body, encoding, max_bytes, lambda _: None)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
@given(content=CONTENTS)
def test_a_body_is_decompressed(encoding: str, pack: Callable[[bytes], bytes], content: bytes) -> None:
    """Of any length and compression ratio."""
    assert _unpack(pack(content), encoding) == content


@given(contents=st.lists(CONTENTS, min_size=1, max_size=4))
def test_several_members_are_one_body(contents: list[bytes]) -> None:
    """As streaming writers produce them."""
    assert _unpack(b"".join(map(gzip.compress, contents)), "gzip") == b"".join(contents)


def test_incompressible_content_is_decompressed_in_steps() -> None:
    """Compressed and decompressed size exceed a step."""
    content = os.urandom(3 * MIB + 5)
    assert _unpack(gzip.compress(content), "gzip") == content


@pytest.mark.parametrize("cut", [1, 5, 12, -1, -9])
def test_a_truncated_body_is_rejected(cut: int) -> None:
    """Also if only the checksum is missing."""
    with pytest.raises(RequestError, match="the body is not gzip") as raised:
        _unpack(gzip.compress(b"content " * 100)[:cut], "gzip")
    assert raised.value.reason is Reason.UNDECODABLE


def test_the_limit_applies_to_the_decompressed_size() -> None:
    """To the byte; larger content is never built."""
    assert len(_unpack(gzip.compress(b"x" * MIB), "gzip", MIB)) == MIB
    taken: list[int] = []
    with pytest.raises(RequestError) as raised:
        decompressed(gzip.compress(b"x" * 50 * MIB), "gzip", MIB, taken.append)
    assert raised.value.reason is Reason.TOO_LARGE
    assert sum(taken) <= MIB


def test_all_bodies_share_one_budget() -> None:
    """Released bytes are available to others."""
    budget = Budget(10)
    with budget.hold() as first:
        first(6)
        with budget.hold() as second, pytest.raises(RequestError):
            second(5)
        assert budget.reserved_bytes == 6
    with budget.hold() as third:
        third(10)
    assert budget.reserved_bytes == 0
