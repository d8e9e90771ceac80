"""Random spans and log records, the same for a seed: realistic attributes recombined, with hostile values."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

EPOCH_NS = 1_795_000_000_000_000_000
PYTHON_STACK = (
    'Traceback (most recent call last):\n  File "/app/main.py", line 3, in run\n    go(password="x")\n'
    '  File "/app/shop.py", line 17, in go\n    raise ValueError("no")\nValueError: no'
)
SCRIPT_STACK = (
    "TypeError: x\n    at f (https://shop.example/app.js?token=1:10:20)\n    at g (https://shop.example/app.js:3:4)"
)

NAMES = (
    *("GET /products/{id}", "GET", "POST /checkout", "SELECT shop", "work", "", "documentLoad", "documentFetch"),
    *("resourceFetch", "routeChange", "webvitals", "click", "AppStart", "app.screen.time_to_first_draw", "Created"),
    *("app.screen.time_to_first_appear", "/users/4711/orders/9f86d081884c7d65", "com.amazon.rum.http_event", "ж" * 40),
    *("exception", "PutRumEvents", "redirectStart", "n" * 3000, "mail ann@example.com", "Settings"),
)
EVENT_NAMES = (
    *(None, "", "exception", "session.start", "session.end", "browser.web_vital", "browser.navigation", "app.crash"),
    *("browser.navigation_timing", "browser.resource_timing", "browser.user_action.click", "app.widget.click"),
    *("app.screen.click", "app.screen.view_did_appear", "http.client.request.exception", "cart.emptied", "x.exception"),
)
MOMENTS = (
    *("fetchStart", "domainLookupStart", "domainLookupEnd", "connectStart", "connectEnd", "secureConnectionStart"),
    *("requestStart", "responseStart", "responseEnd", "domInteractive", "domComplete", "loadEventStart"),
    *("loadEventEnd", "firstPaint", "firstContentfulPaint", "unloadEventStart", "unloadEventEnd", "redirectStart"),
)
ATTRIBUTES: dict[str, Sequence[Any]] = {
    "http.request.method": ("GET", "POST", "_OTHER"),
    "http.request.method_original": ("PROPFIND",),
    "http.method": ("GET", "HEAD"),
    "http.response.status_code": (200, 204, 301, 404, 500, 0, -1, "200", 200.0),
    "http.status_code": (200, 302, 503),
    "http.status_text": ("Fine",),
    "url.full": ("https://u:p@shop.example:8443/a/42?q=1&token=2#f", "http://shop.example/x.js", "data:text/plain,x"),
    "http.url": ("https://dataplane.rum.eu-west-1.amazonaws.com/appmonitors/x", "http://127.0.0.1/y"),
    "url.path": ("/", "/products/42", "/users/ann@example.com/edit", "/v1/health"),
    "url.query": ("coupon=SUMMER&lang=de",),
    "url.scheme": ("https",),
    "http.target": ("/cart?x=1",),
    "http.route": ("/products/<sku>", "products/<sku>", "/api/x"),
    "server.address": ("shop.example", "shop.example:None", "::1"),
    "server.port": (443, 8080, "8080"),
    "net.peer.name": ("db.example",),
    "user_agent.original": (
        "Mozilla/5.0 (X11; Linux) Firefox/140",
        "Mozilla/5.0 (iPhone) Mobi",
        "curl/8",
        "Mozilla/5.0 bot",
    ),
    "http.response.header.content_type": (("text/html",), ("application/json",)),
    "http.request.header.referer": (("https://search.example/?q=secret",), ()),
    "http.request.header.accept_language": (("de-CH,de;q=0.9",),),
    "network.protocol.version": ("1.1", "2"),
    "http.response.body.size": (1234,),
    "session.id": (
        "33d38e21-7c0a-4c1e-9c58-2f6d1b0a9e44",
        "session-1",
        "0" * 32,
        "00000000-0000-0000-0000-000000000000",
    ),
    "splunk.rumSessionId": ("0af7651916cd43dd8448eb211c80319c",),
    "user.id": ("ann@example.com", "11111111-1111-4111-8111-111111111111"),
    "enduser.id": ("ann",),
    "rum.session.sampled": (True, False, "no"),
    "rum.session.minted": (True,),
    "rum.session.joined": ("browser", "server", 1),
    "rum.session.missing": ("no cookie", ["no cookie"]),
    "rum.event.type": ("none", "page_view_event", "my.type", "com.amazon.rum.http_event", 3, "com.amazon.nope"),
    "rum.event.details": ('{"pageId": "/x"}', '{"a": 1}', "{", '{"version": "1.0.0", "pageId": "/x", "no": 1}'),
    "rum.page.tags": (("a", "b"), "a"),
    "app.screen.name": ("Settings", "Cart"),
    "screen.name": ("Old",),
    "app.screen.interaction": (0, 1, "2"),
    "app.screen.previous.name": ("Home",),
    "rum.screen.shown": (False,),
    "rum.screen.parent_millis": (12.5,),
    "last.screen.name": ("Settings", "Home"),
    "event_type": ("click", "submit"),
    "target_element": ("BUTTON",),
    "target_xpath": ("//html/body/button",),
    "exception.type": ("ValueError", "shop.errors.Sold", "HTTPException"),
    "exception.message": ("no", "at https://u:p@x.example/?a=b", "password=hunter2"),
    "exception.stacktrace": (PYTHON_STACK, SCRIPT_STACK, "x" * 9000),
    "error.type": ("timeout", "500"),
    "component": ("error", "user-interaction"),
    "error.message": ("splunk says no",),
    "code.file.path": ("/app/x.py",),
    "code.line.number": (12,),
    "browser.web_vital.name": ("lcp", "cls", "inp", "fcp", "ttfb", "fid", "xyz"),
    "browser.web_vital.value": (1.5, 0, -1, "2"),
    "browser.web_vital.id": ("v5-1", "v5-2"),
    "lcp": (2500,),
    "browser.navigation.same_document": (True, False),
    "browser.navigation_timing.type": ("navigate", "prerender"),
    "browser.navigation_timing.fetch_start": (1.5,),
    "browser.navigation_timing.dom_interactive": (80,),
    "browser.resource_timing.duration": (33.3,),
    "browser.resource_timing.initiator_type": ("img", "script"),
    "browser.resource_timing.transfer_size": (300, 0),
    "browser.resource_timing.encoded_body_size": (200, 0),
    "browser.resource_timing.decoded_body_size": (800,),
    "location.href": ("https://shop.example/#/cart/7", "https://shop.example/p/5f3a9c01b2?utm=1"),
    "prev.href": ("https://shop.example/before?x=1",),
    "app.widget.id": ("buy",),
    "db.statement": ("SELECT 1",),
    "db.query.text": ("SELECT 2",),
    "api_token": ("t0p",),
    "client.address": ("10.0.0.1",),
    "asgi.event.type": ("http.response.body",),
    "rpc.service": ("RUM", "Shop"),
    "rpc.method": ("PutRumEvents", "Buy"),
    "custom.a": ("plain", 1, 2.5, True, ("x", "y"), {"k": {"deep": [1, None]}}),
    "custom.b": ("ü" * 300, "v" * 7000),
}
FAMILIES: Sequence[Sequence[str]] = (
    ("http.request.method", "http.response.status_code", "url.full", "server.address", "error.type"),
    ("http.method", "http.status_code", "http.url", "net.peer.name", "http.status_text"),
    ("http.request.method", "http.response.status_code", "url.path", "http.route", "user_agent.original"),
    ("http.method", "http.status_code", "http.target", "http.response.header.content_type", "url.query"),
    ("app.screen.name", "app.screen.interaction", "app.screen.previous.name", "rum.screen.parent_millis"),
    ("event_type", "target_element", "target_xpath", "location.href"),
    ("browser.web_vital.name", "browser.web_vital.value", "browser.web_vital.id"),
    ("browser.navigation_timing.type", "browser.navigation_timing.fetch_start", "url.full"),
    ("browser.resource_timing.duration", "browser.resource_timing.initiator_type", "url.full"),
    ("exception.type", "exception.message", "exception.stacktrace"),
    ("location.href", "prev.href", "http.url"),
    ("custom.a", "custom.b", "db.statement", "api_token"),
)
"""Attributes that occur together."""

HOSTILE: Sequence[Any] = (
    *(None, b"\xff\x00", float("nan"), float("inf"), 2**70, -(2**63), "\ud800 lone", "x" * 20_000, "", [], {}),
    *({"a": {"b": {"c": [{"d": object}]}}}, [1, "a", None, b"x"], 1e300, True, -0.0, "\x00\x1f"),
)
RESOURCES: Sequence[dict[str, Any]] = (
    {"service.name": "shop", "service.version": "1.2.3", "telemetry.sdk.language": "python"},
    {"service.name": "web", "telemetry.sdk.language": "webjs", "browser.brands": ["Chromium 1", "Chrome 140"]},
    {
        "service.name": "app",
        "os.name": "Android",
        "os.version": "15",
        "rum.sdk.version": "1",
        "session.id": "resource-1",
    },
    {"service.name": "other", "aws.rum.appmonitor.id": "00000000-aaaa-4bbb-8ccc-000000000002", "app.build_id": "9"},
    {"service.name": "kiosk", "user.id": "kiosk", "client.geo.country.iso_code": "CH", "browser.mobile": True},
)
SCOPES = ("shop", "io.opentelemetry.lifecycle", "opentelemetry.instrumentation.flask", "skip.me")


class RandomTelemetry:
    """Make random telemetry; the same in every process for a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._resources = [Resource(attributes) for attributes in RESOURCES]
        self._spans: list[ReadableSpan] = []
        self._key_sets: list[list[str]] = []

    def span(self) -> ReadableSpan:
        """Make a span: a root, or a child of an earlier span, whose parent may be exported later or never."""
        pick = self._random
        parent = pick.choice(self._spans).context if self._spans and pick.random() < 0.6 else None
        trace_id = parent.trace_id if parent else pick.getrandbits(128) or 1
        if parent and pick.random() < 0.3:
            parent = SpanContext(trace_id, parent.span_id, is_remote=True)
        elif parent and pick.random() < 0.2:
            parent = SpanContext(trace_id, pick.getrandbits(64) or 1, is_remote=False)
        start_ns = EPOCH_NS + pick.randrange(10**12)
        if pick.random() < 0.02:
            start_ns = pick.choice((0, 5, 2**63, EPOCH_NS + 10**16))
        made = ReadableSpan(
            pick.choice(NAMES),
            context=SpanContext(trace_id, pick.getrandbits(64) or 1, False, TraceFlags(1)),
            parent=parent,
            resource=pick.choice(self._resources),
            attributes=self._attributes(),
            events=self._events(start_ns),
            links=[Link(SpanContext(1, 2, is_remote=True))] * pick.choice((0, 0, 0, 1)),
            kind=pick.choice(list(SpanKind)),
            status=pick.choice((Status(), Status(StatusCode.OK), Status(StatusCode.ERROR, "ValueError: no"))),
            start_time=start_ns,
            end_time=start_ns + pick.randrange(10**10),
            instrumentation_scope=InstrumentationScope(pick.choice(SCOPES), "1.0"),
        )
        self._spans = [*self._spans[-50:], made]
        return made

    def log_record(self) -> ReadableLogRecord:
        """Make a log record, some within a span."""
        pick = self._random
        inside = self._spans and pick.random() < 0.4
        context = pick.choice(self._spans).context if inside else SpanContext(0, 0, is_remote=False)
        body: Any = pick.choice(
            (None, "a line", {"name": "LCP", "value": 3, "id": "v1"}, '{"timeToFirstByte": 1}', b"x")
        )
        record = LogRecord(
            timestamp=pick.choice((EPOCH_NS + pick.randrange(10**12), 12, 0)),
            observed_timestamp=EPOCH_NS,
            context=set_span_in_context(NonRecordingSpan(context)),
            severity_number=pick.choice((SeverityNumber.INFO, SeverityNumber.ERROR, SeverityNumber.DEBUG, None)),
            body=body,
            attributes=self._attributes(),
            event_name=pick.choice(EVENT_NAMES),
        )
        scope = InstrumentationScope(pick.choice(SCOPES), "1.0")
        return ReadableLogRecord(record, pick.choice(self._resources), scope)

    def _attributes(self) -> dict[str, Any]:
        pick = self._random
        names = list(pick.choice(FAMILIES)) if pick.random() < 0.8 else []
        names += pick.sample(list(ATTRIBUTES), pick.choice((0, 0, 1, 3, 8)))
        if self._key_sets and pick.random() < 0.4:
            return self._again(pick.choice(self._key_sets))
        found: dict[str, Any] = {name: pick.choice(ATTRIBUTES[name]) for name in names}
        if pick.random() < 0.5:
            found.setdefault("session.id", f"session-{pick.randrange(20)}")
        if pick.random() < 0.2:
            found[pick.choice(list(ATTRIBUTES))] = pick.choice(HOSTILE)
        if pick.random() < 0.02:
            many = {f"many.{index}": index for index in range(200)}
            found = {**many, **found} if pick.random() < 0.5 else {**found, **many}
        self._key_sets = [*self._key_sets[-50:], list(found)]
        return found

    def _again(self, names: Sequence[str]) -> dict[str, Any]:
        """Return attributes with the names of earlier ones, whose values have other types."""
        pick = self._random
        chance = pick.choice((0, 0.2, 1))
        return {name: pick.choice(HOSTILE if pick.random() < chance else ATTRIBUTES.get(name, (1,))) for name in names}

    def _events(self, start_ns: int) -> list[Event]:
        pick = self._random
        names = pick.choice(((), (), ("exception",), ("log",), pick.sample(MOMENTS, 8)))
        events = []
        for name in names:
            chosen = ("exception.type", "exception.message", "exception.stacktrace")
            attributes = {key: pick.choice(ATTRIBUTES[key]) for key in chosen} if name == "exception" else {"n": 1}
            events.append(Event(name, attributes, start_ns + pick.randrange(10**8)))
        return events
