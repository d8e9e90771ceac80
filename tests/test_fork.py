"""A fork waits for what must not be half done."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, threading, time
from otel_rum_exporter._fork import UNFORKED
begun, steps = threading.Event(), []

def work():
    with UNFORKED:
        begun.set()
        time.sleep(0.3)
        steps.append("whole")

threading.Thread(target=work).start()
begun.wait()
child = os.fork()
with UNFORKED:
    is_whole = steps == ["whole"]
if child == 0:
    os._exit(0 if is_whole else 1)
assert is_whole
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_waits_for_another_thread_and_leaves_both_processes_the_lock() -> None:
    """What that thread had half done, the child would have half done for ever."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], check=True, timeout=60)
