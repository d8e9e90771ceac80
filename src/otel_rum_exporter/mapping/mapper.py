"""Spans and log records to drafts of RUM events, with what must be remembered from span to span.

Remembered are the exceptions already told, because Python records one on each span that it leaves; the types of custom
events, because span names may hold ids and RUM counts every type; and spans that their parents' events tell, because
children end first; and who tells of the loads of documents, because two of OTel's instrumentations for browsers do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from ..config import Config
from ..rum.event import EventDraft
from .event_types import BUILT_IN
from .events import page_load
from .events.custom import FALLBACK_TYPE
from .events.js_error import Fingerprint, exceptions, fingerprint, has_exceptions, js_error
from .log_view import LogView
from .record_view import SpanKey, View
from .rules import LOG_RULES, SPAN_RULES, Rule, V
from .span_view import SpanView

MAX_CUSTOM_TYPES = 200
MAX_EXCEPTIONS = 10_000
MAX_LOADS = 10_000
MAX_PARTS = 1000
MAX_PART_BYTES = 16_384
"""Spans larger than this are not kept for their parents; that of a document's fetch takes some 4 KiB."""


class Mapper:
    """Map by the tables of rules. Not thread-safe: its owner calls it under a lock."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._told: OrderedDict[Fingerprint, None] = OrderedDict()
        self._types = set(BUILT_IN)
        self._tellers: OrderedDict[page_load.Load, str] = OrderedDict()
        self._parts: OrderedDict[SpanKey, SpanView] = OrderedDict()

    def drafts(self, view: View) -> list[EventDraft]:
        """Return the events of a span or log record; none where the tables say that it is not for RUM."""
        if isinstance(view, SpanView):
            if self._parts:
                view.part = self._parts.pop((view.trace_id, view.span_id), None)
            rule = SPAN_RULES.decide(view, self._config)
            if rule.is_of_parent and view.parent_key and view.size_bytes <= MAX_PART_BYTES:
                self._keep(view, view.parent_key)
            return self._drafts(rule, view)
        if isinstance(view, LogView):
            return self._drafts(LOG_RULES.decide(view, self._config), view)
        raise TypeError(f"no rules for {type(view).__name__}")

    def _keep(self, part: SpanView, parent: SpanKey) -> None:
        self._parts[parent] = part
        if len(self._parts) > MAX_PARTS:
            self._parts.popitem(last=False)

    def _drafts(self, rule: Rule[V], view: V) -> list[EventDraft]:
        types = self._types
        drafts = [draft if draft.type in types else self._capped(draft) for draft in rule.events(view, self._config)]
        if view.name in page_load.LOAD_RECORDS:
            drafts = [draft for draft in drafts if self._is_teller(view, page_load.load_of(view, draft))]
        if rule.keeps_exceptions and has_exceptions(view):
            drafts.extend(self._errors(view))
        return drafts

    def _is_teller(self, view: View, load: page_load.Load | None) -> bool:
        """Say whether a span or log record is of the kind that was the first to tell of such a load."""
        if load is None:
            return True
        teller = self._tellers.setdefault(load, view.name)
        self._tellers.move_to_end(load)
        if len(self._tellers) > MAX_LOADS:
            self._tellers.popitem(last=False)
        return teller == view.name

    def _errors(self, view: View) -> Iterator[EventDraft]:
        for timestamp_ns, exception in exceptions(view):
            if not self._is_told(fingerprint(view.trace_id, exception)):
                yield js_error(timestamp_ns, exception)

    def _is_told(self, known: Fingerprint | None) -> bool:
        """Say whether an exception was told before, and remember it; one without a stack is the same with any."""
        if known is None:
            return False
        trace_id, kind, message, raised_at = known
        any_stack, no_stack = Fingerprint(trace_id, kind, message, None), Fingerprint(trace_id, kind, message, "")
        if (known if raised_at else any_stack) in self._told or no_stack in self._told:
            return True
        self._told.update({known: None, any_stack: None})
        while len(self._told) > MAX_EXCEPTIONS:
            self._told.popitem(last=False)
        return False

    def _capped(self, draft: EventDraft) -> EventDraft:
        if len(self._types) - len(BUILT_IN) < MAX_CUSTOM_TYPES:
            self._types.add(draft.type)
            return draft
        return draft._replace(type=FALLBACK_TYPE)
