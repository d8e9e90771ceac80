"""A segment is durable and exclusive. Damage loses the records it hits, and the count of lost events is exact."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_rum_exporter.delivery.spool import locked_file
from otel_rum_exporter.delivery.spool import segment as module
from otel_rum_exporter.delivery.spool.locked_file import BLOCK_BYTES, LockedFile
from otel_rum_exporter.delivery.spool.record import encode_record, first_block, read_segment
from otel_rum_exporter.delivery.spool.segment import Segment
from otel_rum_exporter.delivery.storage import QueuedEvents
from otel_rum_exporter.rum.event import RumEvent
from tests.delivery.queued import batch_key, event, queued

DAMAGES = 1000 if os.environ.get("LONG_FAULTS") else 40
EVENTS_PER_RECORD = 3
MIB = 1024 * 1024
ADOPT_PROGRAM = """
import sys, pathlib
from otel_rum_exporter.delivery.spool.segment import Segment
print(Segment.adopt(pathlib.Path(sys.argv[1])) is None)
"""


def put(segment: Segment, stored: list[QueuedEvents], replaced: list[QueuedEvents] | None = None) -> None:
    """Store events in a segment."""
    segment.put([(one, one.events.encode()) for one in stored if one.events is not None], replaced or [])


def remove(segment: Segment, stored: list[QueuedEvents]) -> None:
    """Remove events from a segment."""
    segment.forget(stored)
    segment.write_removals()


def adopted(path: Path) -> Segment:
    """Adopt a segment."""
    segment = Segment.adopt(path)
    assert segment is not None
    return segment


def reopened(segment: Segment) -> Segment:
    """Close a segment and open it again."""
    segment.close()
    return adopted(segment.path)


def contents(segment: Segment) -> list[tuple[RumEvent, ...] | None]:
    """Return the stored events."""
    return [read and read.events() for read in map(segment.read, segment.stored.values())]


def test_stored_events_are_readable_after_a_restart(tmp_path: Path) -> None:
    """With everything that the request needs."""
    segment = Segment.create(tmp_path, "eu")
    key = batch_key("é", monitor="other")
    stored = QueuedEvents.of(key, [event("ü"), event(2)], accepted_ns=7)
    expected = stored.events
    put(segment, [queued("a", 1), stored])
    assert stored.events is None
    segment = reopened(segment)
    assert segment.lost_events == 0
    _, found = segment.stored.values()
    assert (found.key, found.tally, found.accepted_ns) == (key, stored.tally, 7)
    assert segment.read(found) == expected
    segment.close()


def test_only_one_process_can_open_a_segment(tmp_path: Path) -> None:
    """Until that process closes it, or ends."""
    segment = Segment.create(tmp_path, "eu")
    put(segment, [queued("a", 1)])
    assert Segment.adopt(segment.path) is None
    command = [sys.executable, "-c", ADOPT_PROGRAM, str(segment.path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"
    segment.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_only_its_user_may_read_a_segment(tmp_path: Path) -> None:
    """Events contain what people did."""
    segment = Segment.create(tmp_path, "eu")
    assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    segment.close()


def test_removed_and_replaced_events_are_not_stored_any_more(tmp_path: Path) -> None:
    """Their replacement is."""
    segment = Segment.create(tmp_path, "eu")
    first, second, third = (queued("a", number) for number in range(3))
    put(segment, [first, second])
    remove(segment, [first])
    put(segment, [third], replaced=[second])
    assert list(segment.stored.values()) == [third]
    segment = reopened(segment)
    assert contents(segment) == [(event(2),)]
    assert segment.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_neither_unlocks_nor_inherits_the_segment_of_its_parent(tmp_path: Path) -> None:
    """The child adopts it once its parent is dead."""
    program = f"""
import os, pathlib, sys, time
from otel_rum_exporter.delivery.spool.segment import Segment
from tests.delivery.spool.test_segment import put
from tests.delivery.queued import queued
segment = Segment.create(pathlib.Path({str(tmp_path)!r}), "eu")
put(segment, [queued("a", 1)])
parent = os.getpid()
if os.fork() == 0:
    assert Segment.adopt(segment.path) is None
    print("locked", flush=True)
    while os.getppid() == parent:
        time.sleep(0.01)
    found = Segment.adopt(segment.path)
    print(found is not None and found.stored_events, flush=True)
    os._exit(0)
sys.stdin.read()
assert Segment.adopt(segment.path) is None
put(segment, [queued("a", 2)])
os._exit(0)
"""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=root, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "locked\n"
        process.stdin.close()
        assert process.stdout.readline() == "2\n"


def test_a_file_whose_creation_was_cut_short_has_lost_nothing() -> None:
    """A process may end before, during or after the write of the first block; the disk may have zeros for any rest."""
    block = first_block("eu")
    for size in (*range(64), 511, 512, 515, BLOCK_BYTES - 1, BLOCK_BYTES):
        for content in (block[:size], block[:size].ljust(64, b"\0"), block[:size].ljust(BLOCK_BYTES, b"\0")):
            assert read_segment(content).lost_events == 0, size


def test_a_segment_cut_at_any_byte_has_the_records_before_the_cut(tmp_path: Path) -> None:
    """The last record may end in its head, its label or its content."""
    segment = Segment.create(tmp_path, "eu")
    put(segment, [queued("a", 1)])
    put(segment, [queued("a", 2, 3)])
    segment.close()
    content = segment.path.read_bytes()
    (_, first), (_, second) = read_segment(content).stored
    for size in range(first.content.stop, second.content.stop):
        assert [record.offset for _, record in read_segment(content[:size]).stored][:1] == [first.offset]
    twice = content[: second.offset] + content[first.offset :]
    assert len(read_segment(twice).stored) == 2, "a record that occurs twice hides none behind it"


@pytest.fixture(scope="module")
def full_segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a segment of 300 records in several writes, some of them removed."""
    segment = Segment.create(tmp_path_factory.mktemp("spool"), "eu")
    randomness = random.Random(1)
    for start in range(0, 300, 20):
        rows = []
        for number in range(start, start + 20):
            events = [event(name, size=randomness.choice((10, 300, 5000))) for name in names(number)]
            rows.append(QueuedEvents.of(batch_key(str(number % 7)), events, number))
        put(segment, rows)
        remove(segment, [one for one in rows if one.accepted_ns % 10 == 0])
    segment.close()
    return segment.path


def names(number: int) -> list[str]:
    """Return the names of the events in a record."""
    return [f"{number}/{index}" for index in range(EVENTS_PER_RECORD)]


ALL = {event(name).id for number in range(300) for name in names(number)}
REMOVED = {event(name).id for number in range(0, 300, 10) for name in names(number)}


@pytest.fixture
def _no_syncs() -> Iterator[None]:
    """Skip the waits for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LockedFile, "sync", lambda _: None)
        yield


@pytest.mark.usefixtures("_no_syncs")
@settings(max_examples=DAMAGES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["bit", "zeros", "noise", "sector", "cut"]), place=st.floats(0, 1, exclude_max=True))
def test_damage_loses_only_the_records_it_hits_and_counts_them_exactly(
    full_segment: Path, kind: str, place: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A changed bit, a zeroed or random block, a truncated file. A second process finds the same, and no loss again."""
    path = tmp_path_factory.mktemp("damaged") / full_segment.name
    content = bytearray(full_segment.read_bytes())
    records = {record.seq: (record.offset, record.content.stop) for _, record in read_segment(bytes(content)).stored}
    offset = int(place * len(content))
    if kind == "cut":
        start, end = offset, len(content)
        del content[offset:]
    else:
        size = {"bit": 1, "sector": 512}.get(kind, BLOCK_BYTES)
        start = offset - offset % size
        end = min(start + size, len(content))
        noise = random.Random(offset).randbytes(end - start)
        content[start:end] = bytes([content[start] ^ 1 << offset % 8]) if kind == "bit" else noise
        if kind == "zeros":
            content[start:end] = bytes(end - start)
    path.write_bytes(content)
    path.chmod(0o600)
    segment = adopted(path)
    read = contents(segment)
    lost = segment.lost_events + sum(
        one.count for one, events in zip(list(segment.stored.values()), read, strict=True) if events is None
    )
    whole = {one.id for events in read if events for one in events}
    assert whole <= ALL
    hit = sum(start < stop and begin < end for begin, stop in records.values())
    if kind == "cut" and offset < BLOCK_BYTES:
        assert (len(whole), lost) == (0, len(ALL) if offset >= 36 else int(offset > 14))
    else:
        # Damage to a removal restores what it removed; both together are counted as far as the records show.
        restored = len(whole & REMOVED)
        assert len(whole - REMOVED) >= len(ALL - REMOVED) - hit * EVENTS_PER_RECORD
        assert len(whole - REMOVED) + lost >= len(ALL - REMOVED)
        if not restored and kind != "cut":
            assert len(whole) + lost == len(ALL - REMOVED)
    damaged = [one for one, events in zip(list(segment.stored.values()), read, strict=True) if events is None]
    remove(segment, damaged)
    segment = reopened(segment)
    assert segment.lost_events == 0
    assert {one.id for events in contents(segment) for one in events or ()} == whole
    segment.close()


@pytest.mark.parametrize("number", range(3))
def test_damage_is_counted_by_one_process_only(tmp_path: Path, number: int) -> None:
    """Whether or not the next process writes anything."""
    segment = Segment.create(tmp_path, "eu")
    rows = [queued("a", 1), queued("a", 2, 3), queued("b", 4)]
    put(segment, rows)
    with segment.path.open("r+b") as file:
        file.seek(rows[number].location.offset)
        file.write(bytes(20))
    for lost_events in (rows[number].count, 0, 0):
        segment = reopened(segment)
        assert (segment.lost_events, len(segment.stored)) == (lost_events, 2)
    segment.close()


def test_damage_to_the_first_block_loses_nothing(full_segment: Path, tmp_path: Path) -> None:
    """The records are found by themselves."""
    path = tmp_path / full_segment.name
    shutil.copy(full_segment, path)
    with path.open("r+b") as file:
        file.write(bytes(BLOCK_BYTES))
    segment = adopted(path)
    assert {one.id for events in contents(segment) for one in events or ()} == ALL - REMOVED
    assert segment.lost_events == 0
    segment.close()


@pytest.mark.parametrize("missing", [1, 100, 300, 500])
def test_a_write_torn_by_a_crash_is_not_counted_as_lost(tmp_path: Path, missing: int) -> None:
    """It was never accepted: the header does not include it."""
    segment = Segment.create(tmp_path, "eu")
    for number in range(50):
        put(segment, [queued("a", number)])
    header = segment.path.read_bytes()[:BLOCK_BYTES]
    put(segment, [queued("a", 50), queued("b", 51), queued("c", 52)])
    content = segment.path.read_bytes()
    segment.path.write_bytes(header + content[BLOCK_BYTES:-missing] + bytes(missing // 2))
    segment = reopened(segment)
    assert segment.lost_events == 0
    found = {one.id for events in contents(segment) for one in events or ()}
    assert {event(number).id for number in range(50)} <= found < {event(number).id for number in range(53)}
    put(segment, [queued("a", 60)])
    segment = reopened(segment)
    assert (segment.lost_events, segment.stored_events) == (0, len(found) + 1)
    segment.close()


def test_after_a_torn_write_nothing_behind_a_missing_record_counts(tmp_path: Path) -> None:
    """A power loss may keep any part of a write that was not synced."""
    segment = Segment.create(tmp_path, "eu")
    put(segment, [queued("a", 1)])
    before = segment.path.read_bytes()
    second, third = queued("a", 2), queued("a", 3)
    put(segment, [second, third], replaced=list(segment.stored.values()))
    content = bytearray(segment.path.read_bytes())
    content[:BLOCK_BYTES] = before[:BLOCK_BYTES]
    start = second.location.offset
    content[start : start + second.location.size_bytes] = bytes(second.location.size_bytes)
    segment.path.write_bytes(content)
    segment = reopened(segment)
    assert (contents(segment), segment.lost_events) == ([(event(1),)], 0)
    segment.close()


def test_ctrl_c_during_a_write_leaves_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not accepted, and must not appear behind later events."""
    segment = Segment.create(tmp_path, "eu")

    def interrupt(_: LockedFile) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LockedFile, "sync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            put(segment, [queued("a", 1)])
    put(segment, [queued("a", 2)])
    segment = reopened(segment)
    assert contents(segment) == [(event(2),)]
    segment.close()


def test_a_block_that_the_disk_cannot_read_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros stand for it, in its place."""
    path = tmp_path / "file"
    content = os.urandom(3 * BLOCK_BYTES + 100)
    path.write_bytes(content)
    path.chmod(0o600)
    read, damaged = locked_file._read, 2 * BLOCK_BYTES + 7

    def fail(fd: int, size_bytes: int, offset: int) -> bytes:
        if offset <= damaged < offset + size_bytes:
            raise OSError(errno.EIO, "Input/output error")
        return read(fd, size_bytes, offset)

    monkeypatch.setattr(locked_file, "_read", fail)
    file = LockedFile.open(path)
    assert file is not None
    found = file.read(file.size_bytes)
    file.close()
    assert found == content[: 2 * BLOCK_BYTES] + bytes(BLOCK_BYTES) + content[3 * BLOCK_BYTES :]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_segment_that_a_full_disk_leaves_with_part_of_a_write_takes_no_more(tmp_path: Path) -> None:
    """The part cannot be cut off, and would be taken for the start of the next record."""
    segment = Segment.create(tmp_path, "eu")
    with Path("/dev/full").open("r+b", buffering=0) as full:
        os.dup2(full.fileno(), segment._file._fd)
    with pytest.raises(OSError, match="No space left"):
        put(segment, [queued("a", 1)])
    assert not segment.is_writable
    segment.close()


@pytest.mark.parametrize(
    "label", [b"", b"[]", b"{}", b'[[],{"tally":1}]', b'[[],[[1,2,3,4],5,6,[["m"],"s","u"]]]', b"[[[1]],null]", b"\xff"]
)
def test_a_record_of_a_later_version_is_counted_and_blocks_nothing(tmp_path: Path, label: bytes) -> None:
    """Its checksum is right, but its content is unknown."""
    segment = Segment.create(tmp_path, "eu")
    put(segment, [queued("a", 1)])
    later = later_record(seq=2, events_before=1, events=4, label=label)
    segment.path.write_bytes(segment.path.read_bytes() + later + encode_record(3, 5, [], queued("a", 2), b"[]"))
    segment = reopened(segment)
    assert (segment.stored_events, segment.lost_events) == (2, 4)
    assert segment.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\x80", b"[1,2,3]\n{}", b"[[1]]", b'["{}",null,"id","new"]\n{}']
)
def test_a_content_of_a_later_version_is_not_read(tmp_path: Path, content: bytes) -> None:
    """Its events are dropped, and do not stop delivery."""
    segment = Segment.create(tmp_path, "eu")
    put(segment, [queued("a", 1)])
    segment.path.write_bytes(segment.path.read_bytes() + encode_record(2, 1, [], queued("a", 2), content))
    segment = reopened(segment)
    assert contents(segment) == [(event(1),), None]
    segment.close()


def test_a_hole_in_a_file_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system or program that failed may leave any size. A gigabyte was read, or MemoryError raised."""
    monkeypatch.setattr(module, "MIN_READ_BYTES", 4 * BLOCK_BYTES)
    segment = Segment.create(tmp_path, "eu")
    put(segment, [queued("a", 1)])
    with segment.path.open("r+b") as file:
        file.truncate(1 << 40)
    tracemalloc.start()
    try:
        segment = reopened(segment)
        assert tracemalloc.get_traced_memory()[1] < 100 * MIB
    finally:
        tracemalloc.stop()
    assert contents(segment) == [(event(1),)]
    assert segment.path.stat().st_size < MIB
    segment.close()


def test_false_starts_of_records_take_linear_time() -> None:
    """The sizes in them are those of the whole file: it would be checked once for each of them."""
    block = first_block("eu") + b"\xffRS\x01" * 100_000
    began = time.process_time()
    assert read_segment(block + encode_record(1, 0, [], queued("a", 1), b"[]")).events == 1
    assert time.process_time() - began < 3


def later_record(*, seq: int, events_before: int, events: int, label: bytes) -> bytes:
    """Return a record with a label that this version cannot read."""
    checked = struct.pack(">2Q4I", seq, events_before, events, len(label), 0, 0) + label
    return b"\xffRS\x01" + struct.pack(">I", zlib.crc32(checked)) + checked


def test_events_stored_by_former_versions_are_read(tmp_path: Path) -> None:
    """Their records have a list of events, each with the metadata of its session."""
    former = [
        (f"{number:036}", 1_500_000_000, "work", "{}", '{"own":1}', f'{{"browser":{number}}}', record)
        for number, record in enumerate(("span", "log", ""))
    ]
    for count in (1, 2, 3):
        segment = Segment.create(tmp_path, "rum")
        segment.put([(queued("s", *range(count)), orjson.dumps(former[:count]))])
        segment = reopened(segment)
        (stored,) = segment.stored.values()
        read = segment.read(stored)
        segment.close()
        assert read is not None
        assert [event.record for event in read.events()] == ["span", "log", ""][:count]
        members = [event.members for event in read.events()]
        assert [one["id"] for one in members] == [f"{number:036}" for number in range(count)]
        assert [one["timestamp"] for one in members] == [1.5] * count
        assert read.session_metadata == "{}"
        metadata = [orjson.loads(one["metadata"]) for one in members]
        assert metadata == [{"browser": number, "own": 1} for number in range(count)]
