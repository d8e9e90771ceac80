"""RUM's metadata of an event: whose application, on which page, with which browser.

Three layers, each more particular than the one before: the resource (sent once a request as
SessionMetadata), the trace (page, domain and browser, which every span below a page shares) and the span
itself (custom attributes). Keys and limits:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-custom-metadata.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from opentelemetry.trace import SpanKind

from .._attributes import INTERACTION, PAGE_TAGS, PARENT_SCREENS, SCREEN_NAMES
from .._version import VERSION
from ..config import Config
from . import redaction, urls
from .attribute_values import json_text, json_value
from .record_view import View, text
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
"""Built-in keys, which a custom attribute must not take."""

RESOURCE_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("browserLanguage", ("browser.language",)),
    ("browserName", ("user_agent.name",)),
    ("browserVersion", ("user_agent.version",)),
    ("aws:userAgent", ("user_agent.original",)),
    ("countryCode", ("client.geo.country.iso_code", "geo.country.iso_code")),
    ("aws:releaseId", ("app.build_id",)),
)
"""RUM key, and the resource attributes that tell it, first present first."""

DEVICE_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("osName", ("os.name", "browser.platform", "os.type")),
    ("osVersion", ("os.version",)),
)
"""Of the user's own device only: a server's operating system is not the user's."""

TRACE_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("title", SCREEN_NAMES),
    ("parentPageId", PARENT_SCREENS),
    ("browserName", ("user_agent.name",)),
    ("browserVersion", ("user_agent.version",)),
    ("osName", ("user_agent.os.name",)),
    ("osVersion", ("user_agent.os.version",)),
    ("countryCode", ("client.geo.country.iso_code",)),
)
"""RUM key, and the span attributes that tell it of everything below the span."""

DOCUMENT_RECORDS = frozenset({"documentLoad", "documentFetch", "browser.navigation", "browser.navigation_timing"})
"""Names of spans and log records whose URL is the document's own, not one that it loads."""

DOCUMENT_URLS = ("location.href", "browser.document.url.full")
URLS = ("url.full", "http.url")
TARGETS = ("url.path", "http.target", *URLS)
HOSTS = ("server.address", "http.host", "net.host.name")
USER_AGENTS = ("user_agent.original", "http.user_agent")
ACCEPT_LANGUAGE = "http.request.header.accept_language"

_SCREENS = frozenset(SCREEN_NAMES)
_OF_DOCUMENT = frozenset((*DOCUMENT_URLS, *TARGETS, *HOSTS, *USER_AGENTS, ACCEPT_LANGUAGE))
_TELLING = _OF_DOCUMENT | {
    *(name for _, names in TRACE_KEYS for name in names),
    *("http.route", INTERACTION, PAGE_TAGS),
}
"""All attributes that tell something of the trace; most spans have none of them."""

_MOBILE_SYSTEMS = frozenset({"android", "ios", "ipados"})
_RELEASE_ID = re.compile(r"[a-zA-Z0-9_\-:/.]{1,200}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def of_resource(resource: Mapping[str, Any], config: Config, *, is_server: bool) -> dict[str, Any]:
    """Return the metadata that all events of a resource share.

    `is_server` says that its users sit elsewhere, so that operating system and device are not theirs.
    """
    found = {key: text(resource, *names) for key, names in RESOURCE_KEYS}
    if not is_server:
        found.update((key, text(resource, *names)) for key, names in DEVICE_KEYS)
    found.update(_brand(resource.get("browser.brands")))
    found["subdivisionCode"] = _subdivision(text(resource, "client.geo.region.iso_code", "geo.region.iso_code"))
    if found["aws:releaseId"] and not _RELEASE_ID.fullmatch(found["aws:releaseId"]):
        found["aws:releaseId"] = None
    document = text(resource, "browser.document.url.full")
    domain = config.domain or (urls.hostname(document) if document else None)
    mobile = resource.get("browser.mobile") is True or (found.get("osName") or "").lower() in _MOBILE_SYSTEMS
    return {
        "version": "1.0.0",
        "aws:client": CLIENT_NAME,
        "aws:clientVersion": VERSION,
        "domain": _cut(domain or text(resource, "service.name") or "unknown_service"),
        "platformType": "web",
        **({} if is_server else {"deviceType": "mobile" if mobile else "desktop"}),
        **{key: _cut(value) for key, value in found.items() if value},
        **custom(resource, config),
    }


def of_trace(view: View) -> dict[str, Any]:
    """Return what a span says of the page and the browser of everything below it.

    A CLIENT span tells its screen at most: its host and user agent are those of the application's own requests.
    """
    is_caller = view.kind is SpanKind.CLIENT or view.kind is SpanKind.PRODUCER
    if not view.shape.has(_SCREENS if is_caller else _TELLING):
        return {}
    if is_caller:
        screen = _quoted(view, *SCREEN_NAMES)
        return {"pageId": _cut(screen), "title": _cut(screen)} if screen else {}
    found = {key: _quoted(view, *names) for key, names in view.shape.found(_trace_keys)}
    if view.shape.has(_OF_DOCUMENT):
        document = None if view.kind is SpanKind.SERVER else _document_url(view)
        found["pageUrl"] = urls.scrub(document) if document else None
        found.update(_browser(view))
        found["domain"] = _domain(view)
        found["browserLanguage"] = _first_language(view.header("accept_language"))
    found["pageId"] = page_id(view)
    return {key: _cut(value) for key, value in found.items() if value} | _place(view)


def _trace_keys(names: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    return [(key, told_by) for key, told_by in TRACE_KEYS if not set(told_by).isdisjoint(names)]


def page_id(view: View) -> str | None:
    """Return the page a span shows: its route, its screen, or its path with ids masked; None where it shows none.

    A route without its leading slash, as Django's instrumentation gives it, gets one.
    """
    if view.kind is not SpanKind.SERVER:
        return _quoted(view, *SCREEN_NAMES) or _path(_document_url(view))
    route = view.text("http.route")
    if route is not None:
        return route if route.startswith("/") else f"/{route}"
    return _path(view.text(*TARGETS))


def _place(view: View) -> dict[str, Any]:
    """Return where in the session a page is, and the groups that it is in."""
    interaction, tags = view.integer(INTERACTION), view.attributes.get(PAGE_TAGS)
    found: dict[str, Any] = {} if interaction is None else {"interaction": interaction}
    if isinstance(tags, (list, tuple)):
        found["pageTags"] = [_cut(redaction.scrub_text(tag)) for tag in tags[:MAX_PAGE_TAGS] if isinstance(tag, str)]
    return found


def _quoted(view: View, *names: str) -> str | None:
    """Return the first of the named attributes; as any text of an application's, it may quote secrets."""
    told = view.text(*names)
    return redaction.scrub_text(told) if told else None


def _path(target: str | None) -> str | None:
    return urls.mask_ids(urls.path(target)) if target else None


def _document_url(view: View) -> str | None:
    """Return the URL of the document that a browser shows."""
    is_document = view.name in DOCUMENT_RECORDS or {"event_type", "target_element"} <= view.attributes.keys()
    return view.text(*DOCUMENT_URLS, *(URLS if is_document else ()))


def _browser(view: View) -> dict[str, str]:
    """Return what a browser's user agent tells; RUM reads it itself, all but the type of device.

    Every browser begins with "Mozilla/", and no HTTP library does; those of telephones say "Mobi":
    https://developer.mozilla.org/docs/Web/HTTP/Guides/Browser_detection_using_the_user_agent
    """
    user_agent = view.text(*USER_AGENTS)
    if user_agent is None or not user_agent.startswith("Mozilla/"):
        return {}
    return {"aws:userAgent": user_agent, "deviceType": "mobile" if "Mobi" in user_agent else "desktop"}


def _domain(view: View) -> str | None:
    if view.kind is SpanKind.SERVER:
        host = view.text(*HOSTS)
        return urls.split_host(host)[0] if host else None
    document = _document_url(view)
    return urls.hostname(document) if document else None


def losses(dropped: Dropped) -> dict[str, int]:
    """Return what the SDK left out of a span, as custom metadata.

    https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/#dropped-attributes-count
    """
    return {f"otel_dropped_{name}_count": count for name, count in dropped._asdict().items() if count}


def custom(attributes: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return the attributes that the settings name as custom metadata, with keys and values as RUM accepts them."""
    found: dict[str, Any] = {}
    for name in config.metadata_attributes:
        if redaction.is_private(name):
            continue
        value = json_value(redaction.scrubbed(name, attributes.get(name), config.url_query_parameters))
        if value is not None:
            found.setdefault(custom_key(name), _custom_value(value))
    return found


def custom_key(name: str) -> str:
    """Return an attribute name as RUM accepts it: letters, digits, `_` and `:`, which excludes OTel's dots."""
    key = re.sub(r"[^A-Za-z0-9_:]", "_", name)[:128]
    is_taken = key in RESERVED_KEYS or key.startswith(("aws:", "pageTags"))
    return f"otel_{key}"[:128] if is_taken else key


def _custom_value(value: object) -> str | int | float | bool:
    if isinstance(value, (bool, int, float)):
        return value
    return _cut(value if isinstance(value, str) else orjson.dumps(value).decode())


def _cut(value: str) -> str:
    return json_text(_CONTROL.sub(" ", value[:MAX_VALUE_CHARS]))


def _brand(brands: object) -> dict[str, str]:
    """Return name and version of the browser among its brands, which hold its engine and one made up besides.

    https://wicg.github.io/ua-client-hints/#grease
    """
    for brand in brands if isinstance(brands, (list, tuple)) else ():
        name, _, version = json_text(brand).rpartition(" ")
        if name and "Not" not in name and name != "Chromium":
            return {"browserName": name, "browserVersion": version}
    return {}


def _subdivision(region: str | None) -> str | None:
    """Return the part of an ISO 3166-2 code behind the country: `QC` of `CA-QC`."""
    return region.partition("-")[2] or region if region else None


def _first_language(accept_language: str | None) -> str | None:
    language = re.split(r"[,;]", accept_language or "", maxsplit=1)[0].strip()
    return None if language in {"", "*"} else language
