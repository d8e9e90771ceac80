"""One export request as a queue or an object store keeps it: encoding, compression and signal are in its content."""

from __future__ import annotations

from . import inflate, zstd
from .json import decode_json
from .model import MAX_RECORDS, DecodeResult, OtlpError
from .proto_wire import WireError, signal_in
from .protobuf import decode_protobuf

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message after decompression: what OTLP recommends for a request."""

_MAGIC = {b"\x1f\x8b": "gzip"} | {bytes((0x78, level)): "deflate" for level in (0x01, 0x5E, 0x9C, 0xDA)}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def decode_message(value: bytes) -> DecodeResult:
    """Decode a message: protobuf or JSON, plain or compressed by gzip, zlib or zstd.

    An empty value is an empty request.

    Raises:
        OtlpError: if it has no record that can be read, or exceeds `MAX_MESSAGE_BYTES` or `MAX_RECORDS`.
    """
    body = _decompressed(value)
    if body.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"{"):
        try:
            return _with_records(decode_json(body, max_records=MAX_RECORDS))
        except OtlpError as error:
            # A newline is also the tag of a request's first field in protobuf.
            if not body.startswith(b"\n"):
                raise
            json_error = error
        try:
            return decode_any_protobuf(body, MAX_RECORDS)
        except OtlpError:
            raise json_error from None
    return decode_any_protobuf(body, MAX_RECORDS)


def decode_any_protobuf(body: bytes, max_records: int | None = None) -> DecodeResult:
    """Decode a protobuf body whose signal is unknown; see `signal_of`.

    Raises:
        OtlpError: if it has no record that can be read.
    """
    try:
        result = decode_protobuf(body, signal_in(body), max_records)
    except WireError as error:
        raise OtlpError(f"not OTLP in protobuf: {error}") from None
    return _with_records(result)


def _with_records(result: DecodeResult) -> DecodeResult:
    if result.failures and not result.records:
        raise OtlpError(f"neither spans nor log records: {result.failures[0]}")
    return result


def _decompressed(value: bytes) -> bytes:
    if value.startswith(zstd.MAGIC):
        return zstd.decompress(value, MAX_MESSAGE_BYTES)
    encoding = _MAGIC.get(value[:2])
    if encoding is not None:
        parts, size = [], 0
        for part in inflate.parts(value, encoding):
            parts.append(part)
            size += len(part)
            _check_size(size)
        return b"".join(parts)
    _check_size(len(value))
    return value


def _check_size(size: int) -> None:
    if size > MAX_MESSAGE_BYTES:
        raise OtlpError(f"more than {MAX_MESSAGE_BYTES} bytes")
