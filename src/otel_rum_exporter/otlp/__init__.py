"""Decoders of OTLP, in both of its encodings, to the spans and log records that the mapping reads.

A body is that of an export request. Fields that RUM cannot show are skipped. A malformed record is rejected and
reported without effect on the others. https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from .file import decode_file, decode_json_file
from .json import decode_json
from .message import MAX_MESSAGE_BYTES, decode_message
from .model import (
    MAX_RECORDS,
    DecodedEvent,
    DecodedLink,
    DecodedLogData,
    DecodedLogRecord,
    DecodedResource,
    DecodedScope,
    DecodedSpan,
    DecodeFailure,
    DecodeResult,
    OtlpError,
    Signal,
    TooManyRecordsError,
)
from .protobuf import decode_protobuf
from .stream import FileBody, read_bodies

__all__ = [
    "MAX_MESSAGE_BYTES",
    "MAX_RECORDS",
    "DecodeFailure",
    "DecodeResult",
    "DecodedEvent",
    "DecodedLink",
    "DecodedLogData",
    "DecodedLogRecord",
    "DecodedResource",
    "DecodedScope",
    "DecodedSpan",
    "FileBody",
    "OtlpError",
    "Signal",
    "TooManyRecordsError",
    "decode_file",
    "decode_json",
    "decode_json_file",
    "decode_message",
    "decode_protobuf",
    "read_bodies",
]
