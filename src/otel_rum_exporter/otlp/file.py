"""OTLP files: a single body, or the sequence of bodies that the Collector's file exporter writes.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .json import decode_json
from .model import Decoded, Fault, OtlpError, Signal
from .protobuf import decode_protobuf

_LENGTH_BYTES = 4


def decode_file(content: bytes) -> Decoded:
    """Decode a file, and detect its encoding.

    Bodies of protobuf are one alone, or each behind its length in four bytes. Whether they hold spans or log records
    is found out too.

    Raises:
        OtlpError: where nothing of it is OTLP.
    """
    if not content:
        raise OtlpError("it is empty")
    try:
        return decode_json_file(content)
    except OtlpError as error:
        not_json = error
    bodies = _framed(content) or [content]
    try:
        return _joined((f"message {number}", _of_any_signal, body) for number, body in enumerate(bodies, 1))
    except OtlpError as error:
        raise OtlpError(f"neither JSON ({not_json}) nor protobuf ({error})") from None


def decode_json_file(content: bytes) -> Decoded:
    """Decode a JSON file with one body, or one body per line.

    Raises:
        OtlpError: where neither the whole nor any line of it is OTLP.
    """
    try:
        return decode_json(content)
    except OtlpError as error:
        whole = error
    lines = [(f"line {number}", decode_json, line) for number, line in enumerate(content.splitlines(), 1)]
    try:
        return _joined(one for one in lines if one[2].strip())
    except OtlpError as error:
        raise OtlpError(f"{whole}; nor is it OTLP line by line: {error}" if len(lines) > 1 else str(whole)) from None


def _joined(bodies: Iterator[tuple[str, Callable[[bytes], Decoded], bytes]]) -> Decoded:
    """Decode several named bodies; raise the error of the first if none can be decoded."""
    read: list[Decoded] = []
    faults: list[Fault] = []
    for name, decode, body in bodies:
        try:
            decoded = decode(body)
        except OtlpError as error:
            faults.append(Fault(name, f"is {error}"))
            continue
        read.append(decoded)
        faults.extend(Fault(f"{name}: {fault.path}", fault.reason) for fault in decoded.faults)
    if not read:
        raise OtlpError(str(faults[0]) if faults else "it is empty")
    records = tuple(record for decoded in read for record in decoded.records)
    return Decoded(records, tuple(faults), sum(decoded.rejected for decoded in read))


def _framed(content: bytes) -> list[bytes]:
    """Return the length-prefixed messages of a file; none if it has another format."""
    found, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _LENGTH_BYTES], "big")
        at += _LENGTH_BYTES
        if size > len(content) - at or not size:
            return []
        found.append(content[at : at + size])
        at += size
    return found


def _of_any_signal(body: bytes) -> Decoded:
    """Decode a body as the signal with more valid records."""
    spans, logs = (decode_protobuf(body, signal) for signal in (Signal.TRACES, Signal.LOGS))
    if any(one.log_record.timestamp or one.log_record.observed_timestamp for one in logs.log_records):
        return max(spans, logs, key=lambda decoded: len(decoded.records))
    if spans.records:
        return spans
    raise OtlpError("protobuf, but neither spans nor log records")
