"""Files that belong to the process that holds their lock. The operating system releases it when the process ends.

A forked child inherits the lock, because `flock` belongs to the open file. It closes the file, which leaves the lock to
its parent: https://man7.org/linux/man-pages/man2/flock.2.html
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BLOCK_BYTES = 4096
_LOCKED_BYTE = 0x7FFF0000
"""Windows prevents others from reading a locked byte, so it is one behind the end of any file."""

_LOCK_ERRORS = frozenset((errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK))
# A link may lead to any file, and opening a pipe may wait forever.
_FLAGS = os.O_RDWR | sum(getattr(os, f"O_{name}", 0) for name in ("BINARY", "NOFOLLOW", "NONBLOCK", "NOINHERIT"))
_sync = getattr(os, "fdatasync", os.fsync)
_open_files: set[LockedFile] = set()


class LockedFile:
    """An open and locked file. Not thread-safe. Methods raise OSError."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        _open_files.add(self)

    @classmethod
    def open(cls, path: Path, *, is_new: bool = False) -> LockedFile | None:
        """Open and lock a regular file of this user; None if another process holds its lock or deleted it."""
        file = cls(path, os.open(path, _FLAGS | (os.O_CREAT | os.O_EXCL if is_new else 0), 0o600))
        try:
            if file._is_regular() and file._lock() and file.is_in_place():
                return file
        except BaseException:
            if is_new:  # A file system without locks refuses each attempt, and each would leave a file.
                file.discard()
            file.close()
            raise
        file.close()
        return None

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return os.fstat(self._fd).st_size

    @property
    def allocated_bytes(self) -> int:
        """The space that the file takes on disk: less than its size if it has a hole, or is compressed."""
        status = os.fstat(self._fd)
        return status.st_size if sys.platform == "win32" else status.st_blocks * 512

    def is_in_place(self) -> bool:
        """Return whether other processes can find the file."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._fd), self.path.lstat())
        return False

    def read(self, size_bytes: int, offset: int = 0) -> bytes:
        """Return content of the file. Zeros stand for blocks that the disk cannot read, so that others are not lost."""
        with contextlib.suppress(OSError):
            return _read(self._fd, size_bytes, offset)
        content = bytearray(size_bytes)
        for start in range(0, size_bytes, BLOCK_BYTES):
            with contextlib.suppress(OSError):
                block = _read(self._fd, min(BLOCK_BYTES, size_bytes - start), offset + start)
                content[start : start + len(block)] = block
        return bytes(content)

    def write(self, content: bytes, offset: int) -> None:
        """Write content to the file."""
        rest = memoryview(content)
        while rest:
            written = _write(self._fd, rest, offset)
            rest, offset = rest[written:], offset + written

    def truncate(self, size_bytes: int) -> None:
        """Cut the file."""
        os.ftruncate(self._fd, size_bytes)

    def sync(self) -> None:
        """Wait until the content is durable."""
        _sync(self._fd)

    def sync_name(self) -> None:
        """Wait until the name of a new file is durable."""
        if sys.platform != "win32":
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def close(self) -> None:
        """Close the file, for another process to open."""
        _open_files.discard(self)
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def discard(self) -> bool:
        """Close and delete the file; false if it cannot be deleted."""
        if sys.platform == "win32":  # which deletes no open file
            self.close()
        try:
            if self._fd < 0 or self.is_in_place():
                self.path.unlink()
        except FileNotFoundError:
            pass
        except OSError:
            return self._fd < 0
        self.close()
        return True

    def _is_regular(self) -> bool:
        status = os.fstat(self._fd)
        return stat.S_ISREG(status.st_mode) and (sys.platform == "win32" or status.st_uid == os.geteuid())

    def _lock(self) -> bool:
        try:
            if sys.platform == "win32":
                os.lseek(self._fd, _LOCKED_BYTE, os.SEEK_SET)
                msvcrt.locking(self._fd, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _LOCK_ERRORS:
                return False
            raise
        return True


if sys.platform == "win32":

    def _read(fd: int, size_bytes: int, offset: int) -> bytes:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size_bytes)

    def _write(fd: int, content: memoryview, offset: int) -> int:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, content)

else:
    _read, _write = os.pread, os.pwrite


def _close_in_child() -> None:
    for file in list(_open_files):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
