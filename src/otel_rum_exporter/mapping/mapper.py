"""Spans and log records to event drafts, by the rules, with the state that rules need across records.

The state: exceptions already sent, because Python records an exception on each span that it leaves; the types of custom
events, because span names may contain ids and RUM counts every type; spans that are part of their parent's event,
because children end first; and which instrumentation reported a document load, because two of them do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from ..config import Config
from ..rum.event import EventDraft
from .caches import BoundedDict, Caches
from .event_types import BUILT_IN
from .events import page_load
from .events.custom import FALLBACK_TYPE
from .events.js_error import JS_ERROR_EVENT, MAX_STACK_CHARS, exceptions, has_exceptions, js_error_details
from .events.page_load import LOAD_RECORDS
from .log_view import LogView
from .record_view import SpanKey, View
from .reported_exceptions import ReportedExceptions
from .rule import Candidate, Rule
from .rules import LOG_RULES, SPAN_RULES
from .span_view import SpanView

MAX_CUSTOM_TYPES = 200
MAX_LOADS = 10_000
MAX_PARTS = 1000
MAX_PART_BYTES = 16_384
"""Larger spans are not kept for their parents; the span of a document's fetch takes some 4 KiB."""

REPEATED_EXCEPTION = "another record already reported its exception"
REPEATED_LOAD = "another record already reported its document load"


Mapped: TypeAlias = tuple[Rule[Any], Sequence[EventDraft], str | None]
"""The rule that applies to a span or log record, its event drafts, and why there are none; else None.

A tuple without names: an object takes ten times as long to make.
"""


class Mapper:
    """Apply the tables of rules to the records of one application. Not thread-safe: its owner holds a lock."""

    def __init__(self, config: Config, caches: Caches | None = None) -> None:
        caches = caches or Caches()
        self._of_span = SPAN_RULES.with_settings(config).of
        self._of_log = LOG_RULES.with_settings(config).of
        self._exceptions = ReportedExceptions(caches)
        self._types = set(BUILT_IN)
        self._load_reporters: BoundedDict[page_load.Load, str] = caches.bounded("loads", MAX_LOADS)
        self._parts: BoundedDict[SpanKey, SpanView] = caches.bounded("parts", MAX_PARTS)

    def map(self, view: View, *, has_errors: bool = True) -> Mapped:
        """Return the event drafts of a span or log record; without those of its exceptions unless `has_errors`."""
        if isinstance(view, SpanView):
            if self._parts and view.key:
                view.part = self._parts.pop(view.key, None)
            candidate: Candidate[Any] = self._of_span(view)
            rule = candidate[0]
            if rule.is_of_parent and view.parent_key and view.size_bytes <= MAX_PART_BYTES:
                self._parts[view.parent_key] = view
                self._parts.trim()
        else:
            candidate = self._decide(view)
            rule = candidate[0]
        drafts, left_out = candidate[2](view), rule.left_out
        for kind, _, _ in drafts:
            if kind not in self._types:
                drafts = [*map(self._capped, drafts)]
                break
        if drafts and view.name in LOAD_RECORDS:
            drafts = [draft for draft in drafts if self._is_reporter(view, page_load.load_of(view, draft))]
            left_out = REPEATED_LOAD
        mapped = rule, drafts, None if drafts else left_out
        return self.with_errors(view, mapped) if has_errors else mapped

    def with_errors(self, view: View, mapped: Mapped, *, is_provisional: bool = False) -> Mapped:
        """Add the event drafts of a record's exceptions that were not sent before.

        With `is_provisional`, the record is pending, and its exceptions are not sent yet.
        """
        rule, before, left_out = mapped
        if not (rule.keeps_exceptions and has_exceptions(view)):
            return mapped
        found, drafts, is_new = exceptions(view), [*before], self._exceptions.is_new
        for time_ns, exception in found:
            if is_new(view, time_ns, exception, is_provisional=is_provisional):
                details = js_error_details(exception, MAX_STACK_CHARS, view.redactor)
                drafts.append((JS_ERROR_EVENT, time_ns, details))
        return rule, drafts, None if drafts else REPEATED_EXCEPTION if found else left_out

    def map_again(self, view: View, before: Mapped) -> Mapped:
        """Return the event drafts of a record that was pending, from those without errors, unless its kind changed."""
        is_same = before[0].kind in (None, view.kind)
        return self.with_errors(view, before if is_same else self.map(view, has_errors=False))

    def rule_of(self, view: View) -> Rule[Any]:
        """Return the rule that applies to a span or log record."""
        return self._decide(view)[0]

    def _decide(self, view: View) -> Candidate[Any]:
        if isinstance(view, SpanView):
            return self._of_span(view)
        if isinstance(view, LogView):
            return self._of_log(view)
        raise TypeError(f"no rules for {type(view).__name__}")

    def _is_reporter(self, view: View, load: page_load.Load | None) -> bool:
        """Return whether records of this name were the first to report a load."""
        if load is None:
            return True
        reporter = self._load_reporters.setdefault(load, view.name)
        self._load_reporters.move_to_end(load)
        self._load_reporters.trim()
        return reporter == view.name

    def _capped(self, draft: EventDraft) -> EventDraft:
        """Return a draft; with a new custom type above `MAX_CUSTOM_TYPES`, of the fallback type."""
        kind, time_ns, details = draft
        if kind in self._types:
            return draft
        if len(self._types) - len(BUILT_IN) < MAX_CUSTOM_TYPES:
            self._types.add(kind)
            return draft
        return (FALLBACK_TYPE, time_ns, details)
