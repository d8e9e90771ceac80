"""RUM's metadata of an event: application, page, browser and device.

There are three layers. The resource's is sent once per request as SessionMetadata. The trace's has page, domain and
browser, which all spans below a page share. The span's has custom attributes. Keys and limits:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-custom-metadata.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from .._attributes import (
    ACCEPT_LANGUAGE,
    DOCUMENT_URL,
    DOCUMENT_URLS,
    INTERACTION,
    PAGE_TAGS,
    PARENT_SCREENS,
    ROUTE,
    SCREEN_NAMES,
    SERVER_HOSTS,
    SERVICE_NAME,
    TARGETS,
    URLS,
    USER_AGENTS,
)
from .._pattern import lazy_pattern
from .._version import VERSION
from ..config import Config
from . import routes, urls
from .attribute_values import json_text
from .caches import cache_short_texts
from .identity_attributes import Page
from .log_view import PAGE_VIEW_RECORD
from .path_ids import mask_path
from .record_view import CLIENT, PRODUCER, SERVER, View, text
from .redaction import Redactor
from .span_view import Dropped

CLIENT_NAME = "otel-rum-exporter"
MAX_VALUE_CHARS = 256
MAX_PAGE_TAGS = 10
RESERVED_KEYS = frozenset(
    (
        *("browserLanguage", "browserName", "browserVersion", "countryCode", "deviceType", "domain", "interaction"),
        *("osName", "osVersion", "pageId", "pageTags", "pageTitle", "pageUrl", "parentPageId", "platformType"),
        *("referrerUrl", "subdivisionCode", "title", "url", "version"),
    )
)
"""Built-in keys, which a custom attribute must not use."""

RESOURCE_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("browserLanguage", ("browser.language",)),
    ("browserName", ("user_agent.name",)),
    ("browserVersion", ("user_agent.version",)),
    ("aws:userAgent", USER_AGENTS[:1]),
    ("countryCode", ("client.geo.country.iso_code", "geo.country.iso_code")),
    ("aws:releaseId", ("app.build_id",)),
)
"""RUM's key and its resource attributes, in order of precedence."""

DEVICE_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("osName", ("os.name", "browser.platform", "os.type")),
    ("osVersion", ("os.version",)),
)
"""Only for the user's own device: a server's operating system is not the user's."""

TRACE_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("title", SCREEN_NAMES),
    ("parentPageId", PARENT_SCREENS),
    ("browserName", ("user_agent.name",)),
    ("browserVersion", ("user_agent.version",)),
    ("osName", ("user_agent.os.name",)),
    ("osVersion", ("user_agent.os.version",)),
    ("countryCode", ("client.geo.country.iso_code",)),
)
"""RUM's key and its span attributes, in order of precedence; they apply to all spans below."""

DOCUMENT_RECORDS = frozenset(
    {"documentLoad", "documentFetch", "browser.navigation", "browser.navigation_timing", PAGE_VIEW_RECORD}
)
"""Names of spans and log records whose URL is that of the document, not of a resource that it loads."""

ROUTE_CHANGED = "Navigation: "
"""Start of the name of an interaction's span that changed the route; its `http.url` is the page before."""

_SCREENS = frozenset(SCREEN_NAMES)
_SCREEN_KEYS = frozenset({"title", "parentPageId"})
_OF_DOCUMENT = frozenset((*DOCUMENT_URLS, *TARGETS, *URLS, *SERVER_HOSTS, *USER_AGENTS, ACCEPT_LANGUAGE))
_RELEVANT = _OF_DOCUMENT | {
    *(name for _, names in TRACE_KEYS for name in names),
    *(ROUTE, INTERACTION, PAGE_TAGS),
}
"""All attributes that set metadata of the trace; most spans have none."""

_BESIDE_SCREENS = _RELEVANT - _SCREENS

_MOBILE_SYSTEMS = frozenset({"android", "ios", "ipados"})
_RELEASE_ID = lazy_pattern(r"[a-zA-Z0-9_\-:/.]{1,200}")
_CONTROL = lazy_pattern(r"[\x00-\x1f\x7f]")


def of_resource(resource: Mapping[str, Any], config: Config, *, is_server: bool) -> dict[str, Any]:
    """Return the metadata that all events of a resource share.

    With `is_server`, operating system and device are left out, because they are not the user's.
    """
    read = {key: text(resource, *names) for key, names in RESOURCE_KEYS}
    if not is_server:
        read.update((key, text(resource, *names)) for key, names in DEVICE_KEYS)
    read.update(_brand(resource.get("browser.brands")))
    read["subdivisionCode"] = _subdivision(text(resource, "client.geo.region.iso_code", "geo.region.iso_code"))
    redactor = Redactor.of(config.redaction)
    found = {key: redactor.label(key, value) for key, value in read.items() if value}
    if not _RELEASE_ID.fullmatch(found.get("aws:releaseId", "")):
        found.pop("aws:releaseId", None)
    document = text(resource, DOCUMENT_URL)
    service = redactor.label(SERVICE_NAME, text(resource, SERVICE_NAME) or "unknown_service")
    domain = config.domain or (urls.hostname(document) if document else None)
    mobile = resource.get("browser.mobile") is True or found.get("osName", "").lower() in _MOBILE_SYSTEMS
    return {
        "version": "1.0.0",
        "aws:client": CLIENT_NAME,
        "aws:clientVersion": VERSION,
        "domain": _cut(domain or service),
        "platformType": "web",
        **({} if is_server else {"deviceType": "mobile" if mobile else "desktop"}),
        **{key: _cut(value) for key, value in found.items()},
        **custom(resource, config),
    }


def of_trace(view: View) -> dict[str, Any]:
    """Return page and browser metadata for a span and everything below it: for a screen, the same object each time.

    A CLIENT or PRODUCER span can set only its screen: its host and user agent belong to the application's own requests.
    """
    kind, keys = view.kind, view.keys
    if kind is CLIENT or kind is PRODUCER:
        return _of_screen(_scrubbed(view, SCREEN_NAMES) or "") if keys.has(_SCREENS) else {}
    if not keys.has(_RELEVANT):
        return {}
    if kind is not SERVER and not keys.may_have(_BESIDE_SCREENS):
        return _of_screen(_scrubbed(view, SCREEN_NAMES) or "")
    found = {key: _label(view, key, names) for key, names in keys.cached(_trace_keys)}
    if keys.has(_OF_DOCUMENT):
        document = None if kind is SERVER else _document_url(view)
        found["pageUrl"] = view.redactor.url("page.url", document) if document else None
        found.update(_browser(view))
        found["domain"] = _domain(view)
        found["browserLanguage"] = _first_language(view.header("accept_language"))
    found["pageId"] = page_id(view)
    return {key: _cut(value) for key, value in found.items() if value} | _position(view)


@cache_short_texts(1000, 1024)
def _of_screen(screen: str) -> dict[str, Any]:
    return Page({"title": _cut(screen), "pageId": _cut(screen)}) if screen else {}


def _trace_keys(names: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    return [(key, sources) for key, sources in TRACE_KEYS if not set(sources).isdisjoint(names)]


def page_id(view: View) -> str | None:
    """Return the page that a span shows: its route, its screen, or its path with ids masked; None if it shows none.

    A route without a leading slash, as set by Django's instrumentation, gets one. A regular expression becomes
    readable.
    """
    if view.kind is not SERVER:
        screen = _scrubbed(view, SCREEN_NAMES)
        document = None if screen else _document_url(view)
        return mask_path(urls.page(document)) if document else screen or None
    route = routes.of_request(view)
    if route is not None:
        return route if route.startswith("/") else f"/{route}"
    target = view.text(*TARGETS, *URLS)
    return mask_path(urls.path(target)) if target else None


def _position(view: View) -> dict[str, Any]:
    """Return the page's position in the session, and its tags."""
    interaction, tags = view.integer(INTERACTION), view.attributes.get(PAGE_TAGS)
    found: dict[str, Any] = {} if interaction is None else {"interaction": interaction}
    if isinstance(tags, (list, tuple)):
        found["pageTags"] = [_cut(view.redactor.name(tag)) for tag in tags[:MAX_PAGE_TAGS] if isinstance(tag, str)]
    return found


def _scrubbed(view: View, names: tuple[str, ...]) -> str | None:
    """Return the first of the named attributes, without secrets that it may contain."""
    value = view.text(*names)
    return view.redactor.name(value) if value else None


def _label(view: View, key: str, names: tuple[str, ...]) -> str | None:
    """Return the value of a key of the metadata: a screen has a name without ids, and versions look like ids."""
    if key in _SCREEN_KEYS:
        return _scrubbed(view, names)
    value = view.text(*names)
    return view.redactor.label(key, value) if value else None


def _document_url(view: View) -> str | None:
    """Return the URL of the document that a browser shows; None if it is unknown."""
    is_interaction = {"event_type", "target_element"} <= view.attributes.keys()
    if is_interaction and view.name.startswith(ROUTE_CHANGED):
        return urls.join(view.text(*URLS), view.name.removeprefix(ROUTE_CHANGED))
    is_document = is_interaction or view.name in DOCUMENT_RECORDS
    return view.text(*DOCUMENT_URLS, *(URLS if is_document else ()))


def _browser(view: View) -> dict[str, str]:
    """Return a browser's user agent and device type; RUM derives the rest from the user agent itself.

    Browsers' user agents start with "Mozilla/", and those of HTTP libraries do not. Mobile browsers contain "Mobi":
    https://developer.mozilla.org/docs/Web/HTTP/Guides/Browser_detection_using_the_user_agent
    """
    user_agent = view.text(*USER_AGENTS)
    if user_agent is None or not user_agent.startswith("Mozilla/"):
        return {}
    sent = view.redactor.label("aws:userAgent", user_agent)
    return {"aws:userAgent": sent, "deviceType": "mobile" if "Mobi" in user_agent else "desktop"}


def _domain(view: View) -> str | None:
    if view.kind is SERVER:
        host = view.text(*SERVER_HOSTS)
        return urls.split_host(host)[0] if host else None
    document = _document_url(view)
    return urls.hostname(document) if document else None


def dropped_counts(dropped: Dropped) -> dict[str, int]:
    """Return the counts of what the SDK dropped from a span, as custom metadata.

    https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/#dropped-attributes-count
    """
    return {f"otel_dropped_{name}_count": count for name, count in dropped._asdict().items() if count}


def custom(attributes: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return the attributes that the settings name as custom metadata, in the form that RUM accepts."""
    found: dict[str, Any] = {}
    redactor = Redactor.of(config.redaction)
    for name in config.metadata_attributes:
        sent = redactor.attributes({name: attributes.get(name)}, config.url_query_parameters)
        for value in sent.values():
            found.setdefault(custom_key(name), _custom_value(value))
    return found


def custom_key(name: str) -> str:
    """Return an attribute name in the form that RUM accepts: letters, digits, `_` and `:`, but no dots."""
    key = re.sub(r"[^A-Za-z0-9_:]", "_", name)[:128]
    is_reserved = key in RESERVED_KEYS or key.startswith(("aws:", "pageTags"))
    return f"otel_{key}"[:128] if is_reserved else key


def _custom_value(value: object) -> str | int | float | bool:
    if isinstance(value, (bool, int, float)):
        return value
    return _cut(value if isinstance(value, str) else orjson.dumps(value).decode())


def _cut(value: str) -> str:
    if len(value) <= MAX_VALUE_CHARS and value.isprintable():
        return value
    return json_text(_CONTROL.sub(" ", value[:MAX_VALUE_CHARS]))


def _brand(brands: object) -> dict[str, str]:
    """Return name and version of the browser among its brands, which also contain its engine and a fake brand.

    https://wicg.github.io/ua-client-hints/#grease
    """
    for brand in brands if isinstance(brands, (list, tuple)) else ():
        name, _, version = json_text(brand).rpartition(" ")
        if name and "Not" not in name and name != "Chromium":
            return {"browserName": name, "browserVersion": version}
    return {}


def _subdivision(region: str | None) -> str | None:
    """Return the part of an ISO 3166-2 code after the country: `QC` of `CA-QC`."""
    return region.partition("-")[2] or region if region else None


def _first_language(accept_language: str | None) -> str | None:
    language = re.split(r"[,;]", accept_language or "", maxsplit=1)[0].strip()
    return None if language in {"", "*"} else language
