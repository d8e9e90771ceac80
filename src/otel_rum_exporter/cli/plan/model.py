"""A model of the costs and needs of a load of sessions. Pure: a test compares it with the real pipeline.

[docs/scale.md](https://github.com/otel-rum-exporter/otel-rum-exporter/blob/main/docs/scale.md) has the sources of the
constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ...rum.price import usd
from ...rum.quota import DEFAULT_QUOTA

DAY_SECONDS = 86_400
DAYS_PER_MONTH = 30

QUOTA_MARGIN = 1.2
"""How far the quota to ask for is above the peak: a peak within a second is higher than that of a minute."""

QUOTA_STEP = 50

CPU_SECONDS_PER_SPAN = 1 / 10_000
CPU_SECONDS_PER_REQUEST = 0.0008
"""Of one core, as measured: docs/scale.md has the first, of consumers of Kafka, and docs/performance.md the second."""

USED_SHARE = 0.6
"""The share of a core that a process uses at the peak: the rest is for the time after an outage."""

PARTITIONS_PER_CONSUMER = 3
"""So that consumers can be added, and the partitions of one that ends are divided among several."""

MAX_EVENTS_PER_REQUEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One session, on average.

    `events` are by type. `spans` are all records, with those that become no events. `exports` are how often some of its
    events are exported: each is a request if none waits. The bytes are those of its events while they wait.
    """

    events: Mapping[str, float]
    spans: float
    exports: float
    memory_bytes: float
    disk_bytes: float

    @property
    def total(self) -> float:
        """The number of events."""
        return sum(self.events.values())

    @property
    def fewest_requests(self) -> float:
        """The number of requests if all events wait together, since a request has one session."""
        return max(1.0, self.total / MAX_EVENTS_PER_REQUEST) if self.total else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many sessions come, and the limits of the account and of each process.

    `peak` is the busiest minute divided by the average. `quota` is in events per second. `processes` send the events;
    None takes as many as consumers of Kafka are needed.
    """

    sessions_per_day: float
    peak: float = 3.0
    quota: float = DEFAULT_QUOTA
    outage_seconds: float = 3600.0
    processes: int | None = None
    max_memory_bytes: float = 64 * 1024 * 1024
    spool_max_bytes: float = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The needs of a load.

    `sample_rate` is the share of sessions that the quota allows at the peak, `usd_per_month_sampled` the most that they
    cost, and `budget_per_process` the part of the quota that a process gets. `is_group` is whether the processes are
    consumers of Kafka, whose settings are those of the group. `quota_to_ask` is `quota` if that is enough, else a
    multiple of 50 that is at least a fifth above the peak. `outage_*` is what waits after an outage at the peak;
    `memory_seconds` and `disk_seconds` are how long one may last until the processes have no more room.
    """

    events_per_day: Mapping[str, float]
    events_per_second: float
    peak_events_per_second: float
    peak_requests_per_second: float
    peak_spans_per_second: float
    quota: float
    quota_to_ask: float
    sample_rate: float
    usd_per_month: float
    usd_per_month_sampled: float
    cores: float
    consumers: int
    partitions: int
    processes: int
    is_group: bool
    requests_per_process: float
    budget_per_process: float
    outage_seconds: float
    outage_events: float
    outage_requests: float
    outage_memory_bytes: float
    outage_disk_bytes: float
    memory_seconds: float
    disk_seconds: float
    catch_up_seconds: float


def plan(profile: Profile, load: Load) -> Plan:
    """Return what a load of such sessions needs."""
    sessions_per_second = load.sessions_per_day / DAY_SECONDS
    at_peak = sessions_per_second * load.peak
    peak_events = at_peak * profile.total
    requests, spans = at_peak * profile.exports, at_peak * profile.spans
    quota = max(load.quota, _rounded_up(peak_events * QUOTA_MARGIN) if peak_events > load.quota else 0)
    month_seconds = DAY_SECONDS * DAYS_PER_MONTH
    usd_per_month = usd(sessions_per_second * profile.total * month_seconds)
    cores = spans * CPU_SECONDS_PER_SPAN + requests * CPU_SECONDS_PER_REQUEST
    consumers = max(1, math.ceil(cores / USED_SHARE))
    consumers += consumers > 1  # one may be down or restarting
    processes = load.processes or consumers
    waiting = at_peak * load.outage_seconds
    room = quota - peak_events
    return Plan(
        events_per_day={kind: count * load.sessions_per_day for kind, count in profile.events.items()},
        events_per_second=sessions_per_second * profile.total,
        peak_events_per_second=peak_events,
        peak_requests_per_second=requests,
        peak_spans_per_second=spans,
        quota=load.quota,
        quota_to_ask=quota,
        sample_rate=min(1.0, _divided(load.quota, peak_events)),
        usd_per_month=usd_per_month,
        usd_per_month_sampled=min(usd_per_month, usd(load.quota * month_seconds)),
        cores=cores,
        consumers=consumers,
        partitions=PARTITIONS_PER_CONSUMER * consumers,
        processes=processes,
        is_group=load.processes is None,
        requests_per_process=requests / processes,
        budget_per_process=load.quota / processes,
        outage_seconds=load.outage_seconds,
        outage_events=waiting * profile.total,
        outage_requests=waiting * profile.fewest_requests,
        outage_memory_bytes=waiting * profile.memory_bytes,
        outage_disk_bytes=waiting * profile.disk_bytes,
        memory_seconds=_divided(load.max_memory_bytes * processes, at_peak * profile.memory_bytes),
        disk_seconds=_divided(load.spool_max_bytes * processes, at_peak * profile.disk_bytes),
        catch_up_seconds=_divided(waiting * profile.total, room),
    )


def _rounded_up(per_second: float) -> float:
    return math.ceil(per_second / QUOTA_STEP) * QUOTA_STEP


def _divided(amount: float, per_second: float) -> float:
    return amount / per_second if per_second > 0 else math.inf
