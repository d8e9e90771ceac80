"""The spool against a model in memory: processes start, store, remove, recover, end and are killed; disks fail."""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.delivery.spool import directory, locked_file
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.delivery.spool.locked_file import LockedFile
from otel_rum_exporter.delivery.storage import QueuedEvents
from otel_rum_exporter.rum.encoded_events import EncodedEvents
from tests.delivery.queued import queued

RUNS = 200 if os.environ.get("LONG_FAULTS") else 15
MAX_PROCESSES = 3
MEMORY = Path("/dev/shm")
ATOMIC_BYTES = 64
"""A kill does not divide a write of fewer bytes, as that of the header."""

Chances = st.randoms(use_true_random=False)


class Killed(BaseException):
    """The process was killed."""


class Disk:
    """The fault in the writes of all spools: nothing, an error, or the end of the process after some bytes."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.bytes_until_kill: int | None = None
        self._write = LockedFile.write
        patch.setattr(LockedFile, "write", lambda *arguments: self.write(*arguments))  # noqa: PLW0108 - not a method
        for name in ("truncate", "discard"):
            patch.setattr(LockedFile, name, self._unless_killed(getattr(LockedFile, name)))
        for name in ("sync", "sync_name"):
            patch.setattr(LockedFile, name, self._unless_killed(lambda _: None))

    def write(self, file: LockedFile, content: bytes, offset: int) -> None:
        """Write as much as the disk and the process allow."""
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.bytes_until_kill is None:
            self._write(file, content, offset)
            return
        is_cut = self.bytes_until_kill < len(content)
        if not (is_cut and len(content) < ATOMIC_BYTES):
            self._write(file, content[: self.bytes_until_kill] if is_cut else content, offset)
        self.bytes_until_kill -= len(content)
        if is_cut:
            raise Killed

    def _unless_killed(self, real: object) -> object:
        def call(*arguments: object, **named: object) -> object:
            if self.bytes_until_kill is not None and self.bytes_until_kill < 0:
                raise Killed
            return real(*arguments, **named)  # type: ignore[operator]

        return call


class Dead(NamedTuple):
    """A record that a dead process left."""

    path: Path
    offset: int
    size_bytes: int
    events: EncodedEvents


class SpoolModel(RuleBasedStateMachine):
    """`running` has the processes with what each must still have; `dead` has what the next recovery must find."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(directory, "MAX_SEGMENT_BYTES", 3000)
        self.patch.setattr(directory, "EMPTY_SEGMENT_BYTES", 1500)
        self.disk = Disk(self.patch)
        self.names = itertools.count()
        self.running: dict[Spool, dict[QueuedEvents, EncodedEvents]] = {}
        self.dead: dict[EncodedEvents, Dead] = {}
        self.possible: set[EncodedEvents] = set()
        """Events that recovery may find: of a write that a kill cut short, or whose removal was not written."""
        self.removed: set[EncodedEvents] = set()
        self.may_repeat = False
        self.lost_events = 0

    def teardown(self) -> None:
        """Close everything."""
        self.disk.is_full = False
        for spool in self.running:
            spool.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    def process(self, chances: random.Random) -> Spool:
        """Choose a running process, or start one."""
        if (len(self.running) < MAX_PROCESSES and chances.random() < 0.3) or not self.running:
            spool = Spool(str(self.folder), destination="eu", max_bytes=10**9, log=RateLimitedLog())
            self.running[spool] = {}
        return chances.choice(list(self.running))

    def some(self, spool: Spool, chances: random.Random) -> list[QueuedEvents]:
        """Choose some events of a process."""
        return [one for one in self.running[spool] if chances.random() < 0.4]

    def new(self, chances: random.Random) -> list[QueuedEvents]:
        """Return new events of up to four sessions."""
        return [
            queued(f"session {index}", *(next(self.names) for _ in range(chances.randint(1, 4))))
            for index in range(chances.randint(1, 4))
        ]

    def store(self, spool: Spool, replaced: list[QueuedEvents], by: list[QueuedEvents]) -> None:
        """Replace events in a process."""
        added = {one: one.events for one in by if one.events is not None}
        if self.disk.is_full:
            self.possible.update(self.running[spool][one] for one in replaced)
        spool.replace(replaced, by)
        self.removed.update(self.running[spool].pop(one) for one in replaced)
        self.running[spool].update(added)
        assert self.disk.is_full or all(one.is_on_disk for one in by)

    @rule(chances=Chances)
    def accept(self, chances: random.Random) -> None:
        """Store new events."""
        self.store(self.process(chances), [], self.new(chances))

    @rule(chances=Chances)
    def replace(self, chances: random.Random) -> None:
        """Store new events in place of others."""
        spool = self.process(chances)
        self.store(spool, self.some(spool, chances), self.new(chances))

    @rule(chances=Chances)
    def remove(self, chances: random.Random) -> None:
        """Remove events."""
        spool = self.process(chances)
        removed = self.some(spool, chances)
        if self.disk.is_full:
            self.possible.update(self.running[spool][one] for one in removed)
        spool.remove(removed)
        self.removed.update(self.running[spool].pop(one) for one in removed)

    @rule(is_full=st.booleans())
    def fill_or_free_the_disk(self, *, is_full: bool) -> None:
        """Let writes fail, or succeed again."""
        self.disk.is_full = is_full

    @rule(chances=Chances)
    def persist(self, chances: random.Random) -> None:
        """Write what stayed in memory."""
        spool = self.process(chances)
        spool.persist()
        assert self.disk.is_full or all(one.is_on_disk for one in self.running[spool])

    @precondition(lambda self: not self.disk.is_full)
    @rule(chances=Chances)
    def recover(self, chances: random.Random) -> None:
        """Find exactly what dead processes left."""
        self.recover_in(self.process(chances))

    @precondition(lambda self: self.running)
    @rule(chances=Chances)
    def end(self, chances: random.Random) -> None:
        """End a process regularly, or by a kill between two steps. Events in memory end with it."""
        spool = chances.choice(list(self.running))
        if chances.random() < 0.5:
            self.leave(spool)
            spool.close()
        else:
            self.kill(spool)

    @precondition(lambda self: self.running and not self.disk.is_full)
    @rule(chances=Chances, bytes_until_kill=st.integers(0, 2000))
    def kill_during_a_write(self, chances: random.Random, bytes_until_kill: int) -> None:
        """Kill a process during a write. What it stored or removed may have been written, or not."""
        spool = chances.choice(list(self.running))
        self.disk.bytes_until_kill = bytes_until_kill
        by = self.new(chances)
        replaced = self.some(spool, chances)
        self.possible.update(one.events for one in by if one.events is not None)
        self.possible.update(self.running[spool].pop(one) for one in replaced)
        try:
            spool.replace(replaced, by)
        except Killed:
            pass
        finally:
            self.disk.bytes_until_kill = None
        self.may_repeat = True
        self.kill(spool)

    @precondition(lambda self: self.dead)
    @rule(chances=Chances, size=st.integers(1, 600))
    def damage_a_dead_record(self, chances: random.Random, size: int) -> None:
        """Damage a record. It is lost and counted, and nothing else."""
        one = chances.choice(list(self.dead.values()))
        start = chances.randrange(one.size_bytes)
        with one.path.open("r+b") as file:
            file.seek(one.offset + start)
            before = file.read(min(size, one.size_bytes - start))
            file.seek(one.offset + start)
            file.write(bytes(byte ^ 0x5A for byte in before))
        del self.dead[one.events]
        self.lost_events += len(one.events.records)
        # The record may have removed others.
        self.possible |= self.removed

    @precondition(lambda self: self.running and not self.disk.is_full)
    @rule(chances=Chances)
    def delete_the_files_of_a_process(self, chances: random.Random) -> None:
        """They are written again with the next recovery."""
        spool = chances.choice(list(self.running))
        for path in {one.location.segment.path for one in self.running[spool] if one.is_on_disk}:
            path.unlink(missing_ok=True)
        self.recover_in(spool)

    @invariant()
    def running_processes_have_all_their_events(self) -> None:
        """Whatever happened to disks, files and other processes."""
        for spool, stored in self.running.items():
            for one, events in stored.items():
                assert spool.events(one) == events

    def recover_in(self, spool: Spool) -> None:
        """Recover, and compare with the model."""
        found, lost_events = spool.recover()
        recovered: dict[QueuedEvents, EncodedEvents] = {}
        for one in found:
            events = spool.events(one)
            if events is None:
                lost_events += one.count
                spool.remove([one])
            elif events in recovered.values():
                assert self.may_repeat, "only a kill while events move to another file repeats them"
                spool.remove([one])
            else:
                recovered[one] = events
        assert self.dead.keys() <= set(recovered.values()) <= self.dead.keys() | self.possible
        assert lost_events == self.lost_events
        self.running[spool].update(recovered)
        self.dead.clear()
        self.lost_events = 0

    def leave(self, spool: Spool) -> None:
        """Note what the process leaves on disk."""
        for one, events in self.running.pop(spool).items():
            if one.is_on_disk:
                location = one.location
                self.dead[events] = Dead(location.segment.path, location.offset, location.size_bytes, events)

    def kill(self, spool: Spool) -> None:
        """Close the files of a process as the operating system does."""
        self.leave(spool)
        others = {segment._file for other in self.running for segment in other._segments}
        for file in locked_file._open_files - others:
            file.close()


def test_the_spool_behaves_as_its_model() -> None:
    """Whatever the order of steps."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call,unused-ignore]  # hypothesis for Python 3.10 has no types
        SpoolModel, settings=settings(max_examples=RUNS, stateful_step_count=30, deadline=None)
    )
