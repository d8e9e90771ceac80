"""The work of one invocation: messages are decoded, accepted by the pipeline, and delivered within the time left."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from .._log import log_line
from .._receipt import Receipt
from ..config import Config, unknown_variables
from ..exporter.pipeline import QueueFullError
from ..exporter.registry import SharedPipeline
from ..otlp import OtlpError, decode_message
from ..rum.client import suppressed_instrumentation

RESERVED_SECONDS = 1.0
"""Time to return the response; a fifth of the time left, if that is less."""

SETTLE_SECONDS = 0.1
"""Receipts settle an instant after their events leave the queue, in other threads."""

MAX_KNOWN_MESSAGES = 20_000
"""The number of messages of failed batches that are remembered. A batch has at most 10,000."""


class Context(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


class Message(NamedTuple):
    """A message of an event. Its key is the same when it comes again; `read` returns its content.

    `read` raises UnreadableError or OtlpError.
    """

    key: Hashable
    name: str
    read: Callable[[], bytes]


class UnreadableError(Exception):
    """The content of a message cannot be read now."""


class UndeliveredError(Exception):
    """Messages failed, and the event source learns of it only from an exception."""


class Delivery:
    """The delivery of one message, which goes on in later invocations if it is not settled in its own."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self.is_settled = False

    def settle(self) -> None:
        """Mark the message as delivered, or dropped and counted."""
        with self._changed:
            self.is_settled = True
            self._changed.notify_all()


@dataclass
class Report:
    """The log lines of an invocation: one line for each kind of failure, with its first case."""

    messages: int
    unreadable: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    rejected_records: int = 0

    def log(self, failed: int) -> None:
        """Log the failures; `failed` is the number of all failed messages."""
        if late := failed - len(self.unreadable):
            log_line(
                logging.WARNING,
                "%d of %d messages not delivered in time; the event source sends them again. To fix: raise the timeout"
                " of the function, or send fewer messages in a batch.",
                late,
                self.messages,
            )
        if self.unreadable:
            log_line(
                logging.WARNING,
                "%d of %d messages failed because they cannot be read; the first is %s. The event source sends them to"
                " its on-failure target after their retries. To fix: send OTLP in protobuf or JSON that the function"
                " may read.",
                len(self.unreadable),
                self.messages,
                self.unreadable[0],
            )
        if self.rejected:
            log_line(
                logging.WARNING,
                "%d records rejected in %d messages, whose other records are delivered; the first is %s. To fix:"
                " correct their sender.",
                self.rejected_records,
                len(self.rejected),
                self.rejected[0],
            )


class Deliveries:
    """The deliveries of this process. Thread-safe.

    If a message of a batch fails, sources send others of the batch again. What is delivered or still queued here is
    remembered until then, so that it is not sent twice.
    """

    def __init__(self, shared: SharedPipeline) -> None:
        self._shared = shared
        self._changed = threading.Condition()
        self._known: OrderedDict[Hashable, Delivery] = OrderedDict()

    def undelivered(self, messages: Sequence[Message], timeout_seconds: float) -> list[int]:
        """Deliver messages, and return the positions of those that failed.

        A message failed if it cannot be decoded, the pipeline has no room for it, or the time ran out.
        """
        deadline = time.monotonic() + timeout_seconds
        report = Report(len(messages))
        deliveries = [self._known_or_accepted(message, deadline, report) for message in messages]
        pipeline = self._shared.pipeline
        pipeline.resolve_pending()  # now, because Lambda freezes the process after the response
        accepted = [delivery for delivery in deliveries if delivery]

        def is_settled() -> bool:
            return all(delivery.is_settled for delivery in accepted)

        # Not longer, because events of earlier invocations may wait for an app monitor that RUM refuses.
        is_empty = pipeline.flush(deadline - time.monotonic(), until=is_settled)
        with self._changed:
            left_seconds = max(0.0, deadline - time.monotonic())
            self._changed.wait_for(is_settled, left_seconds if is_empty else min(left_seconds, SETTLE_SECONDS))
            failed = [at for at, delivery in enumerate(deliveries) if not (delivery and delivery.is_settled)]
            for message, delivery in zip(messages, deliveries, strict=True):
                self._known.pop(message.key, None)
                if failed and delivery:
                    self._known[message.key] = delivery
            while len(self._known) > MAX_KNOWN_MESSAGES:
                self._known.popitem(last=False)
        report.log(len(failed))
        return failed

    def _known_or_accepted(self, message: Message, deadline: float, report: Report) -> Delivery | None:
        """Return the delivery of a message; None if it failed, with its reason if it cannot be read."""
        with self._changed:
            known = self._known.get(message.key)
        if known is not None or time.monotonic() >= deadline:
            return known
        try:
            decoded = decode_message(message.read())
        except (OtlpError, UnreadableError) as error:
            report.unreadable.append(f"{message.name}: {error}")
            return None
        if decoded.rejected:
            report.rejected_records += decoded.rejected
            report.rejected.append(f"{message.name}: {decoded.failures[0]}")
        delivery = Delivery(self._changed)
        receipt = Receipt(delivery.settle)
        try:
            self._shared.pipeline.accept(decoded.spans, decoded.log_records, receipt)
        except QueueFullError:
            return None
        receipt.release()
        with self._changed:
            self._known[message.key] = delivery  # the same message may be in this batch twice
        return delivery


def undelivered(messages: Sequence[Message], context: Context) -> list[int]:
    """Deliver the messages of an invocation within its time left; see `Deliveries.undelivered`.

    Raises:
        ConfigError: a setting is wrong.
    """
    left_seconds = context.get_remaining_time_in_millis() / 1000
    timeout_seconds = left_seconds - min(RESERVED_SECONDS, left_seconds / 5)
    with suppressed_instrumentation():
        return _deliveries().undelivered(messages, timeout_seconds)


@functools.lru_cache(maxsize=1)
def _deliveries() -> Deliveries:
    """Return the deliveries of this process, with the settings of its environment."""
    config = Config.read({}, os.environ)
    for line in unknown_variables(os.environ):
        log_line(logging.WARNING, "%s.", line)
    if config.spool_directory:
        log_line(
            logging.WARNING,
            "spool_directory is ignored in Lambda, whose disk ends with the environment: the event source keeps what"
            " is not delivered. To fix: unset it.",
        )
        config = replace(config, spool_directory=None)
    return Deliveries(SharedPipeline(config, None))
