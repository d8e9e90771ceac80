"""Files of OTLP: one body, or the sequence of bodies that the Collector's file exporter writes.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from .json import decode_json
from .message import decode_any_protobuf
from .model import DecodeFailure, DecodeResult, OtlpError

_LENGTH_BYTES = 4
_SEPARATORS = re.compile(r"[\s,]*")


def decode_file(content: bytes) -> DecodeResult:
    """Decode a file, and detect its encoding and signal.

    A protobuf file has one body alone, or bodies that each follow their length in four bytes.

    Raises:
        OtlpError: if no part of the file is OTLP.
    """
    if not content:
        raise OtlpError("it is empty")
    try:
        return decode_json_file(content)
    except OtlpError as error:
        json_error = error
    bodies = _framed_bodies(content) or [content]
    try:
        return _merged((f"message {number}", decode_any_protobuf, body) for number, body in enumerate(bodies, 1))
    except OtlpError as error:
        raise OtlpError(f"neither JSON ({json_error}) nor protobuf ({error})") from None


def decode_json_file(content: bytes) -> DecodeResult:
    """Decode a file of JSON that is one body, or has one on each line.

    Raises:
        OtlpError: if neither the whole file nor any line is OTLP.
    """
    try:
        return decode_json(content)
    except OtlpError as error:
        file_error = error
    lines = [(f"line {number}", decode_json, line) for number, line in enumerate(content.splitlines(), 1)]
    try:
        return _merged(line for line in lines if line[2].strip())
    except OtlpError as error:
        documents = _documents(content)
        if len(documents) > 1:
            return _merged((f"document {number}", decode_json, one) for number, one in enumerate(documents, 1))
        message = f"{file_error}; nor is it OTLP line by line: {error}" if len(lines) > 1 else str(file_error)
        raise OtlpError(message) from None


def _merged(bodies: Iterator[tuple[str, Callable[[bytes], DecodeResult], bytes]]) -> DecodeResult:
    """Return the records of several bodies, each given with its name and decoder; a body that is no OTLP is rejected.

    Raises:
        OtlpError: if no body is OTLP, with the reason of the first one.
    """
    results: list[DecodeResult] = []
    failures: list[DecodeFailure] = []
    undecoded = 0
    for name, decode, body in bodies:
        try:
            result = decode(body)
        except OtlpError as error:
            failures.append(DecodeFailure(name, f"is {error}"))
            undecoded += 1
            continue
        results.append(result)
        failures.extend(DecodeFailure(f"{name}: {failure.path}", failure.reason) for failure in result.failures)
    if not results:
        raise OtlpError(str(failures[0]) if failures else "it is empty")
    records = tuple(record for result in results for record in result.records)
    rejected = sum(result.rejected for result in results) + undecoded
    return DecodeResult(records, tuple(failures), rejected, sum(result.ignored for result in results))


def _documents(content: bytes) -> list[bytes]:
    """Return the JSON documents of a file that has several, on any number of lines; none if it has something else."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return []
    found: list[bytes] = []
    at, decoder = 0, json.JSONDecoder()
    while start := _SEPARATORS.match(text, at):
        if start.end() == len(text):
            return found
        try:
            _, at = decoder.raw_decode(text, start.end())
        except (ValueError, RecursionError):
            return []
        found.append(text[start.end() : at].encode())
    return found


def _framed_bodies(content: bytes) -> list[bytes]:
    """Return the bodies of a file in which each follows its length; none if the file has no such frames."""
    bodies, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _LENGTH_BYTES], "big")
        at += _LENGTH_BYTES
        if size > len(content) - at or not size:
            return []
        bodies.append(content[at : at + size])
        at += size
    return bodies
