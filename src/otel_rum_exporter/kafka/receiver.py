"""Hands messages to the pipeline, and learns from their receipts when they need no redelivery."""

from __future__ import annotations

import queue
from functools import partial
from typing import NamedTuple, TypeAlias

from .._log import RateLimitedLog
from .._receipt import Receipt
from ..exporter.pipeline import Pipeline, QueueFullError
from ..ledger import DropReason
from ..otlp import DecodeResult, OtlpError, decode_message
from .dead_letters import DeadLetters
from .message import ConsumedMessage
from .metrics import Counts
from .partition import Partition

Assigned: TypeAlias = Partition[ConsumedMessage]


class UndecodableError(Exception):
    """A message cannot be decoded, and the settings say to stop."""


class Settled(NamedTuple):
    """A message whose receipt settled."""

    partition: Assigned
    offset: int
    receipt: Receipt


class Receiver:
    """Decode messages, and hand their records to the pipeline. Not thread-safe; receipts settle in other threads.

    Without dead letters, a message that cannot be decoded is skipped, or stops the consumer if `stops` is true.
    """

    def __init__(
        self, pipeline: Pipeline, dead_letters: DeadLetters | None, counts: Counts, log: RateLimitedLog, *, stops: bool
    ) -> None:
        self._pipeline = pipeline
        self._dead_letters = dead_letters
        self._counts = counts
        self._log = log
        self._stops = stops
        self._settled: queue.SimpleQueue[Settled] = queue.SimpleQueue()

    def receive(self, partition: Assigned, message: ConsumedMessage) -> bool:
        """Hand over a message of a partition; false if there is no room for its records.

        Raises:
            UndecodableError: if it cannot be decoded, and the consumer must stop.
        """
        try:
            decoded = decode_message(message.value)
        except OtlpError as error:
            self._undecodable(partition, message, str(error))
            return True
        receipt = Receipt(lambda: self._settled.put(Settled(partition, message.offset, receipt)))
        try:
            self._pipeline.accept(decoded.spans, decoded.log_records, receipt)
        except QueueFullError:
            return False
        self._count(message, decoded)
        receipt.release()
        return True

    def settle(self, seconds: float = 0.0) -> None:
        """Note what has settled; wait for the first up to some seconds."""
        if self._dead_letters is not None:
            self._dead_letters.poll()
        try:
            one = self._settled.get(timeout=seconds) if seconds else self._settled.get_nowait()
            while True:
                self._settle(one)
                one = self._settled.get_nowait()
        except queue.Empty:
            return

    def _settle(self, settled: Settled) -> None:
        partition, offset, receipt = settled
        message = partition.message(offset)
        if DropReason.APP_MONITOR_REFUSED in receipt.dropped and self._dead_letters is not None and message is not None:
            reason = f"RUM refuses the app monitor: {DropReason.APP_MONITOR_REFUSED.value}"
            self._dead_letters.send(message, reason, partial(partition.settle, offset))
        else:
            partition.settle(offset)

    def _undecodable(self, partition: Assigned, message: ConsumedMessage, reason: str) -> None:
        place = f"{message.topic}[{message.partition}] at offset {message.offset}"
        if self._dead_letters is not None:
            self._dead_letters.send(message, reason, partial(partition.settle, message.offset))
            consequence = "it goes to the dead-letter topic"
        elif self._stops:
            raise UndecodableError(f"{place} cannot be decoded ({reason}). To fix: set --dead-letter-topic")
        else:
            partition.settle(message.offset)
            consequence = "it is skipped"
        self._counts.undecodable += 1
        self._log.add(
            "undecodable",
            "the message %s cannot be decoded (%s); %s. To fix: send OTLP spans or logs to this topic.",
            place,
            reason,
            consequence,
        )

    def _count(self, message: ConsumedMessage, decoded: DecodeResult) -> None:
        self._counts.records += len(decoded.records)
        self._counts.rejected += decoded.rejected
        if decoded.rejected:
            self._log.add(
                "rejected",
                "%d records of a message on %s cannot be read (%s); the others are sent. To fix: correct their sender.",
                decoded.rejected,
                message.topic,
                decoded.failures[0] if decoded.failures else "unknown",
            )
