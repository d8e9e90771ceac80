"""One export request, however it came: decoded, routed, and accepted by the pipeline before anybody is answered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..config import Config
from ..exporter.pipeline import Pipeline, QueueFullError
from ..otlp import (
    Decoded,
    DecodedLogRecord,
    DecodedResource,
    DecodedSpan,
    OtlpError,
    Signal,
    TooManyRecordsError,
    decode_json,
    decode_protobuf,
)
from .client import Buckets, Sender
from .error_response import Reason, RefusedError
from .metrics import Counts
from .response import Encoding
from .routing import NoRouteError, Route, Routing, bound_ids
from .settings import GatewaySettings

MAX_RECORDS = 100_000
"""Spans, log records and blocks in one request. SDKs send 512 at once, Collectors 8,192."""

MAX_JSON_VALUES = 4_000_000
"""Lists, objects and their members in one request; each takes much more memory than the two bytes it is written in."""

RETRY_FULL_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request that was taken: how many records were not, and why."""

    rejected: int
    message: str


class Receiver:
    """Take requests in. Thread-safe."""

    def __init__(
        self,
        pipeline: Callable[[], Pipeline],
        config: Config,
        settings: GatewaySettings,
        counts: Counts,
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._routing = Routing(config, settings)
        self._counts = counts
        self._requests = Buckets(settings.client_requests_per_second, "requests")
        self._bytes = Buckets(settings.client_bytes_per_second, "bytes")
        self._records = Buckets(settings.max_records_per_second, "records for one app monitor")
        self.is_closing = False

    def admit(self, sender: Sender) -> None:
        """Count a request against its sender's rate, before its body is read.

        Raises:
            RefusedError: when it may not come now.
        """
        if self.is_closing:
            raise RefusedError(Reason.OVERLOADED, "the gateway is shutting down")
        self._requests.take(sender.address, 1, time.monotonic())

    def receive(self, signal: Signal, encoding: Encoding, body: bytes, sender: Sender) -> Receipt:
        """Accept what is in a decompressed body; when this returns, the pipeline has it.

        Raises:
            RefusedError: when nothing of it was accepted.
        """
        self._bytes.take(sender.address, len(body), time.monotonic())
        decoded = _decoded(signal, encoding, body)
        records, unrouted = self._routed(decoded, sender)
        self._accept(signal, records)
        rejected = decoded.rejected + sum(unrouted.values())
        self._counts.received(signal, len(decoded.records) + decoded.rejected, rejected)
        reasons = [f"{count} rejected: {why}" for why, count in unrouted.items()]
        if decoded.rejected:
            told = "; ".join(map(str, decoded.faults[:3]))
            reasons.append(f"{decoded.rejected} rejected: {told}")
        return Receipt(rejected, "; ".join(reasons))

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken."""
        return not self.is_closing and self._pipeline().has_room

    def _routed(self, decoded: Decoded, sender: Sender) -> tuple[list[DecodedSpan | DecodedLogRecord], Counter[str]]:
        """Return the records that go somewhere, with the resource of their route; count the others by reason."""
        unrouted: Counter[str] = Counter()
        routes: dict[int, Route | str] = {}
        records, quota = [], Counter[str]()
        for record in decoded.records:
            route = routes.get(id(record.resource))
            if route is None:
                route = routes[id(record.resource)] = self._route(record.resource, sender)
            if isinstance(route, str):
                unrouted[route] += 1
                continue
            quota[route.monitor_id] += 1
            record.resource = route.resource
            bound_ids(record.attributes if isinstance(record, DecodedSpan) else record.log_record.attributes)
            records.append(record)
        now = time.monotonic()
        for monitor_id, count in quota.items():
            self._records.take(monitor_id, count, now)
        return records, unrouted

    def _route(self, resource: DecodedResource, sender: Sender) -> Route | str:
        try:
            return self._routing.route(resource, sender, time.time_ns())
        except NoRouteError as error:
            return str(error)

    def _accept(self, signal: Signal, records: list[DecodedSpan | DecodedLogRecord]) -> None:
        try:
            pipeline = self._pipeline()
            if signal is Signal.TRACES:
                pipeline.accept_spans([record for record in records if isinstance(record, DecodedSpan)])
            else:
                pipeline.accept_log_records([record for record in records if isinstance(record, DecodedLogRecord)])
        except QueueFullError as error:
            raise RefusedError(Reason.OVERLOADED, str(error), RETRY_FULL_SECONDS) from None


def _decoded(signal: Signal, encoding: Encoding, body: bytes) -> Decoded:
    try:
        if encoding is Encoding.PROTOBUF:
            return decode_protobuf(body, signal, MAX_RECORDS)
        if sum(map(body.count, (b"{", b"[", b","))) > MAX_JSON_VALUES:
            raise RefusedError(Reason.TOO_LARGE, f"more than {MAX_JSON_VALUES} values; send them in several requests")
        return decode_json(body, signal, MAX_RECORDS)
    except TooManyRecordsError as error:
        raise RefusedError(Reason.TOO_LARGE, str(error)) from None
    except OtlpError as error:
        raise RefusedError(Reason.UNDECODABLE, str(error)) from None
