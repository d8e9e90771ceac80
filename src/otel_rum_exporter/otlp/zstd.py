"""Zstandard, a compression of the Collector's file exporter: in the standard library since 3.14, else an extra."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from .model import OtlpError

MAGIC = b"\x28\xb5\x2f\xfd"


def decompress(content: bytes, max_bytes: int) -> bytes:
    """Decompress one frame.

    Raises:
        OtlpError: if it is not one whole frame, has more than `max_bytes`, or no library is installed.
    """
    zstd = _library()
    try:
        decompressor = zstd.ZstdDecompressor()
        plain: bytes = decompressor.decompress(content, max_bytes + 1)
    except zstd.ZstdError as error:
        raise OtlpError(f"not zstd: {error}") from error
    if len(plain) > max_bytes:
        raise OtlpError(f"more than {max_bytes} bytes after decompression")
    if not decompressor.eof or decompressor.unused_data:
        raise OtlpError("not one zstd frame: it is truncated" if not decompressor.eof else "more than one zstd frame")
    return plain


def _library() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    raise OtlpError("compressed by zstd: pip install 'otel-rum-exporter[zstd]'")
