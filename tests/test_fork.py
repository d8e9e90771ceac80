"""A fork waits for work that must not be interrupted."""

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
def test_a_fork_waits_for_another_thread_and_the_lock_is_free_afterwards() -> None:
    """The child would keep the half-finished work forever."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], check=True, timeout=60)
