"""Kinds of processes: preloaded workers, green threads, pools, threads, functions, and how they end."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_rum_exporter.ledger import DropReason
from otel_rum_exporter.local import Fault, LocalRum
from tests.faults.conftest import BUSY_SECONDS, IN_MEMORY, LONG
from tests.faults.numbered_spans import (
    TIMEOUT_SECONDS,
    NumberedSpans,
    assert_same_ids,
    received,
    session_id,
    wait_until_received,
)
from tests.spans import APP_MONITOR_ID
from tests.waiting import wait_until

Make = Callable[..., Any]
SHUTDOWN_SECONDS = 2.0

SETUP = f"""
import os
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from otel_rum_exporter import RumSpanExporter
exporter = RumSpanExporter(
    app_monitor_id="{APP_MONITOR_ID}",
    endpoint=os.environ["RUM"],
    signing="none",
    session_start="minted",
    spool_directory=os.environ.get("SPOOL"),
)
provider = TracerProvider()
tracer = provider.get_tracer("app")

def work(number):
    tracer.start_span("work", attributes={{"n": number, "session.id": f"session {{number % 7}}"}}).end()
"""


def environment(rum: LocalRum, storage: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a program that starts with `SETUP`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    spool = {"SPOOL": storage["spool_directory"]} if storage else {}
    return {**kept, "RUM": rum.url, "PYTHONWARNINGS": "ignore", **spool}


def run(program: Path, rum: LocalRum, storage: dict[str, Any]) -> None:
    """Run a program to its end."""
    env = environment(rum, storage)
    subprocess.run([sys.executable, program], env=env, timeout=TIMEOUT_SECONDS * 2, check=True)


def test_workers_of_gunicorn_deliver_all_spans(rum: LocalRum, storage: dict[str, Any], tmp_path: Path) -> None:
    """The exporter was created and has sent before the fork. SIGHUP replaces the workers; SIGTERM ends them."""
    pytest.importorskip("gunicorn")
    (tmp_path / "shop.py").write_text(
        SETUP
        + """
provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=100))
work(0)
provider.force_flush()

def app(environ, start_response):
    work(int(environ["PATH_INFO"][1:]))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
    )
    # A worker that gets SIGTERM before it handles signals does not end, and gunicorn kills it after 30 s.
    (tmp_path / "gunicorn.conf.py").write_text(
        "def post_worker_init(worker):\n    open(f'ready {worker.pid}', 'x').close()\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", f"127.0.0.1:{port}", "shop:app"]
    with subprocess.Popen(command, env=environment(rum, storage), cwd=tmp_path, stderr=subprocess.PIPE) as server:
        wait_until(lambda: len(list(tmp_path.glob("ready *"))) == 2)
        for number in range(1, 30):
            if number == 15:
                server.send_signal(signal.SIGHUP)
            urllib.request.urlopen(f"http://127.0.0.1:{port}/{number}", timeout=TIMEOUT_SECONDS).close()
        wait_until(lambda: len(list(tmp_path.glob("ready *"))) == 4)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=TIMEOUT_SECONDS)
    wait_until_received(rum, set(range(30)))
    assert_same_ids(received(rum))


GREEN_THREADS = {
    "gevent": (
        "from gevent import monkey\nmonkey.patch_all()\nimport gevent",
        "gevent.joinall([gevent.spawn(work, number) for number in range(40)], raise_error=True)",
    ),
    "eventlet": (
        "import eventlet\neventlet.monkey_patch()",
        "all(True for _ in eventlet.GreenPool().imap(work, range(40)))",
    ),
}
"""The start of a program, which patches everything before other imports, and the code that runs all spans' work."""


@pytest.mark.parametrize(
    ("package", "storage"),
    [
        ("gevent", "spool"),
        ("eventlet", "memory"),
        pytest.param("gevent", "memory", marks=LONG),
        pytest.param("eventlet", "spool", marks=LONG),
    ],
    indirect=["storage"],
)
def test_green_threads_deliver_all_spans(package: str, rum: LocalRum, storage: dict[str, Any], tmp_path: Path) -> None:
    """A forked child delivers its spans as well."""
    patch, run_all = GREEN_THREADS[package]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    program = tmp_path / "green.py"
    program.write_text(
        f"""{patch}
{SETUP}
provider.add_span_processor(SimpleSpanProcessor(exporter))
{run_all}
child = os.fork() if hasattr(os, "fork") else work(40)
if child == 0:
    work(40)
    provider.shutdown()
    os._exit(0)
if child:
    assert os.waitpid(child, 0)[1] == 0
work(41)
provider.shutdown()
"""
    )
    run(program, rum, storage)
    wait_until_received(rum, set(range(42)))
    assert_same_ids(received(rum))


@pytest.mark.parametrize(
    ("method", "storage"), [("fork", "memory"), ("fork", "spool"), ("spawn", "spool")], indirect=["storage"]
)
def test_a_pool_of_processes_delivers_all_spans(
    method: str, rum: LocalRum, storage: dict[str, Any], tmp_path: Path, exporter: Make
) -> None:
    """Its workers end without a shutdown. Exported spans are on disk; those in memory are flushed before."""
    program = tmp_path / "pool.py"
    program.write_text(
        SETUP
        + f"""
import multiprocessing
provider.add_span_processor(SimpleSpanProcessor(exporter))

def work_in_pool(number):
    work(number)
    if "SPOOL" not in os.environ:
        assert exporter.force_flush({TIMEOUT_SECONDS * 1000:.0f})

if __name__ == "__main__":
    work(0)
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        pool.map(work_in_pool, range(1, 60))
    work(60)
"""
    )
    run(program, rum, storage)
    if storage:
        exporter()  # sends what a worker has not sent when the pool ends it
    wait_until_received(rum, set(range(61)))
    assert_same_ids(received(rum))


def test_concurrent_exports_of_eight_threads_lose_nothing(rum: LocalRum, exporter: Make) -> None:
    """SimpleSpanProcessor exports from each thread."""
    one = exporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(one))
    tracer = provider.get_tracer("app")
    rum.faults = [Fault(status=503, probability=0.05, seed=1), Fault(status=429, times=2)]

    def work(worker: int) -> None:
        for number in range(40):
            with tracer.start_as_current_span("work") as span:
                span.set_attributes({"n": 100 * worker + number, "session.id": f"session {worker}"})

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rum.faults = []
    wait_until_received(rum, {100 * worker + number for worker in range(8) for number in range(40)})
    assert one.force_flush()
    assert (one.ledger.accepted, one.ledger.stored, one.ledger.dropped) == (320, 0, {})
    assert_same_ids(received(rum))
    provider.shutdown()


@pytest.mark.usefixtures("real_delays")
def test_spans_are_delivered_when_export_returns_under_light_load(numbered: NumberedSpans, exporter: Make) -> None:
    """A Lambda function may be frozen between two invocations."""
    one = exporter()
    for _ in range(15):
        one.export(numbered.spans(2, session_id()))
        assert numbered.received().keys() == numbered.exported


@pytest.mark.usefixtures("real_delays")
def test_a_shutdown_with_many_queued_events_is_on_time_and_counts_all(
    rum: LocalRum, storage: dict[str, Any], numbered: NumberedSpans, exporter: Make
) -> None:
    """The next process delivers events on disk; events in memory are counted as dropped."""
    one = exporter()
    one.export([numbered.span()])
    rum.faults = [Fault(latency_seconds=60)]
    for _ in range(10):
        one.export(numbered.spans(100, session_id()))
    begun = time.monotonic()
    one.shutdown(SHUTDOWN_SECONDS * 1000)
    assert time.monotonic() - begun <= SHUTDOWN_SECONDS + BUSY_SECONDS
    if not storage:
        assert one.ledger.stored == 0
        assert one.ledger.dropped == {DropReason.SHUTDOWN: 1000}
        return
    assert (one.ledger.stored, one.ledger.dropped) == (1000, {})
    rum.faults = []
    second = exporter()
    numbered.wait_until_received()
    assert second.force_flush(60_000)
    assert second.ledger.recovered == second.ledger.delivered == 1000
    assert_same_ids(numbered.received())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_forked_during_the_first_request_can_send(
    rum: LocalRum, storage: dict[str, Any], tmp_path: Path
) -> None:
    """A daemon forks itself into the background while a thread imports boto3. It delivers its parent's spool."""
    program = tmp_path / "daemon.py"
    rum.faults = [Fault(status=503)]
    program.write_text(
        SETUP
        + """
import sys, time
from otel_rum_exporter.delivery import worker as delivery
delivery.MAX_EXPORT_WAIT_SECONDS = 0.1
provider.add_span_processor(SimpleSpanProcessor(exporter))
work(0)
if os.fork():
    os._exit(0)
work(1)
sys.stdin.read()
"""
    )
    with subprocess.Popen([sys.executable, program], env=environment(rum, storage), stdin=subprocess.PIPE) as parent:
        parent.wait(TIMEOUT_SECONDS)
        rum.faults = []
        wait_until_received(rum, {0, 1} if storage else {1})
        parent.communicate()


DURING_IMPORT = """
import importlib.abc, sys

class DuringImport(importlib.abc.MetaPathFinder):
    \"\"\"Calls a function once, during the imports of the first export.\"\"\"

    def find_spec(self, name, path, target=None):
        if name == "otel_rum_exporter.delivery.worker":
            sys.meta_path.remove(self)
            during_import()

sys.meta_path.insert(0, DuringImport())
provider.add_span_processor(SimpleSpanProcessor(exporter))
"""


@IN_MEMORY
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_forked_during_the_first_import_can_export(
    rum: LocalRum, storage: dict[str, Any], tmp_path: Path
) -> None:
    """The fork waits for the end of the import: an incomplete module would stay incomplete in the child."""
    program = tmp_path / "fork.py"
    program.write_text(
        SETUP
        + DURING_IMPORT
        + """
import threading, time
is_importing = threading.Event()

def during_import():
    is_importing.set()
    time.sleep(0.3)

first = threading.Thread(target=work, args=(0,))
first.start()
is_importing.wait()
child = os.fork()
if child == 0:
    work(1)
    assert exporter.force_flush()  # an export waits only so long, and `_exit` does not flush
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
first.join()
"""
    )
    run(program, rum, storage)
    wait_until_received(rum, {0, 1})


@IN_MEMORY
def test_a_span_that_ends_during_the_first_import_is_delivered(
    rum: LocalRum, storage: dict[str, Any], tmp_path: Path
) -> None:
    """Python calls signal handlers and finalizers during imports, which must not use incomplete modules."""
    program = tmp_path / "reentrant.py"
    program.write_text(
        SETUP
        + DURING_IMPORT
        + """
def during_import():
    work(1)

work(0)
assert exporter.force_flush(60_000)  # an export waits only so long
assert exporter.ledger.delivered == 2
"""
    )
    run(program, rum, storage)
    wait_until_received(rum, {0, 1})


@pytest.mark.usefixtures("real_delays")
@IN_MEMORY
def test_a_process_without_threads_ends_in_time_if_rum_does_not_respond(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At exit of Python 3.12 the caller sends, and its request ends by the deadline of the export."""

    def refuse_to_start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse_to_start)
    exporter().export([numbered.span()])  # imports boto3, which may take long
    one = exporter(timeout_millis=1000)
    one.export([numbered.span()])  # creates a client, which may take long too
    assert one.force_flush()
    rum.faults = [Fault(latency_seconds=30)]
    one.export([numbered.span()])
    assert one.ledger.stored == 1
