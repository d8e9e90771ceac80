"""Session sampling depends on the session id alone."""

from __future__ import annotations

import random
import subprocess
import sys
import uuid
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.exporter.event_budget import EventBudget, Load
from otel_rum_exporter.ledger import DropReason, Ledger
from otel_rum_exporter.mapping import recent_sessions
from otel_rum_exporter.mapping.caches import Caches
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.identity import Identity, Moment
from otel_rum_exporter.mapping.outcome import Converted
from otel_rum_exporter.mapping.recent_sessions import RecentSessions
from otel_rum_exporter.mapping.sampling import Sampling, SessionSampler, is_sampled
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import NIL_UUID
from tests.spans import START_NS, exception_event, make_config, make_span

RATES = st.floats(0, 1)


@given(st.text(st.characters(codec=None)), RATES, RATES)
def test_a_higher_rate_only_adds_sessions(session_id: str, one: float, other: float) -> None:
    """A session that was sent is sent at a higher rate too."""
    low, high = sorted((one, other))
    assert is_sampled(session_id, high) or not is_sampled(session_id, low)


@given(st.text(st.characters(codec=None)))
def test_rate_one_sends_all_sessions_and_rate_zero_none(session_id: str) -> None:
    """Also ids that are not UUIDs."""
    assert is_sampled(session_id, 1.0)
    assert not is_sampled(session_id, 0.0)


def test_the_share_of_sessions_is_the_rate() -> None:
    """Within 1 %, for 20,000 sessions."""
    ids = [str(uuid.UUID(int=number)) for number in range(20_000)]
    for rate in (0.01, 0.1, 0.5, 0.9):
        assert abs(sum(is_sampled(session_id, rate) for session_id in ids) / len(ids) - rate) < 0.01


def test_all_processes_agree() -> None:
    """The decision does not depend on Python's hash seed, and does not change between releases."""
    code = (
        "from otel_rum_exporter.mapping.sampling import is_sampled; print([is_sampled(str(n), 0.5) for n in range(64)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**_environment(), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert [number for number in range(12) if is_sampled(str(number), 0.5)] == [0, 3, 4, 6, 8, 9, 10]


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}


NOW = Moment(START_NS, 0)
SESSIONS = [str(uuid.UUID(int=number)) for number in range(1, 201)]


def identity(session_id: str, *, is_recorded: bool | None = None) -> Identity:
    """Make the identity of a session."""
    return Identity(session_id, NIL_UUID, {}, is_minted=False, is_sampled=is_recorded)


def sampled(*, is_recorded: bool | None = None, budget_rate: float = 1.0, **settings: object) -> set[str]:
    """Return which of some sessions are sent."""
    sampling = Sampling(make_config(**settings))
    sampling.budget_rate = budget_rate
    sampler = SessionSampler(sampling, Caches(), "shop")
    return {one for one in SESSIONS if sampler.decide(identity(one, is_recorded=is_recorded)).rate}


def converter(**settings: object) -> tuple[Converter, Ledger]:
    """Make a converter, and the ledger that it counts in."""
    ledger = Ledger()
    config = make_config(**settings)
    return Converter(config, new_id=lambda: SESSIONS[0], ledger=ledger, log=RateLimitedLog()), ledger


def events_of(converted: Converted) -> list[RumEvent]:
    """Return the events of all outcomes."""
    return [event for outcome in converted.outcomes for event in outcome.events]


def metadata_of(event: RumEvent) -> str:
    """Return the metadata of an event, besides that of its session."""
    return str(event.members["metadata"])


def test_setting_and_budget_apply_to_the_same_hash() -> None:
    """The sets are nested: the budget leaves out a part of what the setting sends."""
    of_setting = sampled(session_sample_rate=0.5)
    of_both = sampled(session_sample_rate=0.5, budget_rate=0.4)
    assert of_both == {one for one in SESSIONS if is_sampled(one, 0.2)}
    assert of_both < of_setting


def test_a_session_that_its_client_records_is_bound_by_the_budget_alone() -> None:
    """The client has sampled it already. A session that the client does not record is never sent."""
    assert sampled(is_recorded=True, session_sample_rate=0.1) == set(SESSIONS)
    of_budget = sampled(is_recorded=True, session_sample_rate=0.1, budget_rate=0.4)
    assert of_budget == {one for one in SESSIONS if is_sampled(one, 0.4)}
    assert not sampled(is_recorded=False)


def test_a_session_stays_as_decided_while_the_rate_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if far more sessions are left out than are remembered one by one: a burst, its end, and a second one."""
    monkeypatch.setattr(recent_sessions, "BITS", 1 << 16)
    monkeypatch.setattr(recent_sessions, "MAX_SESSIONS", 5000)
    sampling, budget, source = Sampling(make_config()), EventBudget(20, 0.0), random.Random(1)
    sampler = SessionSampler(sampling, Caches(), "shop")
    decisions: dict[str, set[bool]] = defaultdict(set)
    started: list[list[str]] = []
    sent = 0
    for second in range(600):
        new = 40 if 60 <= second < 300 or second >= 500 else 2
        started.append([f"{source.getrandbits(64):x}" for _ in range(new)])
        records = [source.choice(started[-source.randint(1, min(60, len(started)))]) for _ in range(new * 3)]
        made = 0
        for one in records:
            is_sent = sampler.decide(identity(one)).rate > 0
            decisions[one].add(is_sent)
            made += is_sent
        sent += made if 200 <= second < 300 else 0
        sampling.budget_rate = budget.count(Load(made, made, len(records) - made), second)
    assert all(len(made) == 1 for made in decisions.values())
    assert sent / 100 == pytest.approx(20, rel=0.2)
    assert {decision for made in decisions.values() for decision in made} == {True, False}


def test_sessions_that_were_left_out_are_remembered_in_bounded_memory() -> None:
    """The last ones for sure; at most 7 % of others are taken for one of them; silence forgets all."""
    recent = RecentSessions()
    assert recent.is_empty
    for number in range(5000):
        recent.add("shop", str(number))
    assert all(recent.has("shop", str(number)) for number in range(5000))
    assert sum(recent.has("other", str(number)) for number in range(5000)) < 0.07 * 5000
    recent.forget()
    assert recent.has("shop", "1")
    recent.forget()
    assert recent.has("shop", "1")
    assert not recent.has("shop", "2")
    recent.forget()
    recent.forget()
    assert recent.is_empty


def test_a_full_generation_makes_room_and_keeps_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is that of two generations, whatever comes."""
    monkeypatch.setattr(recent_sessions, "MAX_SESSIONS", 100)
    recent = RecentSessions()
    for number in range(1000):
        recent.add("shop", str(number))
    assert all(recent.has("shop", str(number)) for number in range(900, 1000))
    assert not any(recent.has("shop", str(number)) for number in range(500))


def test_sessions_of_the_budget_are_whole_and_counted() -> None:
    """Each span is accepted, and delivered or dropped for a reason of its own; events carry the rate."""
    convert, ledger = converter()
    convert.sampling.budget_rate = 0.25
    found: list[RumEvent] = []
    for _ in range(3):
        spans = [make_span("work", {"session.id": one}) for one in SESSIONS]
        found += events_of(convert.spans(spans, NOW))
        convert.sampling.budget_rate *= 0.5
    kept = {one for one in SESSIONS if is_sampled(one, 0.25)}
    assert len(found) == 3 * len(kept)
    assert {metadata_of(event) for event in found} == {'{"session_sample_rate":0.25}'}
    dropped = 3 * (len(SESSIONS) - len(kept))
    assert ledger.dropped == {DropReason.OVER_BUDGET: dropped}
    assert ledger.spans[DropReason.OVER_BUDGET] == dropped
    assert ledger.accepted == len(found) + dropped == ledger.stored + dropped
    assert (ledger.filtered, convert.sampling.take_counts()) == (0, (dropped, 0, 0))


def test_the_settings_rate_is_in_the_metadata_if_there_is_room() -> None:
    """RUM keeps ten custom attributes, and one marks trimmed events."""
    convert, ledger = converter(session_sample_rate=0.5)
    spans = [make_span("work", {"session.id": one}) for one in SESSIONS]
    assert {metadata_of(event) for event in events_of(convert.spans(spans, NOW))} == {'{"session_sample_rate":0.5}'}
    assert ledger.filtered
    assert not ledger.dropped
    full = converter(session_sample_rate=0.5, metadata_attributes=[f"a{number}" for number in range(9)])[0]
    assert {metadata_of(event) for event in events_of(full.spans(spans, NOW))} == {"{}"}


@pytest.mark.parametrize("settings", [{"session_sample_rate": 0.0}, {}], ids=["setting", "budget"])
def test_errors_of_sessions_that_are_left_out_may_be_kept(settings: dict[str, object]) -> None:
    """Exceptions and failed requests, with neither a start of the session nor a rate: all of them are sent."""
    convert, ledger = converter(keep_errors=True, session_start="auto", **settings)
    convert.sampling.budget_rate = 0.0
    served = {"http.request.method": "GET", "http.route": "/", "session.id": SESSIONS[1]}
    spans = [
        make_span("raises", {"session.id": SESSIONS[1]}, events=[exception_event()]),
        make_span("GET /", {**served, "http.response.status_code": 500}, kind=SpanKind.SERVER),
        make_span("GET /", {**served, "http.response.status_code": 200}, kind=SpanKind.SERVER),
        make_span("work", {"session.id": SESSIONS[1]}),
    ]
    found = events_of(convert.spans(spans, NOW))
    assert sorted(event.type.rpartition(".")[2] for event in found) == ["http_event", "js_error_event"]
    assert [event.record for event in found] == ["span", "span"]
    assert not any("rate" in metadata_of(event) for event in found)
    assert ledger.accepted - sum(ledger.dropped.values()) == 2
    assert ledger.filtered + ledger.dropped[DropReason.OVER_BUDGET] == 2
    hidden = make_span("x", {"session.id": SESSIONS[2], "rum.session.sampled": False}, events=[exception_event()])
    assert not events_of(convert.spans([hidden], NOW))


def test_the_errors_of_sessions_that_are_sent_have_no_rate_if_all_errors_are_kept() -> None:
    """Otherwise a count scaled by the rate would have too many."""
    convert, _ = converter(keep_errors=True)
    convert.sampling.budget_rate = 0.999
    sent = next(one for one in SESSIONS if is_sampled(one, 0.999))
    found = events_of(convert.spans([make_span("work", {"session.id": sent}, events=[exception_event()])], NOW))
    assert {event.type.rpartition(".")[2]: "rate" in metadata_of(event) for event in found} == {
        "work": True,
        "js_error_event": False,
    }


def test_a_pending_span_of_a_session_over_budget_has_no_provisional_events() -> None:
    """The next process would send a part of the session."""
    durable = Converter(
        make_config(), new_id=lambda: SESSIONS[0], ledger=Ledger(), log=RateLimitedLog(), is_durable=True
    )
    durable.sampling.budget_rate = 0.0
    child = make_span("work", {"session.id": SESSIONS[1]}, parent=make_span("parent"))
    assert durable.spans([child], NOW).provisional == {}
    durable.sampling.budget_rate = 1.0
    assert not events_of(durable.close(NOW))
