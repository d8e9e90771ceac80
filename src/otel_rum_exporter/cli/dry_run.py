"""Count the events of OTLP files without sending them."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import BinaryIO

from .._log import RateLimitedLog
from ..config import Config
from ..ledger import Ledger
from ..mapping.converter import Converter
from ..mapping.identity import Moment
from ..mapping.outcome import Converted
from ..otlp import OtlpError, read_bodies


class DryRun:
    """The events that all files together become, by type, and the records that become none."""

    def __init__(self, config: Config) -> None:
        self.events: Counter[str] = Counter()
        self.left_out = 0
        self.unread = 0
        self._converter = Converter(config, new_id=lambda: str(uuid.uuid4()), ledger=Ledger(), log=RateLimitedLog())

    def read(self, stream: BinaryIO) -> None:
        """Convert the records of a file.

        Raises:
            OtlpError: the rest of the file cannot be read.
        """
        for body in read_bodies(stream, 0):
            try:
                decoded = body.decode()
            except OtlpError:
                self.unread += 1
                continue
            self.unread += decoded.unread
            self.count(self._converter.spans(decoded.spans, _now()))
            self.count(self._converter.log_records(decoded.log_records, _now()))

    def finish(self) -> None:
        """Convert the records that wait for their parents."""
        self.count(self._converter.close(_now()))

    def count(self, converted: Converted) -> None:
        """Count what a body became."""
        for outcome in converted.outcomes:
            self.events.update(event.type for event in outcome.events)
            self.left_out += outcome.left_out is not None


def _now() -> Moment:
    return Moment(time.time_ns(), time.monotonic_ns())
