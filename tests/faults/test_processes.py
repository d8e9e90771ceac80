"""Processes as people run them: preloaded workers, green threads, pools, threads, functions, and their ends."""

from __future__ import annotations

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
from tests.faults.account import PATIENCE_SECONDS, Account, assert_same_ids, session_id, taken, wait_until_taken
from tests.faults.conftest import DEADLINE_SLACK_SECONDS, IN_MEMORY
from tests.spans import APP_MONITOR_ID

Make = Callable[..., Any]
SHUTDOWN_SECONDS = 5.0

SETUP = f"""
import os
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from otel_rum_exporter import RumSpanExporter
exporter = RumSpanExporter(
    app_monitor_id="{APP_MONITOR_ID}",
    endpoint=os.environ["RUM"],
    signing="none",
    spool_directory=os.environ.get("SPOOL"),
)
provider = TracerProvider()
tracer = provider.get_tracer("app")

def work(number):
    tracer.start_span("work", attributes={{"n": number, "session.id": f"session {{number % 7}}"}}).end()
"""


def environment(rum: LocalRum, form: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a program that `SETUP` begins."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_"))}
    spool = {"SPOOL": form["spool_directory"]} if form else {}
    return {**kept, "RUM": rum.url, "PYTHONWARNINGS": "ignore", **spool}


def run(program: Path, rum: LocalRum, form: dict[str, Any]) -> None:
    """Run a program to its end."""
    env = environment(rum, form)
    subprocess.run([sys.executable, program], env=env, timeout=PATIENCE_SECONDS * 2, check=True)


def test_workers_of_a_preloaded_application_deliver_all_they_were_given(
    rum: LocalRum, form: dict[str, Any], tmp_path: Path
) -> None:
    """The exporter was made, and has sent, before they were forked; they end by SIGTERM."""
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "3", "-b", f"127.0.0.1:{port}", "shop:app"]
    with subprocess.Popen(command, env=environment(rum, form), cwd=tmp_path, stderr=subprocess.PIPE) as server:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for number in range(1, 60):
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{number}", timeout=10).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=PATIENCE_SECONDS)
    wait_until_taken(rum, set(range(60)))
    assert_same_ids(taken(rum))


def test_green_threads_deliver_all_they_were_given(rum: LocalRum, form: dict[str, Any], tmp_path: Path) -> None:
    """With everything patched by gevent before anything else is imported."""
    pytest.importorskip("gevent")
    program = tmp_path / "green.py"
    program.write_text(
        "from gevent import monkey\nmonkey.patch_all()\nimport gevent\n"
        + SETUP
        + """
provider.add_span_processor(SimpleSpanProcessor(exporter))
gevent.joinall([gevent.spawn(work, number) for number in range(100)], raise_error=True)
provider.shutdown()
"""
    )
    run(program, rum, form)
    wait_until_taken(rum, set(range(100)))
    assert_same_ids(taken(rum))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes_delivers_all_it_was_given(
    method: str, rum: LocalRum, form: dict[str, Any], tmp_path: Path
) -> None:
    """Its workers end without a word; what an export returned for is delivered or on disk."""
    program = tmp_path / "pool.py"
    program.write_text(
        SETUP
        + f"""
import multiprocessing
provider.add_span_processor(SimpleSpanProcessor(exporter))
if __name__ == "__main__":
    work(0)
    with multiprocessing.get_context("{method}").Pool(3) as pool:
        pool.map(work, range(1, 60))
    work(60)
"""
    )
    run(program, rum, form)
    wait_until_taken(rum, set(range(61)))
    assert_same_ids(taken(rum))


def test_eight_threads_that_end_spans_at_once_lose_none(rum: LocalRum, exporter: Make) -> None:
    """SimpleSpanProcessor exports in each of them."""
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
    wait_until_taken(rum, {100 * worker + number for worker in range(8) for number in range(40)})
    assert one.force_flush()
    assert (one.ledger.accepted, one.ledger.stored, one.ledger.dropped) == (320, 0, {})
    assert_same_ids(taken(rum))
    provider.shutdown()


@pytest.mark.usefixtures("real_pauses")
def test_under_light_load_a_function_may_be_frozen_when_its_export_returns(account: Account, exporter: Make) -> None:
    """Everything it gave has been taken, as a Lambda between two invocations needs it."""
    one = exporter()
    for _ in range(15):
        one.export(account.spans(2, session_id()))
        assert account.taken().keys() == account.given


@pytest.mark.usefixtures("real_pauses")
def test_a_shutdown_with_a_full_outbox_is_on_time_and_leaves_nothing_untold(
    rum: LocalRum, form: dict[str, Any], account: Account, exporter: Make
) -> None:
    """What is on disk the next process delivers; what was in memory is counted."""
    one = exporter()
    one.export([account.span()])
    rum.faults = [Fault(latency_seconds=60)]
    for _ in range(20):
        one.export(account.spans(100, session_id()))
    begun = time.monotonic()
    one.shutdown(SHUTDOWN_SECONDS * 1000)
    assert time.monotonic() - begun <= SHUTDOWN_SECONDS + DEADLINE_SLACK_SECONDS
    if not form:
        assert one.ledger.stored == 0
        assert one.ledger.dropped == {DropReason.SHUTDOWN: 2000}
        return
    assert (one.ledger.stored, one.ledger.dropped) == (2000, {})
    rum.faults = []
    second = exporter()
    account.wait_until_all_are_taken()
    assert second.force_flush(60_000)
    assert second.ledger.recovered == second.ledger.delivered == 2000
    assert_same_ids(account.taken())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_while_the_first_request_is_made_leaves_a_child_that_can_send(
    rum: LocalRum, form: dict[str, Any], exporter: Make, tmp_path: Path
) -> None:
    """As with daemons that fork themselves into the background, while a thread imports boto3.

    What the parent left on disk is for a process that does not descend from it: SQLite takes its locks for inherited.
    """
    program = tmp_path / "daemon.py"
    rum.faults = [Fault(status=503)]
    program.write_text(
        SETUP
        + """
import sys, time
from otel_rum_exporter.delivery import worker as delivery
delivery.PATIENCE_SECONDS = 0.1
provider.add_span_processor(SimpleSpanProcessor(exporter))
work(0)
if os.fork():
    os._exit(0)
work(1)
sys.stdin.read()
"""
    )
    with subprocess.Popen([sys.executable, program], env=environment(rum, form), stdin=subprocess.PIPE) as parent:
        parent.wait(PATIENCE_SECONDS)
        rum.faults = []
        wait_until_taken(rum, {1})
        if form:
            exporter()
            wait_until_taken(rum, {0})
        parent.communicate()


IN_THE_MIDST = """
import importlib.abc, sys

class InTheMidst(importlib.abc.MetaPathFinder):
    \"\"\"Does something once, when the first export has imported half of what it needs.\"\"\"

    def find_spec(self, name, path, target=None):
        if name == "otel_rum_exporter.delivery.worker":
            sys.meta_path.remove(self)
            between()

sys.meta_path.insert(0, InTheMidst())
provider.add_span_processor(SimpleSpanProcessor(exporter))
"""


@IN_MEMORY
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_while_the_first_export_imports_leaves_a_child_that_can_export(
    rum: LocalRum, form: dict[str, Any], tmp_path: Path
) -> None:
    """It waits until the import is whole: what is half imported in the parent would stay so in the child."""
    program = tmp_path / "fork.py"
    program.write_text(
        SETUP
        + IN_THE_MIDST
        + """
import threading, time
is_importing = threading.Event()

def between():
    is_importing.set()
    time.sleep(0.3)

first = threading.Thread(target=work, args=(0,))
first.start()
is_importing.wait()
child = os.fork()
if child == 0:
    work(1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
first.join()
"""
    )
    run(program, rum, form)
    wait_until_taken(rum, {0, 1})


@IN_MEMORY
def test_a_span_that_ends_while_the_first_export_imports_is_delivered(
    rum: LocalRum, form: dict[str, Any], tmp_path: Path
) -> None:
    """Python calls signal handlers and finalizers also within an import, which must not see the half of it."""
    program = tmp_path / "midst.py"
    program.write_text(
        SETUP
        + IN_THE_MIDST
        + """
def between():
    work(1)

work(0)
assert exporter.ledger.delivered == 2
"""
    )
    run(program, rum, form)
    wait_until_taken(rum, {0, 1})


@pytest.mark.usefixtures("real_pauses")
@IN_MEMORY
def test_a_process_without_threads_ends_in_time_when_rum_never_answers(
    rum: LocalRum, account: Account, exporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of Python 3.12, where the caller sends: a request is not longer than the deadline of its export."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    exporter().export([account.span()])  # imports boto3, which takes as long as it takes
    one = exporter(timeout_millis=1000)
    one.export([account.span()])  # and so does making a client
    assert one.force_flush()
    rum.faults = [Fault(latency_seconds=30)]
    one.export([account.span()])
    assert one.ledger.stored == 1
