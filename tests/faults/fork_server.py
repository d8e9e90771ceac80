"""A process that imports everything once, and then forks exporter processes, each of which may be killed.

It reads the options of processes from stdin, one JSON object per line, and writes their process ids to stdout. A forked
process starts when its FIFO is opened. It writes the number of each accepted span to the file `accepted`. Of each three
spans the second is a child of the third, and pending until that ends. With `has_no_threads` no thread can start, so
that each process makes the same system calls in the same order.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import otel_rum_exporter.exporter.pipeline  # noqa: F401 - imported by the first span otherwise
from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.config import Config
from otel_rum_exporter.delivery import worker
from otel_rum_exporter.rum.client import build_client
from tests import spans
from tests.spans import APP_MONITOR_ID, make_span

EVENTS_PER_REQUEST = 5


def run_exporter(options: dict[str, Any], client: Any) -> None:
    """Recover what the last process left, accept spans, deliver them, and end."""
    if options["has_no_threads"]:
        threading.Thread.start = _refuse_to_start  # type: ignore[method-assign, assignment]
    worker.MAX_EXPORT_WAIT_SECONDS = 0.0 if options["has_no_threads"] else 0.02
    spans._numbers = itertools.count(options["first"] + 1)
    accepted = os.open(options["accepted"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    one = RumSpanExporter(
        client=client,
        app_monitor_id=APP_MONITOR_ID,
        endpoint=options["endpoint"],
        signing="none",
        session_start="minted",
        spool_directory=options["spool"],
        max_events_per_request=EVENTS_PER_REQUEST,
        timeout_millis=10_000,
    )
    choose = random.Random(options["first"])
    parent = None
    for number in range(options["first"], options["first"] + options["spans"]):
        if number % 3 == 0 or parent is None:
            session = f"session {number % 9 if options['has_no_threads'] else choose.randrange(5)}"
            parent = make_span("work", {"n": number + 2, "session.id": session})
            span = make_span("work", {"n": number, "session.id": session})
        elif number % 3 == 1:
            span = make_span("work", {"n": number}, parent=parent)
        else:
            span = parent
        one.export([span])
        os.write(accepted, f"{number}\n".encode())
        if options["flush_after"] and number == options["first"] + options["flush_after"]:
            one.force_flush(20_000)
    one.force_flush(60_000)
    one.shutdown(10_000)


def _refuse_to_start(_: threading.Thread) -> None:
    raise RuntimeError("can't create new thread at interpreter shutdown")


def main() -> None:
    """Fork processes until stdin ends."""
    config = Config.read({"app_monitor_id": APP_MONITOR_ID, "endpoint": sys.argv[1], "signing": "none"}, {})
    client = build_client(config)
    for line in sys.stdin:
        options = json.loads(line)
        if "wait" in options:
            _, status = os.waitpid(options["wait"], 0)
            _reply(os.waitstatus_to_exitcode(status))
        else:
            child = os.fork()
            if child == 0:
                _run_child(options, client)
            _reply(child)


def _reply(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _run_child(options: dict[str, Any], client: Any) -> None:
    status = 1
    try:
        Path(options["fifo"]).read_text(encoding="ascii")
        run_exporter(options, client)
        status = 0
    except Exception:  # noqa: BLE001 - the forked process must end here
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
