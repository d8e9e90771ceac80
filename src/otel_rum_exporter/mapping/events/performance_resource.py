"""Resources loaded by a browser or by the application: `performance_resource_event`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..._attributes import TRANSFER_SIZES, URLS
from ...config import Config
from ...rum.event import EventDraft
from .. import urls
from ..attribute_keys import AttributeKeys
from ..fields import VERSION, VERSION_FIELD, Field, Holds
from ..log_view import LogView
from ..record_view import NS_PER_MILLI, View, numbers
from ..span_view import SpanView
from . import timing
from .request_url import request_url

RESOURCE_EVENT = "com.amazon.rum.performance_resource_event"

FILE_TYPES = {
    "stylesheet": ("css", "less"),
    "document": ("htm", "html", "php", "xhtml", "xml"),
    "script": ("js", "mjs", "ts"),
    "image": ("bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp"),
    "font": ("eot", "otf", "ttf", "woff", "woff2"),
}
"""File extensions of each `fileType` of RUM; everything else is `other`."""

INITIATORS = {
    "css": "stylesheet",
    "frame": "document",
    "iframe": "document",
    "image": "image",
    "img": "image",
    "input": "image",
    "script": "script",
}
"""`fileType` by the browser's initiator type, for URLs without a known extension."""

RESOURCE_FIELDS = (
    VERSION_FIELD,
    Field("targetUrl", URLS, "else composed of scheme, host, port and path"),
    Field(
        "initiatorType",
        ("browser.resource_timing.initiator_type",),
        "else `fetch` for a request made, `other` for `resourceFetch`",
        is_required=True,
    ),
    Field("startTime", note="`fetchStart` of a log record, else 0", holds=Holds.NUMBER),
    Field(
        "duration",
        ("browser.resource_timing.duration",),
        "else the span's, in milliseconds",
        holds=Holds.NUMBER,
        is_required=True,
    ),
    Field("fileType", note="from the URL's extension, else from `initiatorType`", is_required=True),
    *timing.NETWORK_FIELDS,
)

_TYPE_OF_EXTENSION = {extension: name for name, extensions in FILE_TYPES.items() for extension in extensions}


def requests(keys: AttributeKeys, config: Config) -> Callable[[SpanView], EventDraft]:
    """Return a function that returns the resource event of an HTTP request made, with a browser's timings."""
    is_usual = not config.url_query_parameters and not callable(config.redaction)
    url_name = keys.only(URLS) if is_usual else None
    sizes = keys.among(TRANSFER_SIZES)
    size_of = numbers(keys, TRANSFER_SIZES)

    def event(view: SpanView) -> EventDraft:
        target = view.attributes.get(url_name)  # type: ignore[arg-type] # None is the name of no attribute
        plain = urls.exported_plain(target) if type(target) is str else None
        if plain is None:
            details = _details(view, request_url(view), "fetch", view.duration_millis, config)
        else:
            url, name = plain
            details = {
                "version": VERSION,
                "initiatorType": "fetch",
                "startTime": 0,
                "duration": (view.end_ns - view.start_ns) / NS_PER_MILLI,
                "fileType": file_type(target, "fetch") if "." in name else "other",
                "targetUrl": url,
            }
        if sizes and (size := size_of(view)) is not None and size >= 0:
            details["transferSize"] = size
        if view.events:
            details |= timing.fields(timing.NETWORK, timing.moments_of_span(view))
        return (RESOURCE_EVENT, view.end_ns, details)

    return event


def fetched(view: SpanView, config: Config) -> Iterator[EventDraft]:
    """Yield the resource event of something that a document loaded, with timings from the span's events."""
    details = _details(view, view.text(*URLS), "other", view.duration_millis, config)
    details |= timing.fields(timing.NETWORK, timing.moments_of_span(view)) | timing.size_of_span(view)
    yield (RESOURCE_EVENT, view.end_ns, details)


def timed(view: LogView, config: Config) -> Iterator[EventDraft]:
    """Yield the resource event of a log record, with timings from its attributes."""
    moments = timing.moments_of_log(view)
    initiator = view.text("browser.resource_timing.initiator_type") or "other"
    duration = timing.measured(view, "browser.resource_timing.duration") or 0
    details = _details(view, view.text("url.full"), initiator, duration, config)
    details |= timing.fields(timing.NETWORK, moments) | timing.sizes_of_log(view)
    details["startTime"] = moments.get("fetchStart", 0)
    yield (RESOURCE_EVENT, view.end_ns, details)


def file_type(target: str | None, initiator: str = "") -> str:
    """Return RUM's file type of a URL by its extension, else by its initiator."""
    # Most API URLs have no dot in their last segment and need no parsing.
    has_dot = target is not None and "." in target.partition("?")[0].rpartition("/")[2]
    name = urls.path(target).rpartition("/")[2] if target and has_dot else ""
    known = _TYPE_OF_EXTENSION.get(name.rpartition(".")[2].lower()) if "." in name else None
    return known or INITIATORS.get(initiator, "other")


def _details(view: View, target: str | None, initiator: str, duration_millis: float, config: Config) -> dict[str, Any]:
    details: dict[str, Any] = {
        "version": VERSION,
        "initiatorType": initiator,
        "startTime": 0,
        "duration": duration_millis,
        "fileType": file_type(target, initiator),
    }
    if target:
        details["targetUrl"] = view.redactor.url("targetUrl", target, config.url_query_parameters)
    return details
