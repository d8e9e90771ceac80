"""Export requests of both transports: decoded, routed, and accepted by the pipeline before the response."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from ..config import Config
from ..exporter.pipeline import Pipeline, QueueFullError
from ..otlp import (
    MAX_RECORDS,
    DecodedLogRecord,
    DecodedResource,
    DecodedSpan,
    DecodeResult,
    OtlpError,
    Signal,
    TooManyRecordsError,
    decode_json,
    decode_protobuf,
)
from .body import decompressed
from .client import Client
from .error_response import Reason, RequestError
from .metrics import Counts
from .rate_limits import RateLimits
from .response import Encoding
from .routing import NoRouteError, Route, Routing, shorten_ids
from .settings import GatewaySettings

RETRY_FULL_SECONDS = 5

LARGE_BYTES = 1024 * 1024
"""Each transport processes one body of this size or more at a time: decoded, it takes several times the memory."""


@dataclass(frozen=True, slots=True)
class PartialSuccess:
    """The result of an accepted request: the number of rejected records, and what was rejected or ignored."""

    rejected: int
    message: str


class Receiver:
    """Decode the export requests of both transports, and hand their records to the pipeline. Thread-safe."""

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
        self._requests = RateLimits(settings.client_requests_per_second, "requests")
        self._bytes = RateLimits(settings.client_bytes_per_second, "bytes")
        self._records = RateLimits(settings.max_records_per_second, "records for one app monitor")
        self.is_closing = False

    def admit(self, client: Client) -> None:
        """Count a request against its client's rate before its body is read.

        Raises:
            RequestError: if it exceeds the rate, or the gateway is shutting down.
        """
        if self.is_closing:
            raise RequestError(Reason.OVERLOADED, "the gateway is shutting down")
        self._requests.take(client.address, 1, time.monotonic())

    def unpack(self, body: bytes, compression: str, client: Client, reserve: Callable[[int], None]) -> bytes:
        """Return a decompressed body. Compressed and decompressed bytes count against the client's rate.

        Raises:
            RequestError: if it exceeds the rate or a limit, or is malformed.
        """
        self._bytes.take(client.address, len(body), time.monotonic())
        decompressed_bytes = 0

        def count(size_bytes: int) -> None:
            nonlocal decompressed_bytes
            reserve(size_bytes)
            decompressed_bytes += size_bytes

        try:
            return decompressed(body, compression, self._settings.max_body_bytes, count)
        finally:
            self._bytes.charge(client.address, decompressed_bytes, time.monotonic())

    def receive(self, signal: Signal, encoding: Encoding, body: bytes, client: Client) -> PartialSuccess:
        """Accept the records of a decompressed body; when this returns, the pipeline has stored them.

        Raises:
            RequestError: if no record was accepted.
        """
        decoded = _decoded(signal, encoding, body)
        spans, log_records, unrouted = self._routed(decoded, client)
        try:
            self._pipeline().accept(spans, log_records)
        except QueueFullError as error:
            raise RequestError(Reason.OVERLOADED, str(error), RETRY_FULL_SECONDS) from None
        rejected = decoded.rejected + sum(unrouted.values())
        self._counts.received(signal, len(decoded.records) + decoded.rejected, rejected)
        reasons = [f"{count} rejected: {reason}" for reason, count in unrouted.items()]
        if decoded.failures:
            failures = "; ".join(map(str, decoded.failures[:3]))
            reasons.append(f"{decoded.rejected} rejected: {failures}")
        return PartialSuccess(rejected, "; ".join(reasons))

    @property
    def is_ready(self) -> bool:
        """Whether requests are accepted at present."""
        return not self.is_closing and self._pipeline().has_room

    def _routed(
        self, decoded: DecodeResult, client: Client
    ) -> tuple[list[DecodedSpan], list[DecodedLogRecord], Counter[str]]:
        """Return the records that have a route, each with the resource of its route; count the others by reason.

        Clients also send spans to the path of logs, and the other way round.
        """
        unrouted: Counter[str] = Counter()
        routes: dict[int, Route | str] = {}
        spans: list[DecodedSpan] = []
        log_records: list[DecodedLogRecord] = []
        quota = Counter[str]()
        # By identity: resources that are equal may differ, such as in 1 and True.
        for key, group in groupby(decoded.records, lambda record: id(record.resource)):
            records = list(group)
            route = routes.get(key)
            if route is None:
                route = routes[key] = self._route(records[0].resource, client)
            if isinstance(route, str):
                unrouted[route] += len(records)
                continue
            quota[route.monitor_id] += len(records)
            for record in records:
                record.resource = route.resource
                if isinstance(record, DecodedSpan):
                    shorten_ids(record.attributes)
                    spans.append(record)
                else:
                    shorten_ids(record.log_record.attributes)
                    log_records.append(record)
        self._records.take_all(quota, time.monotonic())
        return spans, log_records, unrouted

    def _route(self, resource: DecodedResource, client: Client) -> Route | str:
        try:
            return self._routing.route(resource, client, time.time_ns())
        except NoRouteError as error:
            return str(error)


def _decoded(signal: Signal, encoding: Encoding, body: bytes) -> DecodeResult:
    try:
        if encoding is Encoding.PROTOBUF:
            return decode_protobuf(body, signal, MAX_RECORDS)
        return decode_json(body, signal, MAX_RECORDS)
    except TooManyRecordsError as error:
        raise RequestError(Reason.TOO_LARGE, str(error)) from None
    except OtlpError as error:
        raise RequestError(Reason.UNDECODABLE, str(error)) from None
