"""A process that imports everything once and then gives birth to lives of an exporter, each of which may be killed.

Lives are told on stdin, one JSON object a line, and their process ids on stdout; they begin with the line "go". A life
writes the number of each span that was accepted to the file `accepted`. Of three spans the second is a child of the
third, and waits for it. In `calm` lives no thread can start, so that
each has the same system calls in the same order.
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

import otel_rum_exporter.exporter.pipeline  # noqa: F401 - what a life would import with its first span
from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.config import Config
from otel_rum_exporter.delivery import worker
from otel_rum_exporter.rum.client import build_client
from tests import spans
from tests.spans import APP_MONITOR_ID, make_span

EVENTS_PER_REQUEST = 5


def live(told: dict[str, Any], client: Any) -> None:
    """Take over what the last life left, accept spans, deliver them, and end."""
    if told["calm"]:
        threading.Thread.start = _refuse  # type: ignore[method-assign, assignment]
    worker.PATIENCE_SECONDS = 0.0 if told["calm"] else 0.02
    spans._numbers = itertools.count(told["first"] + 1)
    accepted = os.open(told["accepted"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    one = RumSpanExporter(
        client=client,
        app_monitor_id=APP_MONITOR_ID,
        endpoint=told["endpoint"],
        signing="none",
        spool_directory=told["spool"],
        max_events_per_request=EVENTS_PER_REQUEST,
        timeout_millis=10_000,
    )
    choose = random.Random(told["first"])
    parent = None
    for number in range(told["first"], told["first"] + told["spans"]):
        if number % 3 == 0 or parent is None:
            session = f"session {number % 9 if told['calm'] else choose.randrange(5)}"
            parent = make_span("work", {"n": number + 2, "session.id": session})
            span = make_span("work", {"n": number, "session.id": session})
        elif number % 3 == 1:
            span = make_span("work", {"n": number}, parent=parent)
        else:
            span = parent
        one.export([span])
        os.write(accepted, f"{number}\n".encode())
        if told["flush_after"] and number == told["first"] + told["flush_after"]:
            one.force_flush(20_000)
    one.force_flush(60_000)
    one.shutdown(10_000)


def _refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't create new thread at interpreter shutdown")


def main() -> None:
    """Give birth until stdin ends; each child waits for its own "go"."""
    config = Config.read({"app_monitor_id": APP_MONITOR_ID, "endpoint": sys.argv[1], "signing": "none"}, {})
    client = build_client(config)
    for line in sys.stdin:
        told = json.loads(line)
        if "wait" in told:
            _, status = os.waitpid(told["wait"], 0)
            _tell(os.waitstatus_to_exitcode(status))
        else:
            child = os.fork()
            if child == 0:
                _begin(told, client)
            _tell(child)


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _begin(told: dict[str, Any], client: Any) -> None:
    status = 1
    try:
        Path(told["gate"]).read_text(encoding="ascii")
        live(told, client)
        status = 0
    except Exception:  # noqa: BLE001 - the child of a test ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
