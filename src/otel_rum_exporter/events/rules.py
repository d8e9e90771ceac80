"""What becomes of spans and log records: two ordered tables, the first rule that fits decides.

A family of events is one module beside this one and one row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..config import Config
from ..log_record import LogView
from ..span import SpanView
from ..view import View
from . import custom, document, dom, http, js_error, override, page, resource, screen, session, web_vital, xray
from .rum_event import Draft

V = TypeVar("V", bound=View)


@dataclass(frozen=True, slots=True)
class Rule(Generic[V]):
    """A row of a table. `becomes` names the events it makes; exceptions add `js_error_event` where it keeps them."""

    name: str
    becomes: str
    fits: Callable[[V, Config], bool]
    events: Callable[[V, Config], Iterable[Draft]]
    keeps_exceptions: bool = True


def _nothing(_view: View, _config: Config) -> Iterable[Draft]:
    return ()


def _named(*names: str) -> Callable[[View, Config], bool]:
    return lambda view, _: view.name in names


def _is_asgi_message(view: SpanView, _: Config) -> bool:
    return "asgi.event.type" in view.attributes


def _is_exception(view: View, _: Config) -> bool:
    return js_error.is_exception(view)


def _is_logged_error(view: LogView, _: Config) -> bool:
    return js_error.is_logged_error(view)


def _request_made(view: SpanView, config: Config) -> Iterable[Draft]:
    return (*xray.trace_events(view, config), *http.client_events(view, config))


def _failed_or_custom(view: SpanView, config: Config) -> Iterable[Draft]:
    return tuple(http.server_events(view, config)) or custom.span_event(view, config)


_NOTHING = "nothing"
_TOLD = "what `rum.event.type` says"
_PAGE_VIEW = "`page_view_event`"
_NAVIGATION = "`performance_navigation_event`"
_RESOURCE = "`performance_resource_event`"
_VITALS = "the event of each web vital"
_ERROR = "`js_error_event`"
_CUSTOM = "a custom event"

SPAN_RULES: tuple[Rule[SpanView], ...] = (
    Rule("a call to RUM itself", _NOTHING, http.is_own_traffic, _nothing, keeps_exceptions=False),
    Rule("a message of an ASGI request", _NOTHING, _is_asgi_message, _nothing),
    Rule("`rum.event.type` = `none`", _NOTHING, override.is_none, _nothing, keeps_exceptions=False),
    Rule("`rum.event.type`", _TOLD, override.is_told, override.events),
    Rule(
        "a document loaded: `documentLoad`",
        f"{_PAGE_VIEW}, {_NAVIGATION}, `first_contentful_paint_event`",
        _named("documentLoad"),
        document.loaded,
    ),
    Rule("a document fetched: `documentFetch`", _NOTHING, _named("documentFetch"), _nothing),
    Rule("a resource fetched: `resourceFetch`", _RESOURCE, _named("resourceFetch"), resource.fetched),
    Rule(
        "a route changed: `routeChange`", f"{_PAGE_VIEW}, {_NAVIGATION}", _named("routeChange"), document.route_changed
    ),
    Rule("web vitals: `webvitals`", _VITALS, web_vital.is_span_of_vitals, web_vital.span_events),
    Rule("an interaction: `event_type` and `target_element`", "`dom_event`", dom.is_interaction, dom.span_event),
    Rule("the start of an application: `AppStart`", _CUSTOM, _named("AppStart"), custom.span_event),
    Rule("a screen drawn: `app.screen.time_to_first_…`", _NAVIGATION, screen.is_first_drawn, screen.first_drawn),
    Rule("a screen of Android shown", _PAGE_VIEW, screen.is_lifecycle_shown, page.page_view),
    Rule("another step in a screen's life", _CUSTOM, screen.is_lifecycle, custom.span_event),
    Rule("an exception as a span", _ERROR, _is_exception, _nothing),
    Rule(
        "an HTTP request made",
        f"{_RESOURCE}, `http_event` if it failed, `xray_trace_event` if wanted",
        http.is_client,
        _request_made,
        keeps_exceptions=False,
    ),
    Rule("a page served", f"{_PAGE_VIEW}, {_NAVIGATION}", page.is_page_served, page.page_served),
    Rule(
        "an HTTP request served",
        "`http_event` if it failed, a custom event otherwise",
        http.is_server,
        _failed_or_custom,
    ),
    Rule("a screen shown", f"{_PAGE_VIEW}, {_NAVIGATION}", screen.is_shown, screen.shown),
    Rule("anything else", _CUSTOM, custom.any_span, custom.span_event),
)

LOG_RULES: tuple[Rule[LogView], ...] = (
    Rule("`rum.event.type` = `none`", _NOTHING, override.is_none, _nothing, keeps_exceptions=False),
    Rule("`rum.event.type`", _TOLD, override.is_told, override.events, keeps_exceptions=False),
    Rule("a failed request's own log", _NOTHING, http.is_logged_failure, _nothing, keeps_exceptions=False),
    Rule("an exception", _ERROR, _is_logged_error, _nothing),
    Rule("a session opened: `session.start`", "`session_start_event`", session.is_started, session.started),
    Rule("a web vital: `browser.web_vital`", _VITALS, web_vital.is_vital, web_vital.log_event),
    Rule("a page shown: `browser.navigation`", _PAGE_VIEW, document.is_navigation, page.page_view),
    Rule(
        "a document loaded: `browser.navigation_timing`",
        _NAVIGATION,
        _named("browser.navigation_timing"),
        document.timed,
    ),
    Rule("a resource loaded: `browser.resource_timing`", _RESOURCE, _named("browser.resource_timing"), resource.timed),
    Rule("a click", "`dom_event`", dom.is_click, dom.log_event),
    Rule("a screen shown: `app.screen.view_did_appear`", _PAGE_VIEW, screen.is_appeared, page.page_view),
    Rule("any other named event", _CUSTOM, custom.is_named, custom.log_event),
    Rule("a line without a name", _NOTHING, custom.any_log, _nothing),
)


def decide(rules: tuple[Rule[V], ...], view: V, config: Config) -> Rule[V]:
    """Return the rule that decides over a span or log record; the last row of each table fits them all."""
    for rule in rules:
        if rule.fits(view, config):
            return rule
    raise LookupError(view.name)
