"""A browser's load timings as RUM's fields: one table for spans and log records.

Moments have their W3C names and are in milliseconds since the start of the load. OpenTelemetry reports them as span
events of the same names, or as log attributes in snake case. The differences are those of AWS's web client.
https://developer.mozilla.org/docs/Web/API/PerformanceNavigationTiming
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..._attributes import TRANSFER_SIZES
from ..fields import Field, Holds
from ..record_view import NS_PER_MILLI, View, epoch_ns, number
from ..span_view import SpanView

LOG_PREFIXES = ("browser.navigation_timing.", "browser.resource_timing.")
NAVIGATION_TIMING_LEVEL = 2


class Timing(NamedTuple):
    """A RUM field: the moment `at` or, with `since`, the time from that moment to `at`.

    With `zero_if_never` the field is 0 if the moment `since` did not happen.
    """

    field: str
    at: str
    since: str = ""
    zero_if_never: bool = False

    @property
    def as_field(self) -> Field:
        """Return the field as the documentation shows it."""
        never = f", 0 if `{self.since}` is 0" if self.zero_if_never else ""
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
"""Fields of every load: `performance_resource_event` and `performance_navigation_event`."""

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
"""Fields of a document load only: `performance_navigation_event`."""

NAVIGATION = (*NETWORK, *DOCUMENT)

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
    """Return the log attributes that can hold a moment."""
    snake = re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", moment)
    return tuple(prefix + snake for prefix in LOG_PREFIXES)


_TRANSFER_SIZES = frozenset(TRANSFER_SIZES)
_ATTRIBUTES = {name: attributes_of(name) for timing in NAVIGATION for name in (timing.at, timing.since) if name}


def moments_of_span(view: SpanView, since_ns: int | None = None) -> dict[str, float]:
    """Return the moments of a span's events, in milliseconds since its start or `since_ns`."""
    origin_ns = view.start_ns if since_ns is None else since_ns
    times = {event.name: epoch_ns(event.timestamp) for event in view.events}
    return {name: (time_ns - origin_ns) / NS_PER_MILLI for name, time_ns in times.items() if time_ns > 0}


def moments_of_log(view: View) -> dict[str, float]:
    """Return the moments in a log record's attributes, in milliseconds; -1 is a moment that did not happen."""
    found = {moment: measured(view, *names) for moment, names in _ATTRIBUTES.items()}
    return {moment: value for moment, value in found.items() if value is not None}


def measured(view: View, *names: str) -> float | None:
    """Return a duration, moment or size; a negative one is no measurement."""
    value = number(view.attributes, *names)
    return None if value is None or value < 0 else value


def fields(table: Iterable[Timing], moments: Mapping[str, float]) -> dict[str, float]:
    """Return the RUM fields of the known moments; negative ones, as of an unfinished load, are left out."""
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
    """Return the transferred size of a span."""
    if not view.keys.may_have(_TRANSFER_SIZES):
        return {}
    transferred = measured(view, *TRANSFER_SIZES)
    return {} if transferred is None else {"transferSize": transferred}


def sizes_of_log(view: View) -> dict[str, Any]:
    """Return the sizes and the protocol of a log record."""
    found: dict[str, Any] = {}
    transferred, encoded, decoded = (measured(view, name) for name in (TRANSFER_SIZE, ENCODED_SIZE, DECODED_SIZE))
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
