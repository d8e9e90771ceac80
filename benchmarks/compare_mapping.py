"""Compare the events of two checkouts for the same random telemetry: `compare_mapping.py OLD NEW`.

Each checkout maps spans and log records in a process of its own, through the public exporters and a client that records
its requests. Exit code 1 if any event, its session or the ledger differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000001"
NOW_NS = 1_795_000_000_000_000_000 + 10**12


def without_numbers(name: str, value: object) -> object:
    """Return what is sent of a value: no numbers, and other values with their names."""
    return None if isinstance(value, (int, float)) else f"{name}: {value}"


CONFIGS: tuple[dict[str, Any], ...] = (
    {},
    {"http_events": "all", "xray_events": True, "page_views": "all", "enduser_id": True},
    {
        "metadata_attributes": "custom.a,custom.b,user.id",
        "url_query_parameters": "q,lang",
        "excluded_names": "skip.*,GET",
    },
    {"custom_events": "none", "page_views": "none", "http_events": "none", "session_sample_rate": 0.5},
    {"id_hash_key": "secret", "alias": "a", "domain": "d.example", "app_monitor_name": "shop"},
    {"spool_directory": "spool"},
    {"redaction": "strict", "custom_events": "all"},
    {"redaction": "off", "custom_events": "all", "http_events": "all"},
    {"redaction": without_numbers, "custom_events": "all"},
)
SHOWN_DIFFERENCES = 10


class RecordingClient:
    """A `rum` client that records requests."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def put_rum_events(self, **parameters: Any) -> dict[str, Any]:
        """Record a request, and answer success."""
        self.requests.append(parameters)
        return {}


def main() -> None:
    """Run both checkouts on each settings, and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=4000, help="spans and log records for each of the settings")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        json.dump(_mapped(CONFIGS[options.child], options.seed, options.records), sys.stdout)
        return
    counts: Counter[str] = Counter()
    differences = 0
    for number, config in enumerate(CONFIGS):
        old, new = (_run(checkout, number, options) for checkout in (options.old, options.new))
        counts.update(value["type"] for key, value in old.items() if key != "ledger")
        differing = [key for key in {**old, **new} if _text(old.get(key)) != _text(new.get(key))]
        differences += len(differing)
        print(f"{config}: {len(old) - 1} events, {len(differing)} differences")
        for key in differing[:SHOWN_DIFFERENCES]:
            print(f"  {key}\n    old {json.dumps(old.get(key))}\n    new {json.dumps(new.get(key))}")
    print(*(f"{count:6} {name}" for name, count in counts.most_common()), sep="\n")
    print(f"{counts.total()} events compared, {differences} differences")
    raise SystemExit(1 if differences else 0)


def _text(event: object) -> str:
    """Return an event as text, because 1, 1.0 and True are equal; the members of objects have no order."""
    return json.dumps(event, sort_keys=True)


def _run(checkout: Path, number: int, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "-", "-", "--child", str(number)]
    command += ["--seed", str(options.seed), "--records", str(options.records)]
    path = os.pathsep.join((str(checkout.resolve() / "src"), str(Path(__file__).resolve().parent.parent)))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    output = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    found: dict[str, Any] = json.loads(output)
    return found


def _mapped(config: dict[str, Any], seed: int, records: int) -> dict[str, Any]:
    """Return the events by id, each with its app monitor, session and user, and the ledger."""
    import tempfile

    from benchmarks.random_telemetry import RandomTelemetry
    from otel_rum_exporter import RumLogExporter, RumSpanExporter

    numbers = itertools.count(1)
    uuid.uuid4 = lambda: uuid.UUID(int=next(numbers))
    time.time_ns = lambda: NOW_NS
    time.monotonic_ns = lambda: 0  # no span is pending for too long, however busy the machine is
    client = RecordingClient()
    with tempfile.TemporaryDirectory() as directory:
        settings = {"app_monitor_id": MONITOR_ID, "region": "eu-west-1", "max_requests_per_second": 0, **config}
        if "spool_directory" in settings:
            settings["spool_directory"] = directory
        exporter = RumSpanExporter(client=client, **settings)
        logs = RumLogExporter(client=client, **settings)
        telemetry, pick = RandomTelemetry(seed), random.Random(seed)
        while records > 0:
            spans = [telemetry.span() for _ in range(pick.randrange(1, 60))]
            pick.shuffle(spans)
            lines = [telemetry.log_record() for _ in range(pick.randrange(20))]
            exporter.export(spans)
            logs.export(lines)
            records -= len(spans) + len(lines)
        exporter.force_flush()
        exporter.shutdown()
        logs.shutdown()
        ledger = exporter.ledger
    found: dict[str, Any] = {
        "ledger": {
            **{name: getattr(ledger, name) for name in ("accepted", "delivered", "filtered")},
            "dropped": sorted((reason.name, count) for reason, count in ledger.dropped.items() if count),
        }
    }
    for request in client.requests:
        session = json.loads(request.get("SessionMetadata", "{}"))
        for event in request["RumEvents"]:
            merged = {**session, **json.loads(event["metadata"])}
            value = {
                "type": event["type"],
                "timestamp": str(event["timestamp"]),
                "details": json.loads(event["details"]),
                "metadata": merged,
                "monitor": request["Id"],
                "alias": request.get("Alias"),
                "application": request["AppMonitorDetails"],
                "user": request["UserDetails"],
            }
            key = event["id"]
            while key in found:
                key += "+"
            found[key] = value
    return found


if __name__ == "__main__":
    main()
