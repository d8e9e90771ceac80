"""What becomes of a span: one ordered table, the first rule that fits decides.

A family of events is one module beside this one and one row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..config import Config
from ..span import SpanView
from . import custom, http, page
from .rum_event import Draft


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table. `keeps_exceptions` says whether exceptions of the span become events of their own."""

    name: str
    fits: Callable[[SpanView, Config], bool]
    events: Callable[[SpanView, Config], Iterable[Draft]]
    keeps_exceptions: bool = True


def _nothing(_view: SpanView, _config: Config) -> Iterable[Draft]:
    return ()


def _is_asgi_message(view: SpanView, _: Config) -> bool:
    return "asgi.event.type" in view.attributes


def _failed_or_custom(view: SpanView, config: Config) -> Iterable[Draft]:
    return tuple(http.server_events(view, config)) or custom.span_event(view, config)


SPAN_RULES: tuple[Rule, ...] = (
    Rule("a call to RUM itself", http.is_own_traffic, _nothing, keeps_exceptions=False),
    Rule("a message of an ASGI request", _is_asgi_message, _nothing),
    Rule("an HTTP request made", http.is_client, http.client_events, keeps_exceptions=False),
    Rule("a page served", page.is_page_served, page.page_served),
    Rule("an HTTP request served", http.is_server, _failed_or_custom),
    Rule("a screen shown", page.is_screen_shown, page.screen_shown),
    Rule("anything else", custom.any_span, custom.span_event),
)


def rule_of(view: SpanView, config: Config) -> Rule:
    """Return the rule that decides over a span."""
    return next(rule for rule in SPAN_RULES if rule.fits(view, config))
