"""The moments of a load as browsers time it, in RUM's words: one table for spans and log records alike.

Moments have the names that the W3C gave them, and are in milliseconds since the load began. OTel tells them as events
of a span, by the same names, or as attributes of a log record, in snake case. The differences are those that AWS's
web client computes.
https://developer.mozilla.org/docs/Web/API/PerformanceNavigationTiming
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..fields import Field, Holds
from ..record_view import NS_PER_MILLI, View, epoch_ns
from ..span_view import SpanView

LOG_PREFIXES = ("browser.navigation_timing.", "browser.resource_timing.")
NAVIGATION_TIMING_LEVEL = 2


class Timing(NamedTuple):
    """A RUM field: when the moment `at` came or, with `since`, how long after that other moment.

    `zero_if_never` says that the field is 0, and no difference, where the moment `since` did not come.
    """

    field: str
    at: str
    since: str = ""
    zero_if_never: bool = False

    @property
    def as_field(self) -> Field:
        """Return the field as the documentation shows it."""
        never = f", 0 where `{self.since}` is 0" if self.zero_if_never else ""
        difference = f"`{self.at}` - `{self.since}`{never}"
        return Field(self.field, note=difference if self.since else f"`{self.at}`", holds=Holds.NUMBER)


NETWORK: tuple[Timing, ...] = (
    Timing("redirectStart", "redirectStart"),
    Timing("redirectTime", "redirectEnd", "redirectStart"),
    Timing("workerStart", "workerStart"),
    Timing("workerTime", "fetchStart", "workerStart", zero_if_never=True),
    Timing("fetchStart", "fetchStart"),
    Timing("domainLookupStart", "domainLookupStart"),
    Timing("dns", "domainLookupEnd", "domainLookupStart"),
    Timing("connectStart", "connectStart"),
    Timing("connect", "connectEnd", "connectStart"),
    Timing("secureConnectionStart", "secureConnectionStart"),
    Timing("tlsTime", "connectEnd", "secureConnectionStart", zero_if_never=True),
    Timing("requestStart", "requestStart"),
    Timing("timeToFirstByte", "responseStart", "requestStart"),
    Timing("responseStart", "responseStart"),
    Timing("responseTime", "responseEnd", "responseStart", zero_if_never=True),
)
"""Of every load: `performance_resource_event` and `performance_navigation_event`."""

DOCUMENT: tuple[Timing, ...] = (
    Timing("unloadEventStart", "unloadEventStart"),
    Timing("promptForUnload", "unloadEventEnd", "unloadEventStart"),
    Timing("domInteractive", "domInteractive"),
    Timing("domContentLoadedEventStart", "domContentLoadedEventStart"),
    Timing("domContentLoaded", "domContentLoadedEventEnd", "domContentLoadedEventStart"),
    Timing("domComplete", "domComplete"),
    Timing("domProcessingTime", "loadEventStart", "responseEnd"),
    Timing("loadEventStart", "loadEventStart"),
    Timing("loadEventTime", "loadEventEnd", "loadEventStart"),
)
"""Of the load of a document only: `performance_navigation_event`."""

NAVIGATION = (*NETWORK, *DOCUMENT)

TRANSFER_SIZES = ("http.response.size", "http.response.body.size", "http.response_content_length")
"""Attributes of a span that tell RUM's `transferSize`, in bytes."""

TRANSFER_SIZE, ENCODED_SIZE, DECODED_SIZE = (
    f"browser.resource_timing.{name}" for name in ("transfer_size", "encoded_body_size", "decoded_body_size")
)
PROTOCOL = "browser.resource_timing.next_hop_protocol"

SIZE_FIELDS = (
    Field("transferSize", (TRANSFER_SIZE, *TRANSFER_SIZES), "in bytes", holds=Holds.NUMBER),
    Field("headerSize", note=f"`{TRANSFER_SIZE}` - `{ENCODED_SIZE}`", holds=Holds.NUMBER),
    Field("compressionRatio", note=f"`{DECODED_SIZE}` / `{ENCODED_SIZE}`", holds=Holds.NUMBER),
    Field("nextHopProtocol", (PROTOCOL,), "of a page served, `network.protocol.version`"),
)
NETWORK_FIELDS = (*(timing.as_field for timing in NETWORK), *SIZE_FIELDS)
DOCUMENT_FIELDS = tuple(timing.as_field for timing in DOCUMENT)


def attributes_of(moment: str) -> tuple[str, ...]:
    """Return the attributes in which a log record may tell a moment."""
    snake = re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", moment)
    return tuple(prefix + snake for prefix in LOG_PREFIXES)


_ATTRIBUTES = {name: attributes_of(name) for timing in NAVIGATION for name in (timing.at, timing.since) if name}


def moments_of_span(view: SpanView, since_ns: int | None = None) -> dict[str, float]:
    """Return the moments that a span tells by its events, since its start or another time."""
    began_ns = view.start_ns if since_ns is None else since_ns
    return {event.name: (epoch_ns(event.timestamp) - began_ns) / NS_PER_MILLI for event in view.events}


def moments_of_log(view: View) -> dict[str, float]:
    """Return the moments that a log record tells by its attributes."""
    told = {moment: view.number(*names) for moment, names in _ATTRIBUTES.items()}
    return {moment: value for moment, value in told.items() if value is not None}


def fields(table: Iterable[Timing], moments: Mapping[str, float]) -> dict[str, float]:
    """Return the RUM fields that the moments known tell; none that would be negative, as of a load not yet over."""
    found: dict[str, float] = {}
    for timing in table:
        at, since = moments.get(timing.at), moments.get(timing.since) if timing.since else 0
        if at is None or since is None:
            continue
        value = 0 if timing.zero_if_never and since <= 0 else at - since
        if value >= 0:
            found[timing.field] = value
    return found


def size_of_span(view: View) -> dict[str, Any]:
    """Return the field that tells how much was transferred."""
    transferred = view.number(*TRANSFER_SIZES)
    return {} if transferred is None else {"transferSize": transferred}


def sizes_of_log(view: View) -> dict[str, Any]:
    """Return the fields that tell how much was transferred, and by which protocol."""
    found: dict[str, Any] = {}
    transferred, encoded, decoded = (view.number(name) for name in (TRANSFER_SIZE, ENCODED_SIZE, DECODED_SIZE))
    protocol = view.text(PROTOCOL)
    if transferred is not None:
        found["transferSize"] = transferred
    if transferred is not None and encoded is not None:
        found["headerSize"] = max(0, transferred - encoded) if transferred > 0 else 0
    if encoded is not None and decoded is not None:
        found["compressionRatio"] = decoded / encoded if encoded >= 1 else 0
    if protocol:
        found["nextHopProtocol"] = protocol
    return found
