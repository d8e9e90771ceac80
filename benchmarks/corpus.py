"""Spans of the real SDK, the same in every run.

60 % are HTTP requests made, 20 % internal, 10 % screens and 10 % exceptions with stacks of 2 to 4 KB. The session of
each span is random. This is the hardest order for an exporter whose requests contain one session each.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Tracer

Attributes = Mapping[str, Any]

EPOCH_NS = 1_790_000_000_000_000_000
RESOURCE = {
    "service.name": "kiosk",
    "service.namespace": "museum",
    "service.version": "4.12.0",
    "service.instance.id": "3f0f9f0e-6d0b-4a52-9a8a-6d9f8f0c1b11",
    "deployment.environment.name": "production",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
    "os.type": "linux",
    "os.name": "Debian GNU/Linux",
    "os.version": "13",
    "host.arch": "arm64",
    "device.model.name": "CM5",
}
HOSTS = tuple(f"{name}.museum.example" for name in ("api", "images", "search", "tickets", "maps", "shop"))
SCREENS = ("Welcome", "Floor plan", "Gallery", "Work of art", "Search", "Tickets", "Basket", "Payment", "Thank you")
TASKS = ("decode_image", "layout", "cache.lookup", "render", "translate", "recommend", "sync", "speak")
FUNCTIONS = tuple(f"{verb}_{noun}" for verb in ("load", "show", "move", "rate", "find", "save") for noun in TASKS[:4])
ERRORS = ("ValueError", "KeyError", "TimeoutError", "museum.errors.OutOfTickets")


def spans(count: int, *, sessions: int = 1, extra_attributes: int = 0, seed: int = 20) -> list[ReadableSpan]:
    """Return finished spans, each with a number of extra attributes."""
    finished = InMemorySpanExporter()
    tracer = tracer_of(SimpleSpanProcessor(finished), seed=seed)
    maker = Maker(tracer, sessions=sessions, extra_attributes=extra_attributes, seed=seed)
    for _ in range(count):
        maker.make()
    return list(finished.get_finished_spans())


def tracer_of(processor: SpanProcessor, *, seed: int = 20) -> Tracer:
    """Return a tracer with the resource of the corpus and reproducible ids."""
    provider = TracerProvider(resource=Resource(RESOURCE), id_generator=_Ids(seed), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider.get_tracer("museum.kiosk", "4.12.0")


class Maker:
    """A maker of spans, one at a time."""

    def __init__(self, tracer: Tracer, *, sessions: int = 1, extra_attributes: int = 0, seed: int = 20) -> None:
        self._tracer = tracer
        self._random = random.Random(seed)
        self._sessions = [(self._uuid(), self._uuid()) for _ in range(sessions)]
        self._extra = {f"app.extra.{index}": f"value {index}" for index in range(extra_attributes)}
        self._now_ns = EPOCH_NS
        # An application fails at the same places again and again.
        self._stacks = [self._stack() for _ in range(100)]

    def make(self) -> None:
        """Start and end one span."""
        chance = self._random.random()
        if chance < 0.6:
            self._request()
        elif chance < 0.8:
            self._end(self._random.choice(TASKS), SpanKind.INTERNAL, self._task())
        elif chance < 0.9:
            screen = self._random.choice(SCREENS)
            attributes = {"app.screen.name": screen, "app.screen.id": screen.lower().replace(" ", "-")}
            self._end(f"show {screen}", SpanKind.INTERNAL, attributes)
        else:
            self._end(
                self._random.choice(TASKS),
                SpanKind.INTERNAL,
                self._task(),
                exception={
                    "exception.type": self._random.choice(ERRORS),
                    "exception.message": f"Saal {self._random.randrange(400)} ist geschlossen – später versuchen",
                    "exception.stacktrace": self._random.choice(self._stacks),
                    "exception.escaped": "False",
                },
            )

    def _request(self) -> None:
        number, host = self._random.random(), self._random.choice(HOSTS)
        path = f"/v2/{self._random.choice(TASKS)}/{self._random.randrange(10_000)}"
        attributes: dict[str, Any] = {
            "http.request.method": "GET" if number < 0.8 else "POST",
            "url.full": f"https://{host}{path}?size={self._random.randrange(64)}",
            "server.address": host,
            "server.port": 443,
            "http.response.status_code": 200 if number < 0.96 else 503,
            "network.protocol.version": "1.1",
            "user_agent.original": "python-requests/2.32.3",
        }
        optional = {
            "network.peer.address": f"10.0.{self._random.randrange(8)}.{self._random.randrange(250)}",
            "http.response.body.size": self._random.randrange(80_000),
            "url.template": "/v2/{task}/{id}",
            "error.type": "503",
        }
        count = self._random.randrange(len(optional) + 1)
        attributes.update(list(optional.items())[:count])
        self._end(str(attributes["http.request.method"]), SpanKind.CLIENT, attributes)

    def _task(self) -> Attributes:
        attributes: dict[str, Any] = {
            "code.function.name": f"museum.{self._random.choice(FUNCTIONS)}",
            "thread.name": f"worker-{self._random.randrange(4)}",
            "app.items": self._random.randrange(100),
            "app.cached": self._random.random() < 0.5,
            "app.room": f"Saal {self._random.randrange(40)}",
        }
        return dict(list(attributes.items())[: self._random.randrange(3, 6)])

    def _end(self, name: str, kind: SpanKind, attributes: Attributes, *, exception: Attributes | None = None) -> None:
        session_id, user_id = self._random.choice(self._sessions)
        self._now_ns += 500_000
        identity = {"session.id": session_id, "user.id": user_id}
        span = self._tracer.start_span(
            name, kind=kind, attributes={**attributes, **identity, **self._extra}, start_time=self._now_ns
        )
        end_ns = self._now_ns + self._random.randrange(200_000, 400_000_000)
        if exception is not None:
            span.add_event("exception", exception, timestamp=end_ns)
        span.end(end_ns)

    def _stack(self) -> str:
        size = self._random.randrange(2000, 4000)
        lines = ["Traceback (most recent call last):"]
        while sum(map(len, lines)) < size:
            function, module = self._random.choice(FUNCTIONS), self._random.choice(TASKS)
            lines.append(f'  File "/srv/museum/{module}.py", line {self._random.randrange(900)}, in {function}')
            lines.append(f"    return {self._random.choice(FUNCTIONS)}({module}, room={self._random.randrange(40)})")
        return "\n".join([*lines, "ValueError: Saal geschlossen"])

    def _uuid(self) -> str:
        digits = f"{self._random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class _Ids(IdGenerator):
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1
