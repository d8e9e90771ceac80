"""The street, wired once for a Config: spans, identity, events, batches, outbox, delivery."""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from opentelemetry.trace import SpanKind

from . import metadata
from .batch import AppMonitor, BatchKey
from .config import RESOURCE_APP_MONITOR_ID, Config
from .delivery import Delivery
from .events.mapper import Mapper
from .events.rum_event import Draft, RumEvent, encode, event_id
from .events.session import session_start
from .identity import Identities, Identity
from .outbox import MemoryOutbox
from .rate import RequestRate
from .span import Resource, Span, SpanView, text
from .telemetry import LOGGER, DropReason, Ledger, Notices
from .transport import RumClient, Transport

MAX_RESOURCES = 1000
EARLIEST_NS = 946_684_800 * 1_000_000_000
"""The year 2000: an earlier time is a clock that was not set."""

NS_PER_SECOND = 1_000_000_000
LATEST_AHEAD_NS = 3600 * NS_PER_SECOND


class Pipeline:
    """Take spans in, deliver events. Thread-safe; bound to the process that made it."""

    def __init__(
        self, config: Config, client: RumClient | None = None, *, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.ledger = Ledger()
        self._config = config
        self._now_ns = now_ns
        self._notices = Notices()
        self._lock = threading.Lock()
        self._identities = Identities(new_id=lambda: str(uuid.uuid4()), hash_key=_hash_key(config))
        self._mapper = Mapper(config)
        self._resources: dict[int, tuple[Resource, AppMonitor | None, str]] = {}
        self._sessions_started: set[tuple[str, str]] = set()
        self._is_server = False
        self._timeout_seconds = config.timeout_millis / 1000
        self._delivery = Delivery(
            send=Transport(config, client).send,
            outbox=MemoryOutbox(
                max_events_per_request=config.max_events_per_request, max_bytes=config.max_memory_bytes
            ),
            rate=RequestRate(config.max_requests_per_second, time.monotonic()),
            ledger=self.ledger,
            notices=self._notices,
        )

    def start(self) -> None:
        """Start the delivery thread; without it, the first export does."""
        self._delivery.start()

    def export(self, spans: Sequence[Span]) -> None:
        """Accept spans, and wait for their delivery as long as there is progress; what is left stays stored."""
        with self._lock:
            ticket = self._accept(self._identities.assign(self._read(spans), self._now_ns()))
        self._delivery.wait(ticket, self._timeout_seconds)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything accepted is delivered or dropped; false when time ran out."""
        self._release(everything=True)
        return self._delivery.flush(timeout_seconds)

    def close(self, timeout_seconds: float) -> None:
        """Deliver what is stored within the time given and the time-out set, and count the rest as dropped."""
        self._release(everything=True)
        self._delivery.close(min(timeout_seconds, self._timeout_seconds))

    def _release(self, *, everything: bool = False) -> None:
        """Accept the spans that waited long enough for their parents."""
        with self._lock:
            self._accept(self._identities.release(self._now_ns(), everything=everything))

    def _accept(self, settled: Sequence[tuple[SpanView, Identity]]) -> int:
        """Map spans, give their events to the delivery, and return its ticket."""
        events: dict[BatchKey, list[RumEvent]] = defaultdict(list)
        for view, identity in settled:
            try:
                self._map(view, identity, events)
            except Exception:  # noqa: BLE001 - one bad span must not cost another
                self._unmappable(view.span)
        next_release_ns = self._identities.next_release_ns
        if next_release_ns is not None:
            self._delivery.call_after((next_release_ns - self._now_ns()) / NS_PER_SECOND, self._release)
        count = sum(map(len, events.values()))
        if not count:
            return 0
        self.ledger.accept(count)
        return self._delivery.accept(events, count)

    def _read(self, spans: Sequence[Span]) -> list[tuple[SpanView, dict[str, str]]]:
        read = []
        for span in spans:
            try:
                view = SpanView.of(span)
                read.append((view, metadata.of_trace(view)))
            except Exception:  # noqa: BLE001 - one bad span must not cost another
                self._unmappable(span)
        if not self._is_server and any(view.span.kind is SpanKind.SERVER for view, _ in read):
            self._is_server = True
            self._resources.clear()
        return read

    def _map(self, view: SpanView, identity: Identity, events: dict[BatchKey, list[RumEvent]]) -> None:
        monitor, shared = self._resource(view.span.resource)
        if monitor is None:
            self._drop(DropReason.NO_APP_MONITOR)
            self._notices.warn(
                "no app monitor",
                "A span has no app monitor to go to, and is lost. To do: set OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID, "
                "or the resource attribute %s.",
                RESOURCE_APP_MONITOR_ID,
            )
            return
        drafts = self._mapper.drafts(view)
        if not drafts:
            self.ledger.accept(0, filtered_spans=1)
            return
        key = BatchKey(monitor, identity.session_id, identity.user_id)
        own = {**identity.metadata, **metadata.custom(view.attributes, self._config.metadata_attributes)}
        if identity.is_minted and (monitor.id, identity.session_id) not in self._sessions_started:
            self._start_session(view, key, own, shared, events)
        for index, draft in enumerate(drafts):
            made = event_id(monitor.id, view.trace_id, view.span_id, draft.type, str(index))
            self._encode(draft, made, own, shared, events[key])

    def _start_session(
        self, view: SpanView, key: BatchKey, own: dict[str, Any], shared: str, events: dict[BatchKey, list[RumEvent]]
    ) -> None:
        self._sessions_started.add((key.app_monitor.id, key.session_id))
        made = event_id(key.app_monitor.id, key.session_id, "session_start")
        self._encode(session_start(view.start_ns), made, own, shared, events[key])
        if view.span.kind is SpanKind.SERVER:
            self._notices.warn(
                "no session",
                "A request served carries no session, so all users share the session of this process. To do: set the "
                "span attribute session.id on each request's span, for example from the session cookie.",
                is_once=True,
            )

    def _encode(self, draft: Draft, made: str, own: dict[str, Any], shared: str, to: list[RumEvent]) -> None:
        event = encode(self._timely(draft), id=made, metadata=own, session_metadata=shared)
        if event is None:
            self._drop(DropReason.TOO_LARGE)
            self._notices.warn("too large", "An event of type %s is lost: %s.", draft.type, DropReason.TOO_LARGE.value)
        else:
            to.append(event)

    def _timely(self, draft: Draft) -> Draft:
        now_ns = self._now_ns()
        if EARLIEST_NS <= draft.timestamp_ns <= now_ns + LATEST_AHEAD_NS:
            return draft
        return Draft(draft.type, now_ns, draft.details)

    def _resource(self, resource: Resource) -> tuple[AppMonitor | None, str]:
        known = self._resources.get(id(resource))
        if known is None or known[0] is not resource:
            if len(self._resources) >= MAX_RESOURCES:
                self._resources.clear()
            shared = orjson.dumps(metadata.of_resource(resource.attributes, self._config, is_server=self._is_server))
            known = self._resources[id(resource)] = (resource, self._app_monitor(resource), shared.decode())
        return known[1], known[2]

    def _app_monitor(self, resource: Resource) -> AppMonitor | None:
        attributes = resource.attributes
        monitor_id = text(attributes, RESOURCE_APP_MONITOR_ID) or self._config.app_monitor_id
        if monitor_id is None:
            return None
        return AppMonitor(
            id=monitor_id,
            name=self._config.app_monitor_name,
            version=text(attributes, "service.version", "app.build_id"),
            alias=text(attributes, "aws.rum.appmonitor.alias") or self._config.alias,
        )

    def _unmappable(self, span: Span) -> None:
        self._drop(DropReason.UNMAPPABLE)
        LOGGER.debug("unmappable span", exc_info=True)
        self._notices.warn(
            "unmappable",
            "Span %.100r could not be read, and is lost. To do: please report this with a debug log.",
            getattr(span, "name", ""),
        )

    def _drop(self, reason: DropReason) -> None:
        self.ledger.accept(1)
        self.ledger.drop(reason, 1)


def _hash_key(config: Config) -> bytes:
    return (config.id_hash_key or config.app_monitor_id or "otel-rum-exporter").encode()
