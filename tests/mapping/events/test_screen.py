"""Screens reported by Python applications, OpenTelemetry on Android and AWS's mobile SDKs."""

from typing import Any

import pytest
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from otel_rum_exporter._attributes import SCREEN_SHOWN
from tests.logs import make_log
from tests.mapping.event_drafts import mapped, types
from tests.spans import MILLI_NS, START_NS, make_config, make_span

AWS_ANDROID = {
    "cloud.platform": "aws_rum",
    "os.name": "Android",
    "rum.sdk.version": "1.0.0",
    "telemetry.sdk.language": "java",
}
AWS_IOS = {
    "cloud.platform": "aws_rum",
    "os.name": "iOS",
    "rum.sdk.version": "1.0.0",
    "telemetry.sdk.language": "swift",
}
BOTH = ["page_view_event", "performance_navigation_event"]


def lifecycle(name: str, attributes: dict[str, Any], **span: Any) -> Any:
    """Make a span like OpenTelemetry's Android lifecycle instrumentation."""
    made = make_span(name, attributes, resource=AWS_ANDROID, **span)
    made._instrumentation_scope = InstrumentationScope("io.opentelemetry.lifecycle")
    return made


def test_a_screen_is_shown_by_the_first_span_of_a_trace_in_its_process() -> None:
    """Its descendants carry the screen's name too and are no page views."""
    screen = {"screen.name": "Settings"}
    root = make_span("show", screen)
    assert types(root) == BOTH
    assert types(make_span("x", screen, parent=root)) == ["x"]
    assert types(make_span("x", screen, parent=SpanContext(1, 2, is_remote=True))) == BOTH
    assert types(root, make_config(page_views="none")) == ["show"]


def test_a_span_can_state_that_it_did_not_show_its_screen() -> None:
    """The session processor sets the screen on every span."""
    assert types(make_span("save", {"app.screen.name": "Settings", SCREEN_SHOWN: False})) == ["save"]


def test_a_screen_is_a_route_change_at_an_epoch_time_with_its_place_in_the_session() -> None:
    """ADOT's screen attributes become RUM's interaction and parent page."""
    attributes = {"app.screen.name": "Cart", "app.screen.interaction": 3, "app.screen.parent_screen.name": "Home"}
    (_, seen), (_, navigation) = mapped(make_span("show", attributes))
    assert seen == {
        "version": "1.0.0",
        "pageId": "Cart",
        "interaction": 3,
        "pageInteractionId": "Cart-3",
        "parentPageInteractionId": "Home-2",
    }
    assert (navigation["initiatorType"], navigation["startTime"]) == ("route_change", START_NS / MILLI_NS)


def test_the_first_screen_of_a_session_has_no_parent() -> None:
    """Interactions are counted from 0."""
    attributes = {"app.screen.name": "Home", "app.screen.interaction": 0, "app.screen.parent_screen.name": "Home"}
    (_, seen), _ = mapped(make_span("show", attributes))
    assert (seen["pageInteractionId"], "parentPageInteractionId" in seen) == ("Home-0", False)


@pytest.mark.parametrize(
    ("name", "resource", "attributes"),
    [
        (
            "app.screen.time_to_first_draw",
            AWS_ANDROID,
            {
                "activity.name": "MainActivity",
                "screen.name": "MainActivity",
                "screen.view.nodes": 41,
                "screen.view.depth": 9,
            },
        ),
        ("app.screen.time_to_first_appear", AWS_IOS, {"screen.name": "Home", "app.screen.type": "swiftui"}),
    ],
)
def test_the_time_to_show_a_screen_is_a_navigation(
    name: str, resource: dict[str, Any], attributes: dict[str, Any]
) -> None:
    """AWS's SDKs report the page view in another record."""
    assert mapped(make_span(name, attributes, resource=resource)) == [
        (
            "performance_navigation_event",
            {"version": "1.0.0", "initiatorType": "route_change", "startTime": START_NS / MILLI_NS, "duration": 120.0},
        )
    ]


def test_the_start_of_an_application_is_a_custom_event() -> None:
    """It carries a screen's name but shows none."""
    attributes = {"start.type": "cold", "screen.name": "Home", "launch_start_name": "process.start"}
    assert types(make_span("AppStart", attributes, resource=AWS_IOS)) == ["AppStart"]
    assert types(make_span("AppStart", attributes)) == ["AppStart"]


def test_a_mobile_sdk_span_shows_no_screen() -> None:
    """The SDK sets the screen on every span."""
    assert types(make_span("sync", {"screen.name": "Home"}, resource=AWS_ANDROID)) == ["sync"]


@pytest.mark.parametrize("name", ["Created", "Restarted", "Resumed"])
def test_an_android_lifecycle_step_that_shows_another_screen_is_a_page_view(name: str) -> None:
    """The spans of OpenTelemetry's activity instrumentation."""
    attributes = {"activity.name": "CartActivity", "screen.name": "CartActivity", "last.screen.name": "MainActivity"}
    assert mapped(lifecycle(name, attributes)) == [("page_view_event", {"version": "1.0.0", "pageId": "CartActivity"})]


def test_any_other_android_lifecycle_step_is_a_custom_event() -> None:
    """A screen that was left, one that did not change, one shown by the application start."""
    screen = {"screen.name": "Main"}
    assert types(lifecycle("Paused", screen)) == ["Paused"]
    assert types(lifecycle("Resumed", {**screen, "last.screen.name": "Main"})) == ["Resumed"]
    assert types(lifecycle("Created", screen, parent=make_span("AppStart"))) == ["Created"]
    assert types(lifecycle("Created", {})) == ["Created"]


def test_a_screen_that_appeared_on_ios_is_a_page_view() -> None:
    """The log record of AWS's iOS SDK."""
    attributes = {
        "screen.name": "CartView",
        "app.screen.type": "uikit",
        "app.screen.interaction": 4,
        "app.screen.parent_screen.name": "HomeView",
        "session.id": "E621E1F8-C36C-495A-93FC-0C247A3E6E5F",
        "user.id": "0D5A1A0E-95C1-4C2C-A7E7-0B8C3C4D5E6F",
    }
    assert mapped(make_log("app.screen.view_did_appear", attributes, resource=AWS_IOS)) == [
        (
            "page_view_event",
            {
                "version": "1.0.0",
                "pageId": "CartView",
                "interaction": 4,
                "pageInteractionId": "CartView-4",
                "parentPageInteractionId": "HomeView-3",
            },
        )
    ]
    assert types(make_log("app.screen.view_did_appear")) == ["app.screen.view_did_appear"]
