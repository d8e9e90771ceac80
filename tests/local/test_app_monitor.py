"""App monitors: which exist, and what their configuration means for a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import AppMonitor, LocalRum
from otel_rum_exporter.local.app_monitor import AppMonitors
from otel_rum_exporter.local.validation import admit

Make = Callable[..., Any]
OTHER = "99999999-9999-4999-8999-999999999999"
XRAY = {"name": "a", "id": "b70ccac107c23ef4", "trace_id": "1-6b03f0c0-70a497119cf1cbf4b2114818", "start_time": 1.5}


@pytest.mark.parametrize(
    ("monitor", "event_type", "details", "reason"),
    [
        (AppMonitor(custom_events=False), "checkout", {}, "custom events are not enabled in the app monitor"),
        (
            AppMonitor(xray=False),
            "com.amazon.rum.xray_trace_event",
            XRAY,
            "X-Ray tracing is not enabled in the app monitor",
        ),
        (
            AppMonitor(domains=("a.example", "*.b.example")),
            "com.amazon.rum.session_start_event",
            {"version": "1.0.0"},
            'its domain "shop.example" is none of the app monitor\'s: a.example, *.b.example',
        ),
    ],
)
def test_what_is_not_enabled_is_dropped_without_a_word(
    body: Make,
    event: Make,
    app_monitor: str,
    monitor: AppMonitor,
    event_type: str,
    details: dict[str, Any],
    reason: str,
) -> None:
    """The request is accepted, the event is not, and the verdict tells why."""
    admitted = admit(app_monitor, body(event(event_type, details)), monitor)
    assert admitted.events == ()
    assert [dropped.reason for dropped in admitted.dropped] == [reason]
    assert [(verdict.outcome, verdict.reason) for verdict in admitted.verdicts] == [("dropped", reason)]
    assert len(admit(app_monitor, body(event(event_type, details)), AppMonitor()).events) == 1


@pytest.mark.parametrize(
    ("domain", "is_taken"),
    [
        ("shop.example", True),
        ("SHOP.example", True),
        ("eu.apps.example", True),
        ("apps.example", False),
        ("evilshop.example", False),
        ("badapps.example", False),
        ("", False),
    ],
)
def test_domains_fit_whole_or_below_a_star(domain: str, is_taken: bool) -> None:  # noqa: FBT001 - a row of a table
    """A name that only ends alike is another one."""
    assert AppMonitor(domains=("shop.example", "*.apps.example")).takes_domain(domain) is is_taken


def test_app_monitors_are_created_by_their_first_request(body: Make, app_monitor: str, post_to: Make) -> None:
    """Its name is the one the request tells, and it stays."""
    with LocalRum() as rum:
        post_to(rum, app_monitor, body(AppMonitorDetails={"name": "shop"}))
        post_to(rum, app_monitor, body(AppMonitorDetails={"name": "other"}))
        assert [(one.id, one.name) for one in rum.app_monitors] == [(app_monitor, "shop")]


def test_a_refused_request_creates_nothing() -> None:
    """Nor does looking for one."""
    monitors = AppMonitors()
    assert monitors.find(OTHER) is not None
    assert list(monitors) == []


def test_only_given_app_monitors_exist(body: Make, app_monitor: str, post_to: Make) -> None:
    """Another id is answered as AWS does."""
    with LocalRum(app_monitors=[AppMonitor(id=app_monitor, name="shop")]) as rum:
        assert post_to(rum, app_monitor, body()) == (200, None)
        assert post_to(rum, OTHER, body(AppMonitorDetails={})) == (404, "ResourceNotFoundException")
        assert [one.name for one in rum.app_monitors] == ["shop"]


def test_one_without_an_id_is_the_model_of_those_to_come(body: Make, post_to: Make) -> None:
    """Both can stand side by side."""
    given = [AppMonitor(id=OTHER, name="strict", custom_events=False), AppMonitor(domains=("shop.example",))]
    with LocalRum(app_monitors=given) as rum:
        post_to(rum, OTHER, body(AppMonitorDetails={}))
        post_to(rum, "11111111-1111-4111-8111-111111111111", body())
        assert [(one.name, one.domains) for one in rum.app_monitors] == [
            ("strict", ()),
            ("monitor-11111111", ("shop.example",)),
        ]
        assert len(rum.events) == len(rum.dropped) == 1


@pytest.mark.parametrize("wrong", [{"id": "shop"}, {"name": ".hidden"}, {"name": "a b"}])
def test_an_app_monitor_that_cannot_be_is_told_at_once(wrong: dict[str, str]) -> None:
    """The value is quoted."""
    with pytest.raises(ValueError, match=rf"is '{next(iter(wrong.values()))}'"):
        AppMonitor(**wrong)  # type: ignore[arg-type]


def test_made_up_ids_do_not_fill_the_memory() -> None:
    """The oldest are forgotten."""
    monitors = AppMonitors()
    for n in range(1500):
        monitors.use(f"00000000-0000-4000-8000-{n:012}", None)
    assert len(list(monitors)) == 1000


@pytest.mark.parametrize(
    ("alias", "answer"),
    [("blue", (200, None)), ("red", (403, "AccessDeniedException")), (None, (403, "AccessDeniedException"))],
)
def test_an_alias_lets_unsigned_requests_in(
    body: Make, post_to: Make, alias: str | None, answer: tuple[int, str | None]
) -> None:
    """Only one that the resource policy names."""
    sent = body() if alias is None else body(Alias=alias)
    with LocalRum(app_monitors=[AppMonitor(aliases=("blue", "green"))]) as rum:
        assert post_to(rum, "11111111-1111-4111-8111-111111111111", sent) == answer
        assert len(rum.refused) == (answer[0] != 200)


def test_every_event_of_a_refused_request_has_a_verdict(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """The guilty ones each their reason, the others whose fault it is."""
    post(body(event("good"), event("bad", details="no JSON"), event("worse", id="1"), event("fine")))
    assert [(one.event_type, one.outcome) for one in rum.verdicts] == [
        (name, "refused") for name in ("good", "bad", "worse", "fine")
    ]
    innocent = "refused with its request, because of RumEvents[1]"
    assert [rum.verdicts[n].reason for n in (0, 3)] == [innocent, innocent]
    assert str(rum.verdicts[1].reason).startswith("RumEvents[1].details")
    assert str(rum.verdicts[2].reason).startswith("RumEvents[2].id")
    (refusal,) = rum.refused
    assert refusal.message == rum.verdicts[1].reason
    assert len(refusal.raw["RumEvents"]) == 4


def test_verdicts_come_in_order_of_arrival(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """An accepted event tells what it lost."""
    post(body(event("first", metadata={"not a key": 1})))
    post(body(event("second", details="[]")))
    post(body(event("third", details={"text": "x" * 7000}), event("fourth")))
    assert [(one.event_type, one.outcome) for one in rum.verdicts] == [
        ("first", "accepted"),
        ("second", "refused"),
        ("third", "dropped"),
        ("fourth", "accepted"),
    ]
    assert str(rum.verdicts[0].reason).startswith('attribute "not a key" removed: the key must be')
    assert rum.verdicts[3].reason is None


def test_verdicts_of_what_is_no_event_at_all(post: Make, body: Make, rum: LocalRum) -> None:
    """Their id and type are not known."""
    assert post(body(RumEvents=[1, {"id": 2, "type": []}])).status == 400
    assert [(one.event_id, one.event_type) for one in rum.verdicts] == [(None, None)] * 2
    assert json.dumps(rum.refused[0].raw)
