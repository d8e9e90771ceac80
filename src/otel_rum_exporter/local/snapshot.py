"""Snapshots of received events for tests: one line for each event, without what differs from run to run."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from .record import Event
from .server import LocalRum
from .session import sessions, short_type, summary

UPDATE_VARIABLE = "RUM_UPDATE_SNAPSHOTS"
_VARYING = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b1-[0-9a-f]{8}-[0-9a-f]{24}\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b"), "<id>"),
    (re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d+"), r"\1:<port>"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "<address>"),
    (re.compile(r"\b\d+(?:\.\d+)?(?:e-\d+)? ms\b"), "<ms>"),
)
_HEAD = re.compile(r"session \d+")


def assert_rum_events(rum: LocalRum, expected: str | Path, *, timeout: float = 10.0) -> None:
    """Assert that the local RUM accepted these events and no others, with a diff of lines.

    A line is the type of an event and its summary, such as `http_event POST /checkout → 500`. Several sessions have a
    line `session 1`, `session 2` … before their events. The order of events and of sessions does not count, nor do
    spaces. Ids, durations, addresses and ports of this computer are compared as `<id>`, `<ms>`, `<address>`, `<port>`.

    Flush or shut down the provider first: unexpected events that arrive later are not seen.

    Args:
        rum: The local RUM.
        expected: The lines, or a file of them. With the environment variable RUM_UPDATE_SNAPSHOTS=1, the file is
            written instead of compared.
        timeout: How long to wait for as many events as expected, in seconds.

    Raises:
        AssertionError: The events differ. It has the diff, and the reasons of refused requests and dropped events.
    """
    __tracebackhide__ = True
    if isinstance(expected, Path):
        if os.environ.get(UPDATE_VARIABLE, "") not in {"", "0"}:
            expected.write_text(snapshot(rum.events), encoding="utf-8")
            return
        if not expected.exists():
            raise AssertionError(f"{expected} does not exist. To fix: set {UPDATE_VARIABLE}=1 and run the test again")
        expected = expected.read_text(encoding="utf-8")
    wanted = _blocks(expected)
    with contextlib.suppress(TimeoutError):  # The diff shows what is missing.
        rum.wait_for(count=sum(map(len, wanted)), timeout=timeout)
    received = _blocks(snapshot(rum.events))
    if received != wanted:
        lines = difflib.unified_diff(_lines(wanted), _lines(received), "expected", "received", n=1000, lineterm="")
        losses = rum.summary.partition("; ")[2] if rum.refused or rum.dropped else ""
        raise AssertionError("\n".join(["the events differ:", *lines, *filter(None, [losses])]))


def snapshot(events: Iterable[Event]) -> str:
    """Return the lines of events, to compare with `assert_rum_events`."""
    blocks = sorted(sorted(map(_line, session.events)) for session in sessions(events))
    return "".join(f"{line}\n" for line in _lines(blocks))


def _line(event: Event) -> str:
    return _steady(f"{short_type(event.type)} {summary(event)}")


def _steady(line: str) -> str:
    line = " ".join(line.split())
    for pattern, placeholder in _VARYING:
        line = pattern.sub(placeholder, line)
    return line


def _blocks(text: str) -> list[list[str]]:
    """Return the lines of each session, without the heads, in an order of their own."""
    blocks: list[list[str]] = [[]]
    for line in filter(None, map(_steady, text.splitlines())):
        if _HEAD.fullmatch(line):
            blocks.append([])
        else:
            blocks[-1].append(line)
    return sorted(sorted(block) for block in blocks if block)


def _lines(blocks: list[list[str]]) -> list[str]:
    if len(blocks) <= 1:
        return [line for block in blocks for line in block]
    return [
        line for number, block in enumerate(blocks, 1) for line in (f"session {number}", *(f"  {one}" for one in block))
    ]
