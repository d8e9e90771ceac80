"""Where telemetry comes in: in front of the street, which is imported and built with the first of it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._fork import UNFORKED
from .._log import RateLimitedLog
from ..config import Config
from ..ledger import Ledger

if TYPE_CHECKING:  # what is imported here costs the application's start
    from ..mapping.log_view import LogRecord
    from ..mapping.span_view import Span
    from ..rum.client import RumClient
    from .stages import Convert, Street


class OutboxFullError(Exception):
    """What was to be accepted is not kept as it should be: there is no room, or the disk fails."""


class Pipeline:
    """Take telemetry in, deliver events. Thread-safe; bound to the process that made it."""

    def __init__(self, config: Config, client: RumClient | None = None) -> None:
        self.ledger = Ledger()
        self._config = config
        self._client = client
        self._log = RateLimitedLog()
        self._timeout_seconds = config.timeout_millis / 1000
        self._lock = threading.RLock()
        self._deferred: deque[Convert] = deque()
        self._locks = [self._lock, self.ledger.lock, self._log.lock, UNFORKED]
        self._street: Street | None = None
        self._is_closed = False

    def start(self) -> None:
        """Where there is a spool, begin to deliver what dead processes left; else the first export begins."""
        if self._config.spool_directory:
            self._open().delivery.start()

    def export_spans(self, spans: Sequence[Span]) -> None:
        """Accept spans, and wait for their delivery while the load is light; what is left stays stored."""
        self._export(lambda conversion, now: conversion.spans(spans, now))

    def export_log_records(self, records: Sequence[LogRecord]) -> None:
        """Accept log records, and wait as for spans."""
        self._export(lambda conversion, now: conversion.log_records(records, now))

    def accept_spans(self, spans: Sequence[Span]) -> None:
        """Accept spans that their sender keeps until this returns, without waiting for delivery.

        Raises:
            OutboxFullError: there is no room, or they are not as safe as the settings ask; the sender shall come again.
        """
        self._accept_safely(lambda conversion, now: conversion.spans(spans, now))

    def accept_log_records(self, records: Sequence[LogRecord]) -> None:
        """Accept log records, as spans."""
        self._accept_safely(lambda conversion, now: conversion.log_records(records, now))

    @property
    def has_room(self) -> bool:
        """Whether `accept_spans` would accept something now."""
        street = self._street
        return street is None or not (street.delivery.is_full or street.store.is_failing)

    def release(self) -> None:
        """Convert all that waits for its parents; from now on nothing does."""
        self._accept(lambda conversion, now: conversion.close(now))

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until every event accepted is delivered or dropped; false when time ran out.

        A span that waits for its parent goes on waiting: nobody knows yet whose it is.
        """
        self._catch_up()
        return self._street is None or self._street.delivery.flush(timeout_seconds)

    def farewell(self, timeout_seconds: float) -> None:
        """Try at once to deliver what is stored, within the time given and the time-out set."""
        self._catch_up()
        if self._street is not None:
            self._street.delivery.final_flush(min(timeout_seconds, self._timeout_seconds))

    def close(self, timeout_seconds: float) -> None:
        """Deliver what is stored within the time given and the time-out set, and count the rest as dropped."""
        self._catch_up()
        self._is_closed = True
        if self._street is not None:
            self.release()
            self._street.close(min(timeout_seconds, self._timeout_seconds))

    def _open(self) -> Street:
        """Return the street; who comes first imports and builds it."""
        if self._street is not None:
            return self._street
        with UNFORKED:
            from .stages import Street
        with self._lock:
            if self._street is not None:
                return self._street
            street = Street(
                self._config,
                self._client,
                ledger=self.ledger,
                log=self._log,
                release=self._release,
                between=self._catch_up,
            )
            self._locks.append(street.delivery.lock)
            self._street = street
            if self._is_closed:
                street.take(lambda conversion, now: conversion.close(now))
                street.close(0.0)
        # With no lock held: a meter provider has locks of its own, and calls functions that may come here.
        street.observe()
        return street

    def _export(self, convert: Convert) -> None:
        if self._accept(convert):
            self._open().delivery.wait(self._timeout_seconds)

    def _accept(self, convert: Convert) -> bool:
        """Convert, and give the events to the delivery.

        False where that must be left for later: a signal handler, or a finalizer that the garbage collector runs, may
        end a span in the midst of our own work, whose halves it would see, and whose locks would have it wait for ever.
        """
        if self._is_amid_work():
            self._deferred.append(convert)
            return False
        street = self._open()
        with self._lock:
            street.take(convert)
        self._catch_up()
        return True

    def _is_amid_work(self) -> bool:
        return any(lock._is_owned() for lock in self._locks)  # type: ignore[attr-defined] # noqa: SLF001 - as Condition

    def _catch_up(self) -> None:
        """Do what was left for later: convert, and write log lines."""
        if self._is_amid_work():
            return
        while self._deferred:
            street = self._open()
            with self._lock:
                if self._deferred:
                    street.take(self._deferred.popleft())
        self._log.write()

    def _release(self) -> None:
        self._accept(lambda conversion, now: conversion.expire(now))

    def _accept_safely(self, convert: Convert) -> None:
        street = self._open()
        if street.delivery.is_full:
            raise OutboxFullError("there is no room: RUM takes less than what comes in")
        if not street.store.is_failing and not street.delivery.is_closed:
            self._accept(convert)
        # What was kept in spite of it may be delivered twice, which is better than not at all.
        if street.store.is_failing or street.delivery.is_closed:
            raise OutboxFullError("the spool cannot be written, or the pipeline is closed")
