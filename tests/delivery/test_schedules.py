"""Random schedules of delivery: accepted = delivered + stored + dropped after each step.

The steps are those of `test_state`, without hypothesis: its engine takes most of the time of a schedule. FUZZ_REQUESTS
sets the number of schedules, a tenth of it, at least 400. A failure names the seed of its schedule.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from otel_rum_exporter.rum.errors import Disposition
from tests.delivery.test_state import DeliveryMachine, DiskMachine

SCHEDULES = max(400, int(os.environ.get("FUZZ_REQUESTS", "0")) // 10)
PARTS = 4
"""Tests for each machine, so that pytest-xdist divides them."""

STEPS = 60
MONITORS, SESSIONS, DISPOSITIONS = "xyz", "abc", tuple(Disposition)


def _accept(machine: DeliveryMachine, source: random.Random) -> None:
    monitor, session = source.choice(MONITORS), source.choice(SESSIONS)
    machine.accept(monitor=monitor, session=session, count=source.randint(1, 5), size=source.choice((2, 500)))


def _respond(machine: DeliveryMachine, source: random.Random) -> None:
    if machine.in_flight:
        machine.respond(
            index=source.randrange(8),
            disposition=source.choice((Disposition.DELIVERED, *DISPOSITIONS)),
            retry_after_seconds=source.choice((None, None, source.uniform(0, 1000))),
            reason=source.choice(("reason", "EndpointConnectionError")),
        )


def _fail(machine: DeliveryMachine, _: random.Random) -> None:
    if machine.in_flight:
        machine.fail()


def _apply(machine: DeliveryMachine, source: random.Random) -> None:
    if machine.unsettled:
        machine.apply(index=source.randrange(8), jitter=source.random())


def _expire(machine: DeliveryMachine, source: random.Random) -> None:
    if machine.number:
        machine.expire(hours=source.uniform(0, 96), is_durable=source.random() < 0.5)


def _lose(machine: DeliveryMachine, source: random.Random) -> None:
    if isinstance(machine, DiskMachine) and machine.disk.contents:
        machine.lose(index=source.randrange(20))


ACTIONS: tuple[tuple[int, Callable[[DeliveryMachine, random.Random], None]], ...] = (
    (16, _accept),
    (16, lambda machine, _: machine.act()),
    (14, _respond),
    (14, _apply),
    (5, lambda machine, source: machine.pass_time(seconds=source.uniform(0, 100))),
    (4, lambda machine, source: machine.set_wall_clock(hours=source.uniform(-72, 72))),
    (3, _fail),
    (3, _expire),
    (3, _lose),
    (2, lambda machine, source: machine.refuse_or_accept_an_app_monitor(monitor=source.choice(MONITORS))),
    (2, lambda machine, _: machine.prepare_final_flush()),
)


def _run(make: Callable[[], DeliveryMachine], seed: int) -> DeliveryMachine:
    source, machine = random.Random(seed), make()
    weights, actions = [weight for weight, _ in ACTIONS], [action for _, action in ACTIONS]
    for action in source.choices(actions, weights, k=STEPS):
        action(machine, source)
        machine.every_event_is_delivered_stored_or_dropped()
        machine.no_receipt_settles_before_its_events()
    machine.teardown()
    return machine


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("make", [DeliveryMachine, DiskMachine], ids=["memory", "disk"])
def test_each_schedule_accounts_for_every_event(make: Callable[[], DeliveryMachine], part: int) -> None:
    """Responses, failures, losses on disk and clock jumps come in any order."""
    delivered = dropped = 0
    for seed in range(part, SCHEDULES // 2, PARTS):
        try:
            ledger = _run(make, seed).ledger
        except Exception as error:
            raise AssertionError(f"the schedule with seed {seed} failed") from error
        delivered += ledger.delivered
        dropped += sum(ledger.dropped.values())
    assert delivered, "a schedule that delivers nothing checks nothing"
    assert dropped
