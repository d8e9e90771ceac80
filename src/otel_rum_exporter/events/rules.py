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
from . import custom, http, js_error, page
from .rum_event import Draft

V = TypeVar("V", bound=View)


@dataclass(frozen=True, slots=True)
class Rule(Generic[V]):
    """A row of a table. `keeps_exceptions` says whether exceptions become events of their own."""

    name: str
    fits: Callable[[V, Config], bool]
    events: Callable[[V, Config], Iterable[Draft]]
    keeps_exceptions: bool = True


def _nothing(_view: View, _config: Config) -> Iterable[Draft]:
    return ()


def _is_asgi_message(view: SpanView, _: Config) -> bool:
    return "asgi.event.type" in view.attributes


def _is_exception(view: View, _: Config) -> bool:
    return js_error.is_exception(view)


def _is_logged_error(view: LogView, _: Config) -> bool:
    return js_error.is_logged_error(view)


def _failed_or_custom(view: SpanView, config: Config) -> Iterable[Draft]:
    return tuple(http.server_events(view, config)) or custom.span_event(view, config)


SPAN_RULES: tuple[Rule[SpanView], ...] = (
    Rule("a call to RUM itself", http.is_own_traffic, _nothing, keeps_exceptions=False),
    Rule("a message of an ASGI request", _is_asgi_message, _nothing),
    Rule("an exception as a span", _is_exception, _nothing),
    Rule("an HTTP request made", http.is_client, http.client_events, keeps_exceptions=False),
    Rule("a page served", page.is_page_served, page.page_served),
    Rule("an HTTP request served", http.is_server, _failed_or_custom),
    Rule("a screen shown", page.is_screen_shown, page.screen_shown),
    Rule("anything else", custom.any_span, custom.span_event),
)

LOG_RULES: tuple[Rule[LogView], ...] = (
    Rule("a failed request's own log", http.is_logged_failure, _nothing, keeps_exceptions=False),
    Rule("an exception", _is_logged_error, _nothing),
    Rule("any other named event", custom.is_named, custom.log_event),
    Rule("a line without a name", custom.any_log, _nothing),
)


def decide(rules: tuple[Rule[V], ...], view: V, config: Config) -> Rule[V]:
    """Return the rule that decides over a span or log record."""
    return next(rule for rule in rules if rule.fits(view, config))
