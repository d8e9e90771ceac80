"""The profile of a session from figures: how many requests it has, and what each of them is."""

from __future__ import annotations

from dataclasses import dataclass

from ...mapping.events.page_view import NAVIGATION_EVENT, PAGE_VIEW_EVENT
from ...mapping.events.session_start import SESSION_START_EVENT
from .model import Profile

CUSTOM = "custom events"
"""Requests that are no pages, and spans of the application itself: their types are their names."""

MEMORY_BYTES_PER_EVENT = 610
DISK_BYTES_PER_EVENT = 640
BYTES_PER_EXPORT = 300
"""Of a shop's spans, measured by the test of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A session in figures.

    `requests` are those that a server serves it; `pages` is the share of them that are pages. `spans` are those of a
    request, with its own; `own_spans` are those of them that become custom events, besides the request.
    """

    requests: float
    pages: float = 0.5
    spans: float = 8.0
    own_spans: float = 1.0

    def profile(self) -> Profile:
        """Return the profile. Each request is exported on its own: a person is slower than the SDK's five seconds."""
        pages = self.requests * self.pages
        events = {
            SESSION_START_EVENT: 1.0,
            PAGE_VIEW_EVENT: pages,
            NAVIGATION_EVENT: pages,
            CUSTOM: self.requests - pages + self.requests * self.own_spans,
        }
        total = sum(events.values())
        return Profile(
            events=events,
            spans=self.requests * self.spans,
            exports=self.requests,
            memory_bytes=total * MEMORY_BYTES_PER_EVENT + self.requests * BYTES_PER_EXPORT,
            disk_bytes=total * DISK_BYTES_PER_EVENT + self.requests * BYTES_PER_EXPORT,
        )
