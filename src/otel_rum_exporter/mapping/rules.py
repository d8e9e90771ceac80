"""The events of spans and log records: two ordered tables, of which the first rule that fits applies.

An event family is one module in `events` and one row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from opentelemetry.trace import SpanKind

from .._attributes import EVENT_TYPE, METHODS, SCREEN_NAMES, SESSION_JOINED
from ..config import Config
from ..rum.event import EventDraft
from . import health_checks, library_spans, override, rule
from .attribute_keys import AttributeKeys
from .events import (
    custom,
    dom,
    http_event,
    js_error,
    page_load,
    page_view,
    performance_resource,
    screen,
    session_start,
    web_vital,
    xray,
)
from .log_view import PAGE_VIEW_RECORD, LogView
from .rule import Plan, Rule, Rules, is_excluded
from .span_view import SpanView


def _requests_made(keys: AttributeKeys, config: Config) -> Callable[[SpanView], Sequence[EventDraft]]:
    made = http_event.requests_made(keys, config)
    return (lambda view: (*xray.trace_events(view, config), *made(view))) if config.xray_events else made


def _failed_or_custom(view: SpanView, config: Config) -> Iterable[EventDraft]:
    return tuple(http_event.server_events(view, config)) or custom.span_event(view, config)


_custom_events = Plan(custom.span_events)


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


_NOTHING = "nothing"
_OVERRIDE = "the event that `rum.event.type` names"
_PAGE_VIEW = "`page_view_event`"
_NAVIGATION = "`performance_navigation_event`"
_RESOURCE = "`performance_resource_event`"
_VITALS = "the event of each web vital"
_ERROR = "`js_error_event`"
_CUSTOM = "a custom event"
_UNLESS_ALL = "nothing, unless `CUSTOM_EVENTS` is `all`"

_EXCLUDED: Rule[Any] = Rule(
    "a name or scope in `EXCLUDED_NAMES`",
    _NOTHING,
    fits=is_excluded,
    needs="excluded_names",
    keeps_exceptions=False,
)
_SET_TO_NONE: Rule[Any] = Rule(
    "`rum.event.type` = `none`",
    _NOTHING,
    fits=override.is_none,
    having=_names(EVENT_TYPE),
    keeps_exceptions=False,
    left_out=rule.BY_APPLICATION,
)
_library_rule = partial(Rule, becomes=_UNLESS_ALL, left_out=rule.LIBRARY_SPAN)

SPAN_RULES: Rules[SpanView] = Rules(
    Rule(
        "a request to RUM itself",
        _NOTHING,
        left_out=rule.NOT_FOR_RUM,
        fits=Plan(http_event.are_own_traffic),
        kind=SpanKind.CLIENT,
        having=http_event.OWN_TRAFFIC,
        keeps_exceptions=False,
    ),
    _EXCLUDED,
    Rule("a message of an ASGI request", _NOTHING, having=_names("asgi.event.type"), left_out=rule.NOT_FOR_RUM),
    _SET_TO_NONE,
    Rule("`rum.event.type`", _OVERRIDE, override.events, override.is_set, having=_names(EVENT_TYPE)),
    Rule(
        "a document loaded: `documentLoad`",
        f"{_PAGE_VIEW}, {_NAVIGATION}, `first_contentful_paint_event`",
        page_load.loaded,
        named=_names("documentLoad"),
    ),
    Rule(
        "a document fetched: `documentFetch`",
        "nothing: its timings are part of the document's event",
        named=_names("documentFetch"),
        is_of_parent=True,
        left_out=rule.OF_PARENT,
    ),
    Rule("a resource fetched: `resourceFetch`", _RESOURCE, performance_resource.fetched, named=_names("resourceFetch")),
    Rule(
        "a route changed: `routeChange`",
        f"{_PAGE_VIEW}, {_NAVIGATION}",
        page_load.route_changed,
        named=_names("routeChange"),
    ),
    Rule(
        "web vitals: `webvitals`, or the name of a vital",
        _VITALS,
        web_vital.span_events,
        web_vital.is_span_of_vitals,
        left_out=rule.NOT_MEASURED,
        named=web_vital.SPANS,
    ),
    Rule(
        "an interaction: `event_type` and `target_element`",
        f"`dom_event`, {_PAGE_VIEW} if its name is `Navigation: /…`",
        dom.span_event,
        dom.is_interaction,
        having=_names("event_type"),
    ),
    Rule("the start of an application: `AppStart`", _CUSTOM, _custom_events, named=_names("AppStart")),
    Rule("a screen drawn: `app.screen.time_to_first_…`", _NAVIGATION, screen.first_drawn, named=screen.FIRST_DRAWN),
    Rule(
        "an Android screen shown",
        _PAGE_VIEW,
        page_view.page_view,
        screen.is_lifecycle_shown,
        scopes=screen.LIFECYCLE_SCOPES,
        named=screen.SHOWN,
    ),
    Rule(
        "another step of a screen's lifecycle",
        _CUSTOM,
        _custom_events,
        scopes=screen.LIFECYCLE_SCOPES,
    ),
    Rule("an exception as a span", _ERROR, fits=js_error.is_exception, having=js_error.EXCEPTION_ATTRIBUTES),
    _library_rule(
        "a call to a database or cache, of kind CLIENT or by the scope of a library: `db.…`",
        fits=library_spans.is_call,
        having=library_spans.DATABASE,
        keeps_exceptions=False,
    ),
    _library_rule(
        "a call of an AWS SDK: `rpc.system` = `aws-api`",
        fits=library_spans.is_aws_call,
        having=library_spans.RPC,
        keeps_exceptions=False,
    ),
    Rule(
        "an HTTP request made",
        f"{_RESOURCE}, `http_event` if it failed, `xray_trace_event` if enabled",
        Plan(_requests_made),
        Plan(http_event.are_requests),
        kind=SpanKind.CLIENT,
        having=_names(*METHODS),
        keeps_exceptions=False,
    ),
    Rule(
        "a health check that succeeded, by its path or user agent",
        _UNLESS_ALL,
        fits=health_checks.is_passed,
        kind=SpanKind.SERVER,
        left_out=rule.HEALTH_CHECK,
    ),
    Rule(
        "a page served in the session of AWS's browser client",
        "nothing: the browser sends its page views; an `http_event` if all are sent",
        http_event.server_events,
        page_view.is_page_of_browser,
        kind=SpanKind.SERVER,
        having=_names(SESSION_JOINED),
        left_out=rule.OF_BROWSER,
    ),
    Rule(
        "a page served",
        f"{_PAGE_VIEW}, {_NAVIGATION}",
        page_view.page_served,
        page_view.is_page_served,
        kind=SpanKind.SERVER,
        having=_names(*METHODS),
    ),
    Rule(
        "an HTTP request served",
        "`http_event` if it failed, else a custom event",
        _failed_or_custom,
        Plan(http_event.are_requests),
        kind=SpanKind.SERVER,
        having=_names(*METHODS),
    ),
    Rule(
        "a screen shown",
        f"{_PAGE_VIEW}, {_NAVIGATION}",
        Plan(screen.shown),
        Plan(screen.are_shown),
        having=_names(*SCREEN_NAMES),
    ),
    _library_rule(
        "a request for messages, by the scope of a library that makes a span for each message as well",
        fits=library_spans.is_poll,
        kind=SpanKind.CONSUMER,
    ),
    Rule("a message processed: kind CONSUMER", _CUSTOM, _custom_events, kind=SpanKind.CONSUMER),
    Rule("a unit of work: `faas.…`, `job.…`", _CUSTOM, _custom_events, having=library_spans.JOB),
    _library_rule(
        "a message sent or received: `messaging.system`",
        fits=library_spans.is_call,
        having=library_spans.MESSAGING,
        keeps_exceptions=False,
    ),
    _library_rule("a call to another service: `rpc.system`", fits=library_spans.is_call, having=library_spans.RPC),
    _library_rule("a step of an instrumentation library, by its scope", fits=Plan(library_spans.are_steps)),
    Rule("anything else", _CUSTOM, _custom_events),
)

LOG_RULES: Rules[LogView] = Rules(
    _EXCLUDED,
    _SET_TO_NONE,
    Rule(
        "`rum.event.type`",
        _OVERRIDE,
        override.events,
        override.is_set,
        having=_names(EVENT_TYPE),
        keeps_exceptions=False,
    ),
    Rule(
        "the log record of a failed request",
        _NOTHING,
        left_out=rule.OF_SPAN,
        fits=http_event.is_within_span,
        named=_names("http.client.request.exception"),
        keeps_exceptions=False,
    ),
    Rule("an exception", _ERROR, fits=js_error.is_logged_error),
    Rule(
        "a session start: `session.start`",
        "`session_start_event`",
        session_start.started,
        session_start.is_started,
        named=_names("session.start"),
    ),
    Rule(
        "a web vital that a later record of the same export replaces",
        _NOTHING,
        left_out=rule.REPLACED,
        fits=web_vital.is_superseded,
        named=_names(web_vital.EVENT_NAME),
    ),
    Rule(
        "a web vital: `browser.web_vital`",
        _VITALS,
        web_vital.log_event,
        web_vital.is_vital,
        left_out=rule.NOT_MEASURED,
        named=_names(web_vital.EVENT_NAME),
    ),
    Rule(
        "a page shown: `browser.navigation`, `browser.page_view`",
        _PAGE_VIEW,
        page_view.page_view,
        page_load.are_pages_wanted,
        named=_names("browser.navigation", PAGE_VIEW_RECORD),
    ),
    Rule(
        "a document loaded: `browser.navigation_timing`",
        _NAVIGATION,
        page_load.timed,
        named=_names("browser.navigation_timing"),
    ),
    Rule(
        "a resource loaded: `browser.resource_timing`",
        _RESOURCE,
        performance_resource.timed,
        named=_names("browser.resource_timing"),
    ),
    Rule("a click", "`dom_event`", dom.log_event, named=dom.CLICKS),
    Rule(
        "a screen shown: `app.screen.view_did_appear`",
        _PAGE_VIEW,
        page_view.page_view,
        screen.is_appeared,
        named=_names("app.screen.view_did_appear"),
    ),
    Rule("any other named event", _CUSTOM, custom.log_event, custom.is_named),
    Rule("a log line without an event name", _NOTHING, left_out=rule.NOT_FOR_RUM),
)
