"""Random sessions of a tea shop's web site, as PutRumEvents bodies in the format of AWS's web client."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

APP_MONITOR = "7f3c2a10-5e1d-4b7a-9c55-0d6c8b1e4f21"
ANONYMOUS_USER = "00000000-0000-0000-0000-000000000000"
RUM = "com.amazon.rum."
V1 = {"version": "1.0.0"}
SHOP = "https://tea.example"
TRACE = "0af7651916cd43dd8448eb211c80319c"

BROWSERS = (
    ("Chrome", "139.0", "Windows", "desktop"),
    ("Mobile Safari", "18.5", "iOS", "mobile"),
    ("Firefox", "141.0", "Linux", "desktop"),
    ("Chrome", "138.0", "Android", "mobile"),
    ("Safari", "18.5", "Mac OS", "desktop"),
    ("Edge", "139.0", "Windows", "desktop"),
)
COUNTRIES = ("DE", "FR", "US", "JP", "BR", "IN")
PATHS = (
    ("/", "/products/teapot", "/cart", "/checkout"),
    ("/", "/search", "/products/kettle", "/products/cup", "/cart"),
    ("/products/teapot", "/cart", "/checkout", "/thanks"),
    ("/", "/journal/first-flush", "/products/oolong"),
    ("/search", "/products/samovar"),
)
STACK = """TypeError: Cannot read properties of undefined (reading 'price')
    at total (https://tea.example/assets/cart.8f2c.js:41:27)
    at Array.reduce (<anonymous>)
    at Cart.render (https://tea.example/assets/cart.8f2c.js:88:14)
    at commit (https://tea.example/assets/vendor.1b9e.js:2:48211)
    at HTMLButtonElement.onclick (https://tea.example/assets/cart.8f2c.js:112:5)"""
ERRORS = (
    {"type": "TypeError", "message": "Cannot read properties of undefined (reading 'price')", "stack": STACK,
     "filename": "https://tea.example/assets/cart.8f2c.js", "lineno": 41, "colno": 27},
    {"type": "CouponExpiredError", "message": "coupon SUMMER24 expired on 31 August 2024",
     "stack": "CouponExpiredError: coupon SUMMER24 expired\n    at apply (https://tea.example/assets/checkout.js:19:11)"},
    {"type": "UnhandledRejection", "message": "request 48213 timed out after 5000 ms"},
)  # fmt: skip


class WebSession:
    """A session of one user: its metadata, and the events of several page visits."""

    def __init__(self, rng: random.Random, begin: float) -> None:
        self._rng = rng
        self._at = begin
        self.events: list[dict[str, Any]] = []
        self.session_id = self._uuid()
        self.user_id = self._uuid() if rng.random() < 0.6 else ANONYMOUS_USER
        browser, version, system, device = rng.choice(BROWSERS)
        self.session_metadata = V1 | {
            "domain": "tea.example",
            "aws:client": "arw-module",
            "browserName": browser,
            "browserVersion": version,
            "osName": system,
            "deviceType": device,
            "platformType": "web",
            "countryCode": rng.choice(COUNTRIES),
            "tier": rng.choice(("guest", "member")),
        }
        self._slow = 2.2 if device == "mobile" else 1.0
        self._add("session_start_event", V1, "/", 0)
        for step, page in enumerate(rng.choice(PATHS)):
            self._visit(page, step)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _add(self, name: str, details: dict[str, Any], page: str, after_ms: float, **metadata: Any) -> None:
        own = {"pageId": page, "title": page.strip("/").title() or "Tea", **metadata}
        self.add(name if name == "add_to_cart" else RUM + name, details, self._at + after_ms / 1000, **own)

    def add(self, event_type: str, details: dict[str, Any], at: float, **metadata: Any) -> None:
        """Add an event at an epoch second."""
        self.events.append(
            {
                "id": self._uuid(),
                "timestamp": round(at, 3),
                "type": event_type,
                "details": json.dumps(details),
                "metadata": json.dumps(V1 | {"pageId": "/checkout"} | metadata | {"domain": "tea.example"}),
            }
        )

    def _visit(self, page: str, step: int) -> None:
        rng, slow = self._rng, self._slow
        load = rng.lognormvariate(6.9, 0.6) * slow
        self._add("page_view_event", V1 | {"pageId": page, "interaction": step}, page, 0)
        navigation = {"initiatorType": "navigation" if step == 0 else "route_change", "startTime": 0, "duration": load}
        self._add("performance_navigation_event", V1 | navigation, page, load)
        for kind, name in (("script", "cart.8f2c.js"), ("stylesheet", "tea.css"), ("image", "teapot.webp"))[: 3 - step]:
            begin, took = load * rng.uniform(0.05, 0.4), load * rng.uniform(0.1, 0.5)
            self._resource(f"{SHOP}/assets/{name}", kind, begin, took, page)
        sku = page.rpartition("/")[2]
        if page.startswith("/products"):
            self._request("GET", f"{SHOP}/api/stock/{sku}", 404 if sku == "samovar" else 200, page, load)
        if page == "/search":
            self._request("GET", f"{SHOP}/api/search?q=tea", 503 if rng.random() < 0.35 else 200, page, load)
        if page == "/checkout":
            self._request("POST", f"{SHOP}/api/orders", rng.choice((200, 200, 409, 500, 0)), page, load)
        self._vitals(page, load)
        if rng.random() < 0.8:
            click = {"version": "1.1.0", "event": "click", "element": "BUTTON", "elementId": "buy"}
            self._add("dom_event", click, page, load + 900)
        if page == "/cart":
            self._add("add_to_cart", {"name": "add to cart", "durationMs": rng.uniform(20, 120)}, page, load + 1000)
        if rng.random() < {"/cart": 0.45, "/checkout": 0.4}.get(page, 0.04):
            error = ERRORS[0] if page == "/cart" else rng.choice(ERRORS)
            self._add("js_error_event", V1 | error, page, load + 1100)
        self._at += load / 1000 + rng.uniform(4, 45)

    def _resource(self, url: str, kind: str, begin: float, took: float, page: str) -> None:
        details = {"targetUrl": url, "initiatorType": kind, "fileType": kind, "startTime": begin, "duration": took}
        self._add("performance_resource_event", V1 | details, page, begin + took)

    def _request(self, method: str, url: str, status: int, page: str, load: float) -> None:
        took = self._rng.lognormvariate(4.8, 0.7)
        begin = load * 0.45
        details: dict[str, Any] = V1 | {"request": {"method": method, "url": url}}
        if status:
            details["response"] = {"status": status, "statusText": ""}
        else:
            details["error"] = V1 | {"type": "TypeError", "message": "Failed to fetch"}
        self._add("http_event", details, page, begin + took)
        timing: dict[str, Any] = {"targetUrl": url.partition("?")[0], "initiatorType": "fetch", "fileType": "other"}
        timing |= {"startTime": begin, "duration": took}
        self._add("performance_resource_event", V1 | timing, page, begin + took)

    def _vitals(self, page: str, load: float) -> None:
        rng, slow = self._rng, self._slow
        for name, value, after in (
            ("time_to_first_byte_event", load * 0.2, load * 0.2),
            ("first_contentful_paint_event", load * 0.55, load * 0.55),
            ("largest_contentful_paint_event", load * 0.95, load * 0.95),
            ("cumulative_layout_shift_event", abs(rng.gauss(0.08, 0.09)), load + 400),
            ("interaction_to_next_paint_event", rng.lognormvariate(4.9, 0.7) * slow, load + 950),
        ):
            self._add(name, V1 | {"value": value}, page, after)

    def body(self, rng: random.Random) -> dict[str, Any]:
        """Return the PutRumEvents body with all events."""
        return {
            "BatchId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "AppMonitorDetails": {"id": APP_MONITOR, "version": "1.4.0"},
            "UserDetails": {"userId": self.user_id, "sessionId": self.session_id},
            "SessionMetadata": json.dumps(self.session_metadata),
            "RumEvents": self.events,
        }


def bodies(now: float, sessions: int = 40, minutes: float = 30, seed: int = 5) -> Iterator[dict[str, Any]]:
    """Yield the bodies of this number of sessions; the last one is still active at `now`."""
    rng = random.Random(seed)
    for number in range(sessions):
        age = minutes * 60 * (1 - (number + 1) / sessions) ** 0.8 + rng.uniform(0, 20)
        session = WebSession(rng, now - age)
        session.events = [event for event in session.events if event["timestamp"] <= now]
        yield session.body(rng)


def faulty_bodies(now: float) -> Iterator[dict[str, Any]]:
    """Yield three bodies: RUM refuses one, drops an event of one, and removes an attribute of one."""
    for number, problem in enumerate(("refused", "dropped", "removed")):
        rng = random.Random(number)
        session = WebSession(rng, now - 60)
        body = session.body(rng)
        event = session.events[1]
        if problem == "refused":
            event["timestamp"] = now * 1000
        elif problem == "dropped":
            event |= {"type": "cart_snapshot", "details": json.dumps({"name": "cart", "html": "<li>tea</li>" * 700})}
        else:
            event["metadata"] = json.dumps(json.loads(event["metadata"]) | {"cart.size": 3})
        yield body


def traced_body(now: float) -> dict[str, Any]:
    """Return the body of a session with an X-Ray trace, a custom event of it, and an error in a library."""
    rng = random.Random(7)
    session = WebSession(rng, now - 90)
    call = {"request": {"method": "POST", "url": f"{SHOP}/api/orders"}, "response": {"status": 500}}
    inner = {"id": "b" * 16, "name": "api.tea.example", "start_time": now - 59.9, "end_time": now - 59, "fault": True}
    segment = {"name": "tea.example", "id": "a" * 16, "start_time": now - 60, "end_time": now - 58.8}
    session.add(
        f"{RUM}xray_trace_event",
        segment | {"trace_id": f"1-{TRACE[:8]}-{TRACE[8:]}", "subsegments": [inner | {"http": call}]},
        now - 58.8,
    )
    order = {"name": "order", "durationMs": 640, "attributes": {"payment": "card", "items": 3}}
    span = {"traceId": TRACE, "spanId": "c" * 16, "parentSpanId": "b" * 16}
    session.add("checkout", order | span, now - 59.1)
    stack = "RangeError: no price\n    at pay (https://tea.example/pay.js:7:1)\n    at run (node_modules/x/run.js:1:1)"
    session.add(f"{RUM}js_error_event", V1 | {"type": "RangeError", "message": "no price", "stack": stack}, now - 58)
    return session.body(rng)
