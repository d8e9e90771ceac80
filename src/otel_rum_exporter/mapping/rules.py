"""What becomes of spans and log records: two ordered tables, the first rule that fits decides.

A family of events is one module beside this one and one row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Generic, TypeVar

from opentelemetry.trace import SpanKind

from .._attributes import EVENT_TYPE, SCREEN_NAMES
from ..config import Config
from ..rum.event import EventDraft
from . import override
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
from .log_view import LogView
from .record_view import View
from .span_view import SpanView

V = TypeVar("V", bound=View)


def _always(_view: View, _config: Config) -> bool:
    return True


def _nothing(_view: View, _config: Config) -> Iterable[EventDraft]:
    return ()


@dataclass(frozen=True, slots=True)
class Rule(Generic[V]):
    """A row of a table. `becomes` names the events it makes; exceptions add `js_error_event` where it keeps them.

    It is for spans of one `kind`, for records of some names, or for those that have one of some attributes, where it
    says so, and for those of them that `fits` holds for. `is_of_parent` says that the parent's events tell it.
    """

    name: str
    becomes: str
    events: Callable[[V, Config], Iterable[EventDraft]] = _nothing
    fits: Callable[[V, Config], bool] = _always
    kind: SpanKind | None = None
    named: frozenset[str] = frozenset()
    having: frozenset[str] = frozenset()
    keeps_exceptions: bool = True
    is_of_parent: bool = False


class Rules(Generic[V]):
    """A table of rules, in order. Thread-safe."""

    def __init__(self, *rows: Rule[V]) -> None:
        self._rows = rows
        self._names = frozenset(name for row in rows for name in row.named)
        self._candidates = partial(_Candidates, rows)

    def __iter__(self) -> Iterator[Rule[V]]:
        return iter(self._rows)

    def decide(self, view: V, config: Config) -> Rule[V]:
        """Return the first rule that fits a span or log record; the last row of each table fits them all."""
        candidates: _Candidates[V] = view.shape.found(self._candidates)
        for row in candidates[view.kind, view.name if view.name in self._names else ""]:
            if row.fits is _always or row.fits(view, config):
                return row
        raise LookupError(view.name)


class _Candidates(dict[tuple["SpanKind | None", str], tuple[Rule[V], ...]]):
    """The rows that can fit, for a kind and a name: which attributes there are decides more than what they hold."""

    def __init__(self, rows: Iterable[Rule[V]], attributes: tuple[str, ...]) -> None:
        super().__init__()
        self._rows = [row for row in rows if not row.having or not row.having.isdisjoint(attributes)]

    def __missing__(self, key: tuple[SpanKind | None, str]) -> tuple[Rule[V], ...]:
        kind, name = key
        rows = (row for row in self._rows if row.kind in {None, kind} and (not row.named or name in row.named))
        return self.setdefault(key, tuple(rows))


def _is_excluded(view: View, config: Config) -> bool:
    if not config.excluded_names:
        return False
    names = (view.name, view.scope.name if view.scope else "")
    return any(fnmatchcase(name, pattern) for pattern in config.excluded_names for name in names)


def _is_exception(view: View, _: Config) -> bool:
    return js_error.is_exception(view)


def _is_logged_error(view: LogView, _: Config) -> bool:
    return js_error.is_logged_error(view)


def _request_made(view: SpanView, config: Config) -> Iterable[EventDraft]:
    made = http_event.client_events(view, config)
    return (*xray.trace_events(view, config), *made) if config.xray_events else made


def _failed_or_custom(view: SpanView, config: Config) -> Iterable[EventDraft]:
    return tuple(http_event.server_events(view, config)) or custom.span_event(view, config)


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


_NOTHING = "nothing"
_TOLD = "what `rum.event.type` says"
_PAGE_VIEW = "`page_view_event`"
_NAVIGATION = "`performance_navigation_event`"
_RESOURCE = "`performance_resource_event`"
_VITALS = "the event of each web vital"
_ERROR = "`js_error_event`"
_CUSTOM = "a custom event"

SPAN_RULES: Rules[SpanView] = Rules(
    Rule(
        "a call to RUM itself",
        _NOTHING,
        fits=http_event.is_own_traffic,
        kind=SpanKind.CLIENT,
        having=http_event.OWN_TRAFFIC,
        keeps_exceptions=False,
    ),
    Rule("one whose name or scope is in `EXCLUDED_NAMES`", _NOTHING, fits=_is_excluded, keeps_exceptions=False),
    Rule("a message of an ASGI request", _NOTHING, having=_names("asgi.event.type")),
    Rule(
        "`rum.event.type` = `none`", _NOTHING, fits=override.is_none, having=_names(EVENT_TYPE), keeps_exceptions=False
    ),
    Rule("`rum.event.type`", _TOLD, override.events, override.is_told, having=_names(EVENT_TYPE)),
    Rule(
        "a document loaded: `documentLoad`",
        f"{_PAGE_VIEW}, {_NAVIGATION}, `first_contentful_paint_event`",
        page_load.loaded,
        named=_names("documentLoad"),
    ),
    Rule(
        "a document fetched: `documentFetch`",
        "nothing of its own: its timings go into the document's",
        named=_names("documentFetch"),
        is_of_parent=True,
    ),
    Rule("a resource fetched: `resourceFetch`", _RESOURCE, performance_resource.fetched, named=_names("resourceFetch")),
    Rule(
        "a route changed: `routeChange`",
        f"{_PAGE_VIEW}, {_NAVIGATION}",
        page_load.route_changed,
        named=_names("routeChange"),
    ),
    Rule(
        "web vitals: `webvitals`",
        _VITALS,
        web_vital.span_events,
        web_vital.is_span_of_vitals,
        named=_names("webvitals"),
    ),
    Rule(
        "an interaction: `event_type` and `target_element`",
        "`dom_event`",
        dom.span_event,
        dom.is_interaction,
        having=_names("event_type"),
    ),
    Rule("the start of an application: `AppStart`", _CUSTOM, custom.span_event, named=_names("AppStart")),
    Rule("a screen drawn: `app.screen.time_to_first_…`", _NAVIGATION, screen.first_drawn, named=screen.FIRST_DRAWN),
    Rule("a screen of Android shown", _PAGE_VIEW, page_view.page_view, screen.is_lifecycle_shown, named=screen.SHOWN),
    Rule("another step in a screen's life", _CUSTOM, custom.span_event, screen.is_lifecycle),
    Rule("an exception as a span", _ERROR, fits=_is_exception, having=js_error.EXCEPTION_ATTRIBUTES),
    Rule(
        "an HTTP request made",
        f"{_RESOURCE}, `http_event` if it failed, `xray_trace_event` if wanted",
        _request_made,
        http_event.is_request,
        kind=SpanKind.CLIENT,
        having=_names(*http_event.METHODS),
        keeps_exceptions=False,
    ),
    Rule(
        "a page served",
        f"{_PAGE_VIEW}, {_NAVIGATION}",
        page_view.page_served,
        page_view.is_page_served,
        kind=SpanKind.SERVER,
        having=_names(*http_event.METHODS),
    ),
    Rule(
        "an HTTP request served",
        "`http_event` if it failed, a custom event otherwise",
        _failed_or_custom,
        http_event.is_request,
        kind=SpanKind.SERVER,
        having=_names(*http_event.METHODS),
    ),
    Rule(
        "a screen shown",
        f"{_PAGE_VIEW}, {_NAVIGATION}",
        screen.shown,
        screen.is_shown,
        having=_names(*SCREEN_NAMES),
    ),
    Rule("anything else", _CUSTOM, custom.span_event),
)

LOG_RULES: Rules[LogView] = Rules(
    Rule("one whose name or scope is in `EXCLUDED_NAMES`", _NOTHING, fits=_is_excluded, keeps_exceptions=False),
    Rule(
        "`rum.event.type` = `none`", _NOTHING, fits=override.is_none, having=_names(EVENT_TYPE), keeps_exceptions=False
    ),
    Rule(
        "`rum.event.type`",
        _TOLD,
        override.events,
        override.is_told,
        having=_names(EVENT_TYPE),
        keeps_exceptions=False,
    ),
    Rule(
        "a failed request's own log",
        _NOTHING,
        fits=http_event.is_within_span,
        named=_names("http.client.request.exception"),
        keeps_exceptions=False,
    ),
    Rule("an exception", _ERROR, fits=_is_logged_error),
    Rule(
        "a session opened: `session.start`",
        "`session_start_event`",
        session_start.started,
        session_start.is_started,
        named=_names("session.start"),
    ),
    Rule(
        "a web vital that a later record of the same export corrects",
        _NOTHING,
        fits=web_vital.is_superseded,
        named=_names(web_vital.EVENT_NAME),
    ),
    Rule(
        "a web vital: `browser.web_vital`",
        _VITALS,
        web_vital.log_event,
        web_vital.is_vital,
        named=_names(web_vital.EVENT_NAME),
    ),
    Rule(
        "a page shown: `browser.navigation`",
        _PAGE_VIEW,
        page_view.page_view,
        page_load.are_pages_wanted,
        named=_names("browser.navigation"),
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
    Rule("a line without a name", _NOTHING),
)
