"""The application's function for pages, which cannot fail a span."""

from __future__ import annotations

from dataclasses import replace

from .._log import RateLimitedLog
from ..config import Config
from .span_view import Span


def with_guarded_page_views(config: Config, log: RateLimitedLog) -> Config:
    """Return settings whose `page_views` function, if it is one, logs its exceptions instead of raising them."""
    is_page = config.page_views
    if not callable(is_page):
        return config

    def guarded(span: Span) -> bool | None:
        try:
            return is_page(span)
        except Exception as error:  # noqa: BLE001 - telemetry must not depend on it
            log.add(
                "page_views",
                "the page_views function failed (%r); default page detection is used. To fix: correct it.",
                error,
            )
            return None

    return replace(config, page_views=guarded)
