"""Applications that share an exporter never see each other: each one's events equal those of a run alone."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping import application as application_module
from otel_rum_exporter.mapping import identity, pending
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.mapping.outcome import Converted
from otel_rum_exporter.rum.event import RumEvent
from tests.logs import make_log
from tests.spans import MILLI_NS, START_NS, exception_event, make_config, make_span

SHOP = "00000000-aaaa-4bbb-8ccc-000000000011"
BANK = "00000000-aaaa-4bbb-8ccc-000000000022"
A = "11111111-1111-4111-8111-111111111111"
SEEDS = int(os.environ.get("FUZZ_REQUESTS", "3000")) // 100

Record = ReadableSpan | ReadableLogRecord
Event = tuple[Any, ...]


class Run:
    """The events of each app monitor. Minted session ids are replaced by their order in the app monitor."""

    def __init__(self, **settings: Any) -> None:
        ids = (f"00000000-0000-4000-8000-{number:012}" for number in itertools.count(1))
        self.ledger, self._minted = Ledger(), dict[str, dict[str, str]]()
        self.converter = Converter(
            make_config(app_monitor_id=SHOP, **settings),
            new_id=lambda: next(ids),
            ledger=self.ledger,
            log=RateLimitedLog(),
        )
        self.events: dict[str, list[Event]] = {SHOP: [], BANK: []}

    def add(self, batch: list[Record], now: Moment) -> None:
        """Convert a batch, which may have the records of several applications."""
        self.keep(self.converter.spans([one for one in batch if isinstance(one, ReadableSpan)], now))
        self.keep(self.converter.log_records([one for one in batch if not isinstance(one, ReadableSpan)], now))

    def keep(self, converted: Converted) -> None:
        """Keep the events of a conversion."""
        for key, events in converted.events.items():
            minted = self._minted.setdefault(key.app_monitor.id, {})
            session = key.session_id
            if session.startswith("00000000-0000-4000-8000-"):
                session = minted.setdefault(session, f"minted {len(minted)}")
            for event in map(RumEvent._make, events):
                event_id = "" if event.type.endswith("session_start_event") else event.id
                members = event.members
                known = (*(members[name] for name in ("timestamp", "details", "metadata")), event.session_metadata)
                self.events[key.app_monitor.id].append((event.type, event_id, session, key.user_id, *known))


def random_record(rng: random.Random, monitor: str, clock_ns: int) -> Record:
    """Return a record whose ids, pages, exceptions and names the other application may use as well."""
    resource = {"aws.rum.appmonitor.id": monitor, "os.type": "linux"}
    attributes: dict[str, Any] = {}
    if rng.random() < 0.3:
        attributes["session.id"] = rng.choice((A, "mine", "yours"))
        attributes["user.id"] = rng.choice(("ann", "bob"))
    if rng.random() < 0.2:
        attributes["app.screen.name"] = rng.choice(("menu", "cart")) + monitor[-1]
    name = rng.choice(("work", "documentLoad", "documentFetch", "routeChange", "step " + "abcdefgh"[rng.randrange(8)]))
    kind = rng.choice((SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT))
    if name in {"documentLoad", "documentFetch", "routeChange"} or kind is SpanKind.SERVER:
        attributes["http.request.method"] = "GET"
        attributes["url.full"] = f"https://{monitor[-2:]}.example/{rng.choice(('', 'cart', 'thanks'))}"
        attributes["http.route"], attributes["http.response.status_code"] = "/cart", rng.choice((200, 500))
    if rng.random() < 0.25:
        log_name = rng.choice(("session.start", "order", "browser.web_vital", "browser.navigation"))
        vital = {"name": "lcp", "value": rng.randrange(9), "id": "v1"} if log_name == "browser.web_vital" else {}
        trace = make_span(parent=SpanContext(rng.randrange(1, 4), 1, is_remote=False)) if rng.random() < 0.5 else None
        return make_log(log_name, {**attributes, **vital}, span=trace, resource=resource, time_ns=clock_ns)
    made = make_span(
        name,
        attributes,
        kind=kind,
        resource=resource,
        start_ns=clock_ns,
        events=[exception_event("ValueError", "no", "stack")] if rng.random() < 0.3 else [],
    )
    trace_id, span_id = rng.randrange(1, 4), rng.randrange(1, 7)
    made._context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    if rng.random() < 0.6:
        made._parent = SpanContext(trace_id, rng.randrange(1, 7), is_remote=rng.random() < 0.3)
    return made


def run(batches: list[list[Record]], **settings: Any) -> Run:
    """Convert batches that come every ten seconds, and what is pending at the end."""
    made = Run(**settings)
    for number, batch in enumerate(batches):
        made.add(batch, Moment(START_NS + number * 10_000 * MILLI_NS, number * 10_000 * MILLI_NS))
        made.keep(made.converter.expire(Moment(START_NS, (number * 10_000 + 1) * MILLI_NS)))
    made.keep(made.converter.close(Moment(START_NS, len(batches) * 10_000 * MILLI_NS)))
    assert made.ledger.pending == 0
    return made


@pytest.mark.parametrize("seed", range(0, SEEDS, 10))
def test_events_of_interleaved_applications_equal_those_of_each_alone(seed: int) -> None:
    """Whatever ids, sessions, pages, exceptions, types and loads they have in common."""
    for rng in map(random.Random, range(seed, seed + 10)):
        batches: list[list[tuple[str, Record]]] = []
        for number in range(rng.randrange(1, 8)):
            monitors = rng.choices((SHOP, BANK), k=rng.randrange(1, 10))
            batches.append([(one, random_record(rng, one, START_NS + number * MILLI_NS)) for one in monitors])
        together = run([[record for _, record in batch] for batch in batches])
        for monitor in (SHOP, BANK):
            alone = run([[record for owner, record in batch if owner == monitor] for batch in batches])
            assert sorted(together.events[monitor]) == sorted(alone.events[monitor])


def test_a_span_that_names_another_applications_trace_gets_nothing_of_it() -> None:
    """Neither its session, user and page, nor does it leave its own there."""
    page = make_span("page", {"session.id": A, "user.id": "ann", "app.screen.name": "salary"}, resource=of(BANK))
    spy = make_span("spy", {"user.id": "eve"}, parent=page.context, resource=of(SHOP))
    same_session = make_span("same session", {"session.id": A}, resource=of(SHOP))
    later = make_span("later", parent=page.context, resource=of(BANK))
    found = run([[page], [spy, same_session], [later]])
    assert "salary" not in str(found.events[SHOP])
    assert A not in {session for kind, _, session, *_ in found.events[SHOP] if kind == "spy"}
    (of_later,) = (event for event in found.events[BANK] if event[0] == "later")
    assert of_later[2] == A
    assert of_later[3] == next(event[3] for event in found.events[BANK] if event[0].endswith("page_view_event"))


def of(monitor: str) -> dict[str, str]:
    """Return the resource attributes of an application."""
    return {"aws.rum.appmonitor.id": monitor}


def test_many_applications_share_the_bounds_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest makes room for the others, and no record is lost when an application is forgotten."""
    monkeypatch.setattr(application_module, "MAX_APPLICATIONS", 10)
    for bound in ("MAX_ENDED", "MAX_TRACES", "MAX_PAGES"):
        monkeypatch.setattr(identity, bound, 100)
    monkeypatch.setattr(pending, "MAX_PENDING", 100)
    made = Converter(make_config(), new_id=lambda: A, ledger=(ledger := Ledger()), log=RateLimitedLog())
    count = 0

    def add(monitor: int, spans: int) -> None:
        nonlocal count
        resource = of(f"00000000-aaaa-4bbb-8ccc-{monitor:012}")
        ended = [make_span("page", {"session.id": str(n), "app.screen.name": "x"}, resource=resource) for n in range(5)]
        awaiting = [make_span("w", {"session.id": A}, parent=make_span(), resource=resource) for _ in range(spans)]
        count += len(made.spans(ended + awaiting, Moment(START_NS, 0)).outcomes)

    add(0, 90)
    sent = 95
    for monitor in range(1, 40):
        add(monitor, 9)
        sent += 14
        applications = list(made._applications)
        assert len(applications) <= 10
        for sizes in (_sizes("_ended"), _sizes("_traces"), _sizes("_pages")):
            assert sum(sizes(applications)) <= 100
        assert ledger.pending <= 100
    count += len(made.close(Moment(START_NS, 0)).outcomes)
    assert count == sent


def _sizes(name: str) -> Callable[[list[Any]], list[int]]:
    return lambda applications: [len(getattr(one.identities, name)) for one in applications]
