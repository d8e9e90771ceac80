"""OTLP to the spans and log records that the mapping reads, in either of its encodings.

Bodies are those of export requests. Only what RUM has a place for is read. A record that is malformed costs only
itself, and is reported. https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from .file import decode_file, decode_json_file
from .json import decode_json
from .model import (
    Decoded,
    DecodedEvent,
    DecodedLink,
    DecodedLogData,
    DecodedLogRecord,
    DecodedResource,
    DecodedScope,
    DecodedSpan,
    Fault,
    OtlpError,
    Signal,
    TooManyRecordsError,
)
from .protobuf import decode_protobuf
from .stream import Piece, pieces

__all__ = [
    "Decoded",
    "DecodedEvent",
    "DecodedLink",
    "DecodedLogData",
    "DecodedLogRecord",
    "DecodedResource",
    "DecodedScope",
    "DecodedSpan",
    "Fault",
    "OtlpError",
    "Piece",
    "Signal",
    "TooManyRecordsError",
    "decode_file",
    "decode_json",
    "decode_json_file",
    "decode_protobuf",
    "pieces",
]
