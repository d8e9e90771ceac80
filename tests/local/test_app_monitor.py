"""App monitors and the effect of their configuration on requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local import AppMonitor, LocalRum
from otel_rum_exporter.local.app_monitor import AppMonitors
from otel_rum_exporter.local.validation import validate

Make = Callable[..., Any]
OTHER = "99999999-9999-4999-8999-999999999999"
XRAY = {"name": "a", "id": "b70ccac107c23ef4", "trace_id": "1-6b03f0c0-70a497119cf1cbf4b2114818", "start_time": 1.5}


@pytest.mark.parametrize(
    ("monitor", "event_type", "details", "reason"),
    [
        (
            AppMonitor(custom_events=False),
            "checkout",
            {},
            "custom events are disabled in the app monitor, so RUM drops the event. To fix: enable custom events",
        ),
        (
            AppMonitor(xray=False),
            "com.amazon.rum.xray_trace_event",
            XRAY,
            "X-Ray tracing is disabled in the app monitor, so RUM drops the event. To fix: enable X-Ray tracing",
        ),
        (
            AppMonitor(domains=("a.example", "*.b.example")),
            "com.amazon.rum.session_start_event",
            {"version": "1.0.0"},
            (
                'the app monitor accepts a.example, *.b.example and not the domain "shop.example", so RUM drops the '
                "event. To fix: add the domain"
            ),
        ),
    ],
)
def test_event_that_the_configuration_excludes_is_dropped(
    body: Make,
    event: Make,
    app_monitor: str,
    monitor: AppMonitor,
    event_type: str,
    details: dict[str, Any],
    reason: str,
) -> None:
    """The request is accepted, and the decision has the reason."""
    valid = validate(app_monitor, body(event(event_type, details)), monitor)
    assert valid.events == ()
    assert [dropped.reason for dropped in valid.dropped] == [reason]
    assert [(decision.outcome, decision.reason) for decision in valid.decisions] == [("dropped", reason)]
    assert len(validate(app_monitor, body(event(event_type, details)), AppMonitor()).events) == 1


@pytest.mark.parametrize(
    ("domain", "is_accepted"),
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
def test_domain_matches_exactly_or_as_subdomain_of_a_wildcard(domain: str, is_accepted: bool) -> None:  # noqa: FBT001 - a row of a table
    """A name with the same ending does not match."""
    assert AppMonitor(domains=("shop.example", "*.apps.example")).accepts_domain(domain) is is_accepted


def test_first_request_creates_the_app_monitor(body: Make, app_monitor: str, post_to: Make) -> None:
    """It gets the name in that request and keeps it."""
    with LocalRum() as rum:
        post_to(rum, app_monitor, body(AppMonitorDetails={"name": "shop"}))
        post_to(rum, app_monitor, body(AppMonitorDetails={"name": "other"}))
        assert [(one.id, one.name) for one in rum.app_monitors] == [(app_monitor, "shop")]


def test_find_creates_no_app_monitor() -> None:
    """Only `use` does."""
    monitors = AppMonitors()
    assert monitors.find(OTHER) is not None
    assert list(monitors) == []


def test_unknown_app_monitor_is_answered_with_404(body: Make, app_monitor: str, post_to: Make) -> None:
    """AWS answers the same."""
    with LocalRum(app_monitors=[AppMonitor(id=app_monitor, name="shop")]) as rum:
        assert post_to(rum, app_monitor, body()) == (200, None)
        assert post_to(rum, OTHER, body(AppMonitorDetails={})) == (404, "ResourceNotFoundException")
        assert "To fix: send to a configured app monitor" in rum.refused[0].message
        assert [one.name for one in rum.app_monitors] == ["shop"]


def test_app_monitor_without_id_is_the_template_for_new_ones(body: Make, post_to: Make) -> None:
    """Configured app monitors keep their own settings."""
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
def test_invalid_app_monitor_raises_with_the_value(wrong: dict[str, str]) -> None:
    """The message quotes the value."""
    with pytest.raises(ValueError, match=rf"is '{next(iter(wrong.values()))}'"):
        AppMonitor(**wrong)  # type: ignore[arg-type]


def test_number_of_created_app_monitors_is_limited() -> None:
    """The oldest are removed."""
    monitors = AppMonitors()
    for n in range(1500):
        monitors.use(f"00000000-0000-4000-8000-{n:012}", None)
    assert len(list(monitors)) == 1000


@pytest.mark.parametrize(
    ("alias", "answer"),
    [("blue", (200, None)), ("red", (403, "AccessDeniedException")), (None, (403, "AccessDeniedException"))],
)
def test_unsigned_request_needs_an_alias_of_the_resource_policy(
    body: Make, post_to: Make, alias: str | None, answer: tuple[int, str | None]
) -> None:
    """Another alias or none is answered with 403."""
    sent = body() if alias is None else body(Alias=alias)
    with LocalRum(app_monitors=[AppMonitor(aliases=("blue", "green"))]) as rum:
        assert post_to(rum, "11111111-1111-4111-8111-111111111111", sent) == answer
        assert ["To fix: sign it, or set an Alias" in one.message for one in rum.refused] == [True] * (answer[0] != 200)


def test_every_event_of_a_refused_request_has_a_decision(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """Invalid events have their own reason, the others name the first invalid event."""
    post(body(event("good"), event("bad", details="no JSON"), event("worse", id="1"), event("fine")))
    assert [(one.event_type, one.outcome) for one in rum.decisions] == [
        (name, "refused") for name in ("good", "bad", "worse", "fine")
    ]
    other = (
        "RumEvents[1] in the same request is invalid, so RUM refuses the whole request. To fix: correct RumEvents[1]"
    )
    assert [rum.decisions[n].reason for n in (0, 3)] == [other, other]
    assert str(rum.decisions[1].reason).startswith("RumEvents[1].details")
    assert str(rum.decisions[2].reason).startswith("RumEvents[2].id")
    (refused_request,) = rum.refused
    assert refused_request.message == rum.decisions[1].reason
    assert len(refused_request.raw["RumEvents"]) == 4


def test_decisions_are_in_order_of_arrival(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """The decision of an accepted event lists removed attributes."""
    post(body(event("first", metadata={"not a key": 1})))
    post(body(event("second", details="[]")))
    post(body(event("third", details={"text": "x" * 7000}), event("fourth")))
    assert [(one.event_type, one.outcome) for one in rum.decisions] == [
        ("first", "accepted"),
        ("second", "refused"),
        ("third", "dropped"),
        ("fourth", "accepted"),
    ]
    assert str(rum.decisions[0].reason).startswith('attribute "not a key" removed: the key must be')
    assert rum.decisions[3].reason is None


def test_decisions_of_malformed_events_have_no_id_and_type(post: Make, body: Make, rum: LocalRum) -> None:
    """Both are None when unreadable."""
    assert post(body(RumEvents=[1, {"id": 2, "type": []}])).status == 400
    assert [(one.event_id, one.event_type) for one in rum.decisions] == [(None, None)] * 2
    assert json.dumps(rum.refused[0].raw)
