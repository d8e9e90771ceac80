"""Compare how two checkouts decode the same random OTLP bodies: `compare_decoding.py OLD NEW`.

Bodies in both encodings hold random telemetry. Most are then changed at random places, so that records, parts or the
whole body are malformed. Exit code 1 if a record, its resource or scope, a failure, a count or an error differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

SHOWN_DIFFERENCES, SHOWN_CHARS = 10, 200


def main() -> None:
    """Decode in both checkouts, and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bodies", type=int, default=2000)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        for result in _results(options.seed, options.bodies):
            print(result)
        return
    old, new = (_run(tree, options.seed, options.bodies) for tree in (options.old, options.new))
    different = [number for number, results in enumerate(zip(old, new, strict=True)) if results[0] != results[1]]
    for number in different[:SHOWN_DIFFERENCES]:
        pairs = enumerate(zip(old[number], new[number], strict=False))
        at = next((at for at, (first, second) in pairs if first != second), 0)
        shown = slice(max(0, at - SHOWN_CHARS), at + SHOWN_CHARS)
        print(f"body {number}\n  old: {old[number][shown]}\n  new: {new[number][shown]}")
    print(f"{len(old)} bodies compared, {len(different)} differences, {sum('!' not in one for one in old)} read whole")
    sys.exit(bool(different))


def _run(tree: Path, seed: int, bodies: int) -> list[str]:
    # This tree's benchmarks make the bodies, and the other tree decodes them.
    here = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "benchmarks.compare_decoding", "-", "-", "--child"]
    done = subprocess.run(
        [*command, "--seed", str(seed), "--bodies", str(bodies)],
        env={**os.environ, "PYTHONPATH": f"{tree.resolve() / 'src'}{os.pathsep}{here}", "PYTHONHASHSEED": "0"},
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the SDK logs each value that it cannot encode
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def _results(seed: int, count: int) -> Iterator[str]:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    from otel_rum_exporter.otlp import Signal, decode_json, decode_protobuf

    from .random_telemetry import RandomTelemetry

    made, source = RandomTelemetry(seed), random.Random(seed)
    for number in range(count):
        signal, size = Signal.LOGS if number % 4 == 3 else Signal.TRACES, range(source.choice((1, 3, 20)))
        message: Any = (
            encode_logs([made.log_record() for _ in size])
            if signal is Signal.LOGS
            else encode_spans([made.span() for _ in size])
        )
        limit = source.choice((None, 5, 100, 100_000))
        body = message.SerializeToString()
        for _ in range(source.choice((0, 1, 1, 1, 3))):
            body = _mutated(body, source)
        yield _outcome(partial(decode_protobuf, body, signal, limit))
        value = _mutated_json(_json(message), source)
        text = json.dumps(value, ensure_ascii=source.random() < 0.5).encode("utf-8", "surrogatepass")
        yield _outcome(partial(decode_json, text, source.choice((signal, None)), limit))


def _outcome(decode: Callable[[], Any]) -> str:
    try:
        result = decode()
    except ValueError as error:
        return f"! {type(error).__name__} {error}"
    failures = [f"! {failure}" for failure in result.failures]
    shared = {id(record.resource) for record in result.records}
    records = [(record, _status(record)) for record in result.records]
    text = repr((records, failures, result.rejected, result.ignored, len(shared)))
    return re.sub(r"Status object at 0x\w+", "Status", text)


def _status(record: Any) -> tuple[Any, Any] | None:
    status = getattr(record, "status", None)
    return status and (status.status_code, status.description)


def _mutated(body: bytes, source: random.Random) -> bytes:
    at, changed = source.randrange(len(body)), bytearray(body)
    kind = source.randrange(3)
    if kind == 0:
        changed[at] = source.randrange(256)
    elif kind == 1:  # the same length, so that the frames stay valid
        size = source.randrange(1, 12)
        changed[at : at + size] = changed[at : at + size][::-1]
    else:
        changed[at : at + source.randint(0, 2)] = source.randbytes(source.randint(0, 2))
    return bytes(changed)


def _json(message: Any) -> Any:
    from google.protobuf.json_format import MessageToDict

    from .gateway import _with_hex_ids

    return _with_hex_ids(MessageToDict(message, use_integers_for_enums=True))


_HOSTILE: tuple[Any, ...] = (
    *(None, True, 0, -1, 7, 1.5, 2**64, 1e300, "", "x", "12", "-3", "0x1", "1.5", "NaN", [], {}, ["a"], {"a": 1}),
    *("0" * 32, "AB" * 16, "ab" * 8, "0x" + "1" * 30, " " * 16, "_" * 16, "\ud800", "2026-11-29T10:00:00Z", [1, 2]),
    *([{}], {"stringValue": "x", "intValue": 3}, {"intValue": "x"}, {"boolValue": 1}, {"doubleValue": "Infinity"}),
    *({"bytesValue": "eA=="}, {"arrayValue": {"values": [{"stringValue": "y"}, {}]}}, {"unknown": 1}),
    {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "2"}}, {"key": "a", "value": {}}]}},
)


def _mutated_json(value: Any, source: random.Random) -> Any:
    """Return JSON of which some values are replaced, names are spelled otherwise, and members are missing or added."""
    places: list[tuple[Any, Any]] = []

    def collect(container: Any) -> None:
        for key, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
            places.append((container, key))
            if isinstance(item, (dict, list)):
                collect(item)

    collect(value)
    for _ in range(source.choice((0, 0, 1, 2, 5))):
        container, key = source.choice(places)
        if isinstance(container, list):
            if key < len(container):
                container[key] = source.choice(_HOSTILE)
        elif key in container:
            kind = source.randrange(4)
            if kind == 0:
                container[source.choice((key.upper(), "".join(f"_{c.lower()}" if c.isupper() else c for c in key)))] = (
                    container.pop(key)
                )
            elif kind == 1:
                container[source.choice(("flags", "droppedAttributesCount", "name", "key", "parentSpanId", "kind"))] = (
                    source.choice(_HOSTILE)
                )
            else:
                container[key] = source.choice(_HOSTILE)
    return value


if __name__ == "__main__":
    main()
