"""Spans to drafts of RUM events, with what must be remembered from span to span.

Remembered are the exceptions already told, because Python records one on each span that it leaves, and the
types of custom events, because span names may hold ids and RUM counts every type.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator

from ..config import Config
from ..span import SpanView
from .custom import FALLBACK_TYPE
from .js_error import exceptions, fingerprint, js_error
from .rules import rule_of
from .rum_event import Draft

MAX_CUSTOM_TYPES = 200
MAX_EXCEPTIONS = 10_000
BUILT_IN = "com.amazon.rum."


class Mapper:
    """Map spans by the table of rules. Not thread-safe: its owner calls it under a lock."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._told: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._custom_types: set[str] = set()

    def drafts(self, view: SpanView) -> list[Draft]:
        """Return the events of one span; none where the table says that it is not for RUM."""
        rule = rule_of(view, self._config)
        drafts = [self._capped(draft) for draft in rule.events(view, self._config)]
        if rule.keeps_exceptions:
            drafts.extend(self._errors(view))
        return drafts

    def _errors(self, view: SpanView) -> Iterator[Draft]:
        for timestamp_ns, exception in exceptions(view):
            known = fingerprint(view.trace_id, exception)
            if known not in self._told:
                self._told[known] = None
                if len(self._told) > MAX_EXCEPTIONS:
                    self._told.popitem(last=False)
                yield js_error(timestamp_ns, exception)

    def _capped(self, draft: Draft) -> Draft:
        if draft.type.startswith(BUILT_IN) or draft.type in self._custom_types:
            return draft
        if len(self._custom_types) < MAX_CUSTOM_TYPES:
            self._custom_types.add(draft.type)
            return draft
        return dataclasses.replace(draft, type=FALLBACK_TYPE)
