"""The limits of lengths and of memory, each with the last size within it and the first beyond it.

The numbers are written out: the tests of the modules use the constants, and would not notice another number.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanKind

from otel_rum_exporter import mapping
from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.ledger import Ledger
from otel_rum_exporter.mapping import attribute_keys, caches, metadata, stack_trace
from otel_rum_exporter.mapping.app_monitor import AppMonitorResolver
from otel_rum_exporter.mapping.application import Application, Applications
from otel_rum_exporter.mapping.attribute_keys import keys_of
from otel_rum_exporter.mapping.attribute_values import json_value, size_bytes
from otel_rum_exporter.mapping.caches import Caches
from otel_rum_exporter.mapping.converter import Converter
from otel_rum_exporter.mapping.events import custom, js_error, xray
from otel_rum_exporter.mapping.events.exception_kinds import is_cancelled_message
from otel_rum_exporter.mapping.explain import summary
from otel_rum_exporter.mapping.identity import Moment
from otel_rum_exporter.mapping.identity_attributes import IdentityAttributes, IdentityReader
from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.pending import PendingSpans
from otel_rum_exporter.mapping.record_view import clock_unit_ns, epoch_ns, identifier
from otel_rum_exporter.mapping.recorded_exception import RecordedException
from otel_rum_exporter.mapping.redaction import STANDARD, Redactor
from otel_rum_exporter.mapping.reported_exceptions import ReportedExceptions
from otel_rum_exporter.mapping.rule import Decisions, Rule
from otel_rum_exporter.mapping.sampling import Sampling, with_rate
from otel_rum_exporter.mapping.secret_texts import scrub_text
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.mapping.stack_trace import application_frame, chain_of
from otel_rum_exporter.rum.event import RumEvent, _escaped_end
from tests.logs import make_log
from tests.mapping.event_drafts import mapped, types
from tests.spans import APP_MONITOR_ID, START_NS, exception_event, make_config, make_span

READER = IdentityReader(hash_key=b"key", has_enduser_id=False)
SECOND_NS = 1_000_000_000
KIB = 1024

TEXT_CACHES = [
    *[(256, 300)] * 3,  # types of exceptions
    *[(1000, 256)] * 3,  # scopes; paths of health checks, of people and of programs
    *[(1000, 1024)] * 7,  # types of events, routes, names, labels; browsers and monitors; screens
    (1024, 256),  # names of attributes
    *[(2048, 160)] * 2,  # values of attributes and other texts
    *[(4096, 128)] * 4,  # segments of paths and of URLs; words of texts
    (4096, 256),  # URLs without their last segment
]
"""The number of results that each function of texts keeps, and the length of their texts."""

CHARS = (127, 128, 129, 159, 160, 161, 255, 256, 257, 299, 300, 301, 1023, 1024, 1025)


def test_results_for_texts_are_kept_up_to_a_number_and_a_length() -> None:
    """One more starts again, and one longer is not kept."""
    folder = mapping.__path__
    modules = [importlib.import_module(one.name) for one in pkgutil.walk_packages(folder, f"{mapping.__name__}.")]
    functions = [value for module in modules for value in vars(module).values()]
    found: dict[int, Any] = {id(kept): kept for one in functions if isinstance(kept := _self_of(one), caches._Texts)}
    assert sorted(map(_bounds, found.values())) == TEXT_CACHES


def _self_of(function: object) -> object:
    return getattr(function, "__self__", None)


def _bounds(kept: Any) -> tuple[int, int]:
    kept.clear()
    texts = 0
    while len(kept) == texts:
        kept[f"w{texts}"]
        texts += 1
    for chars in CHARS:
        kept["w" * chars]
    return texts - 1, max(chars for chars in CHARS if "w" * chars in kept)


@pytest.mark.parametrize(
    ("function", "results"),
    [
        (custom._iso_second, 1000),
        (lambda number: js_error._stack_fields(f"E{number}", 100, STANDARD), 128),
        (lambda number: stack_trace._parsed(f"E{number}"), 128),
        (lambda number: _escaped_end(f"E{number}"), 128),
        (lambda number: READER.session_uuid(f"{number}"), 10_000),
        (lambda number: READER.user_uuid(f"{number}"), 10_000),
    ],
)
def test_the_newest_results_are_kept(function: Callable[[int], object], results: int) -> None:
    """The first is computed again after as many others, and not before."""
    for number in range(results):
        function(number)
    before = _misses()
    function(0)
    assert _misses() == before
    for number in range(1, results + 1):
        function(number)
    before = _misses()
    function(0)
    assert _misses() == before + 1


def _misses() -> int:
    cached = (custom._iso_second, js_error._stack_fields, stack_trace._parsed, _escaped_end)
    return sum(one.cache_info().misses for one in (*cached, READER.session_uuid, READER.user_uuid))


BOUNDED = {
    "ended": 10_000,
    "traces": 20_000,
    "pages": 10_000,
    "identities": 10_000,
    "started sessions": 10_000,
    "sampled sessions": 50_000,
    "loads": 10_000,
    "parts": 1000,
    "exceptions": 10_000,
    "logged": 10_000,
}


def test_what_applications_remember_has_a_bound_for_all_together() -> None:
    """Each of these keeps fifteen sixteenths of it; pending spans have bounds of their own."""
    config, shared = make_config(), Caches()
    Application(config, READER, lambda: "", Sampling(config), APP_MONITOR_ID, shared)
    for name, entries in BOUNDED.items():
        (bounded,) = shared.groups[name].values()
        bounded.update(dict.fromkeys(range(entries)))
        bounded.trim()
        assert len(bounded) == entries, name
        bounded[entries] = None
        bounded.trim()
        assert list(bounded) == list(range(1 + entries // 16, entries + 1)), name
    assert shared.groups.keys() - BOUNDED == {"pending"}


@pytest.mark.parametrize(
    ("of", "resources"),
    [
        (AppMonitorResolver(make_config()).of, 1000),
        (IdentityReader(hash_key=b"key", has_enduser_id=False).of_resource, 1000),
        (ReportedExceptions(Caches())._process_of, 100),
    ],
)
def test_results_for_resources_are_kept_up_to_a_number(of: Callable[[Resource], object], resources: int) -> None:
    """One more starts again."""
    made = [Resource({"session.id": "a"}) for _ in range(resources + 1)]
    first, *_ = [of(one) for one in made[:resources]]
    assert of(made[0]) is first
    of(made[resources])
    assert of(made[0]) is not first


def test_servers_are_kept_up_to_a_number_of_services_and_of_app_monitors() -> None:
    """Those beyond it keep the operating system of their resource, as an application of a person has."""

    def has_system(monitor: int, service: int) -> bool:
        monitor_id = str(uuid.UUID(int=monitor + 1))
        named = {"aws.rum.appmonitor.id": monitor_id, "service.name": f"{service}", "os.name": "Debian"}
        resolver.add_server(Resource(named))
        resolution = resolver.of(Resource(named))
        return resolution is not None and "osName" in resolution.session_metadata

    resolver = AppMonitorResolver(make_config())
    assert [has_system(0, service) for service in range(101)] == [False] * 100 + [True]
    assert [has_system(monitor, 0) for monitor in range(1, 1001)] == [False] * 999 + [True]


def test_sets_of_names_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more starts again."""
    monkeypatch.setattr(attribute_keys, "key_sets", attribute_keys._KeySets())
    first = keys_of({"first": 1})
    for number in range(1023):
        keys_of({f"{number}": 1})
    assert keys_of({"first": 1}) is first
    keys_of({"one more": 1})
    assert keys_of({"first": 1}) is not first


def test_rows_that_can_fit_are_kept_for_a_number_of_sets() -> None:
    """One more starts again."""
    rules: Decisions[Any] = Decisions([Rule("anything", "nothing")], make_config())
    sets = [attribute_keys.AttributeKeys((), is_kept=True) for _ in range(2049)]
    sizes = []
    for keys in sets:
        view = SimpleNamespace(name="", scope_name="", kind=None, keys=keys)
        rules.rule_of(view)
        sizes.append(len(rules._candidates))
    assert sizes[-2:] == [2048, 1]


def test_identities_of_spans_and_keys_of_batches_are_shared_up_to_a_number() -> None:
    """One more starts again."""
    converter = Converter(make_config(), new_id=lambda: "", ledger=Ledger(), log=RateLimitedLog())
    reader = IdentityReader(hash_key=b"key", has_enduser_id=False)
    keys = keys_of({"session.id": 1})
    monitor: Any = SimpleNamespace(monitor="")

    def identity(number: int) -> object:
        view: Any = SimpleNamespace(kind=None, keys=keys, attributes={"session.id": f"{number}"})
        return reader.of_view(view, {})

    def key(number: int) -> object:
        given: Any = SimpleNamespace(session_id=number, user_id="")
        return converter._builder.key_of(monitor, given)

    for shared in (identity, key):
        first, *_ = [shared(number) for number in range(10_000)]
        assert shared(0) is first
        shared(10_000)
        assert shared(0) is not first


def _are_few(count: int) -> bool:
    applications = Applications(lambda _, __: Application.__new__(Application))
    for number in range(count):
        applications.of(f"{number}")
    return applications.remove_oldest() is None


def _summary(**details: str) -> str:
    return summary(RumEvent.of("id", START_NS, "a", json.dumps(details), "{}", "{}"))


def _nested(depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value


def _pending(count: int, size_bytes: int) -> bool:
    pending: PendingSpans[None] = PendingSpans()
    for number in range(count):
        pending.add(b"%d" % number, None, size_bytes, 0, key=None, is_request=False)
    return pending.expired(1) is None


def _waits(nanos: int, *, is_request: bool = False) -> bool:
    pending: PendingSpans[None] = PendingSpans()
    pending.add(b"p", None, 1, 0, key=None, is_request=is_request)
    return pending.expired(nanos + 1) is None or pending.expired(nanos) is None


def _remembers_expired(count: int) -> bool:
    """Return whether the first of some parents that did not end in time is still known."""
    pending: PendingSpans[None] = PendingSpans()
    for number in range(count):
        pending.add(b"%d" % number, None, 1, 0, key=None, is_request=False)
        expired = pending.expired(30 * SECOND_NS)
        assert expired
        pending.resolve(expired)
    return pending.has_expired(b"0")


def _keeps_part(size: int) -> bool:
    """Return whether the timings of a document's fetch, as large as this, are part of its load."""
    load = make_span("documentLoad", {"http.url": "https://shop.example/"})
    fetch = {"http.response_content_length": 5000, "pad": ""}
    padding = "x" * (size - SpanView.of(make_span("documentFetch", fetch, parent=load)).size_bytes)
    mapper = Mapper(make_config())
    part = SpanView.of(make_span("documentFetch", {**fetch, "pad": padding}, parent=load))
    assert part.size_bytes == size
    mapper.map(part)
    return "transferSize" in str(mapper.map(SpanView.of(load))[1])


def _are_one_error(message_chars: int) -> bool:
    """Return whether exceptions whose messages differ in their last character are two errors."""
    mapper = Mapper(make_config())
    first = make_span("a", events=[exception_event(message="x" * message_chars)])
    second = make_span("b", parent=first, events=[exception_event(message="x" * (message_chars - 1) + "y")])
    return len([draft for span in (first, second) for draft in mapper.map(SpanView.of(span))[1]]) == 4


def _is_logged_once(nanos: int) -> bool:
    """Return whether an exception that is logged again after this time is the same one."""
    given = {
        "exception.type": "E",
        "exception.message": "no",
        "exception.stacktrace": "E\n    at f (https://a.example/b.js:1:2)",
    }
    records = [make_log(None, given, body=body, time_ns=START_NS + after) for body, after in (("a", 0), ("b", nanos))]
    mapper = Mapper(make_config())
    return sum(len(mapper.map(LogView.of(record))[1]) for record in records) == 1


def _error_of(**attributes: str) -> dict[str, Any]:
    named = {f"exception.{name}": value for name, value in attributes.items()}
    return js_error.js_error_details(RecordedException.of(named), 4000)


def _failed_call(**attributes: str) -> dict[str, Any]:
    given = {"http.request.method": "GET", "url.full": "https://a.example/"}
    raised = exception_event("E", "no", attributes.get("stack", ""))
    events = dict(mapped(make_span("GET", given, kind=SpanKind.CLIENT, events=[raised])))
    error: dict[str, Any] = events["http_event"]["error"]
    return error


def _segment_type(chars: int) -> str:
    request = {"http.request.method": "GET", "url.full": "https://a.example/"}
    span = make_span("GET", request, kind=SpanKind.CLIENT, events=[exception_event("x" * chars)])
    details = dict(mapped(span, make_config(xray_events=True)))["xray_trace_event"]
    kind: str = details["subsegments"][0]["cause"]["exceptions"][0]["type"]
    return kind


def _at_end(text: str, chars: int) -> str:
    return "\n".rjust(chars - len(text), "x") + text


def _body_of(chars: int) -> str:
    return _at_end('Traceback (most recent call last):\n  File "/a.py", line 4, in f\n    g()\nE: no', chars)


def _severity(number: int) -> SeverityNumber:
    return SeverityNumber(number)


LIMITS: list[tuple[str, Callable[[int], object], int]] = [
    ("applications", _are_few, 256),
    ("characters of a value that is explained", lambda size: _summary(a="x" * size) == "a=" + "x" * size, 40),
    (
        "characters of a line that is explained",
        lambda size: len(_summary(a="x" * 40, b="x" * 40, c="x" * (size - 88))) == size,
        120,
    ),
    ("levels of a value", lambda size: json_value(_nested(size)) == _nested(size), 8),
    ("levels of a value that is redacted", lambda size: STANDARD.value("a", _nested(size), ()) == _nested(size), 8),
    ("integers that doubles hold", lambda size: json_value(size) == size, 9_007_199_254_740_991),
    ("integers in maps", lambda size: json_value({"a": -size}) == {"a": -size}, 9_007_199_254_740_991),
    ("names of a set", lambda size: keys_of(dict.fromkeys(map(str, range(size)))).is_kept, 128),
    ("characters of a set's names", lambda size: keys_of({"a" * (size - 1): 1, "b": 1}).is_kept, 4096),
    (
        "names of a set that is not kept",
        lambda size: len(keys_of({0: 0} | dict.fromkeys(f"a{number}" for number in range(size))).names) == size,
        128,
    ),
    ("characters of a name in a set that is not kept", lambda size: keys_of({0: 0, "a" * size: 1}).names, 64),
    ("bits of an id", lambda size: identifier({"a": (1 << size) - 1}, "a"), 128),
    ("milliseconds that are no nanoseconds", lambda size: clock_unit_ns(size) == 1_000_000, 4_102_444_800_000),
    ("seconds that are no nanoseconds", lambda size: clock_unit_ns(size) == 1_000_000_000, 4_102_444_800),
    ("microseconds that are no nanoseconds", lambda size: clock_unit_ns(size) == 1000, 4_102_444_800_000_000),
    ("the last time", lambda size: epoch_ns(size) == size, 4_102_444_800 * SECOND_NS),
    (
        "characters of an id",
        lambda size: READER.of_resource(Resource({"session.id": "a" * size}))[0] == "a" * size,
        256,
    ),
    (
        "characters of metadata to inherit",
        lambda size: IdentityAttributes(metadata={"a": "x" * size}).inheritable.metadata,
        1024,
    ),
    (
        "characters of metadata",
        lambda size: metadata.custom({"a": "x" * size}, make_config(metadata_attributes=["a"]))["a"] == "x" * size,
        256,
    ),
    (
        "page tags",
        lambda size: (
            len(metadata.of_trace(SpanView.of(make_span("a", {"rum.page.tags": ["a"] * size})))["pageTags"]) == size
        ),
        10,
    ),
    ("pending spans", lambda size: _pending(size, 1), 4096),
    ("bytes of pending spans", lambda size: _pending(1, size), 32 * KIB * KIB),
    ("nanoseconds that a span waits", _waits, 30 * SECOND_NS - 1),
    ("nanoseconds that a request waits", lambda size: _waits(size, is_request=True), 6 * SECOND_NS - 1),
    ("expired parents", _remembers_expired, 1000),
    ("bytes of a part of a document's load", _keeps_part, 16 * KIB),
    ("characters by which messages differ", _are_one_error, 1000),
    ("nanoseconds until an exception is logged again", _is_logged_once, 5 * SECOND_NS),
    ("characters of a message", lambda size: _error_of(message="x" * size)["message"] == "x" * size, 1000),
    ("characters of a type", lambda size: _error_of(type="x" * size)["type"] == "x" * size, 1000),
    (
        "characters of a stack",
        lambda size: mapped(make_span("a", events=[exception_event(stack="x" * size)]))[1][1]["stack"] == "x" * size,
        4000,
    ),
    (
        "characters of a stack in an http_event",
        lambda size: _failed_call(stack="x" * size)["stack"] == "x" * size,
        1000,
    ),
    ("characters of a stack with frames", lambda size: application_frame(_at_end("at f (a.bundle:1:2)", size)), 16_000),
    ("characters of a frame", lambda size: application_frame("at f (a.bundle:1:2)".rjust(size)), 500),
    ("characters of a place", lambda size: chain_of("x" * size, "E").place == "x" * size, 500),
    ("characters of a frame in strict mode", lambda size: Redactor("strict").stack("s", "f@a:1".rjust(size, "f")), 500),
    ("characters of a text", lambda size: scrub_text("x" * size) == "x" * size, 8192),
    ("encodings of a secret", lambda size: scrub_text("tok%" + "25" * (size - 1) + "65n=hunter2x") == "***", 3),
    (
        "characters of a cancellation's message",
        lambda size: not is_cancelled_message("the request was aborted".ljust(size - 7) + "timeout"),
        300,
    ),
    ("characters of a custom type", lambda size: custom.event_type("a" * size) == "a" * size, 256),
    ("characters of a segment's exception", lambda size: _segment_type(size) == "x" * size, 256),
    ("characters of a segment's name", lambda size: xray.segment_name("a" * size) == "a" * size, 200),
    (
        "frames of a segment",
        lambda size: (
            len(
                xray.frames("Traceback (most recent call last):\n" + '  File "a.py", line 1, in f\n' * size + "E: no\n")
            )
            == size
        ),
        10,
    ),
    (
        "severity of a line for debugging",
        lambda size: not types(make_log(None, {"exception.type": "E"}, severity=_severity(size))),
        8,
    ),
    (
        "severity of a line without an error",
        lambda size: (
            not types(
                make_log(
                    None,
                    {"error.name": "E", "error.message": "no", "error.stack": "E: no\n    at f (a.js:1:2)"},
                    severity=_severity(size),
                )
            )
        ),
        16,
    ),
    (
        "characters of a line with a traceback",
        lambda size: types(make_log(None, body=_body_of(size), severity=SeverityNumber.ERROR)),
        65_536,
    ),
]


@pytest.mark.parametrize(("fits", "last"), [pytest.param(fits, last, id=what) for what, fits, last in LIMITS])
def test_a_limit_has_a_last_size_within_it(fits: Callable[[int], object], last: int) -> None:
    """One more is beyond it."""
    assert fits(last)
    assert not fits(last + 1)


FIRST_DATE_SECONDS = 946_684_800


@pytest.mark.parametrize("unit_ns", [1000, 1_000_000, 1_000_000_000])
def test_times_since_2000_have_their_unit_found(unit_ns: int) -> None:
    """Those before are times since the start of a page or of a machine."""
    first = FIRST_DATE_SECONDS * SECOND_NS // unit_ns
    assert (clock_unit_ns(first), clock_unit_ns(first - 1)) == (unit_ns, 1)


@pytest.mark.parametrize(
    ("start_ns", "is_kept"),
    [
        (START_NS + 3600 * SECOND_NS, True),
        (START_NS + 3600 * SECOND_NS + 1000, False),
        (FIRST_DATE_SECONDS * SECOND_NS, True),
        (FIRST_DATE_SECONDS * SECOND_NS - 1000, False),
    ],
)
def test_a_time_is_kept_from_2000_until_an_hour_ahead(start_ns: int, *, is_kept: bool) -> None:
    """Else the event has the time of its export."""
    converter = Converter(make_config(), new_id=lambda: "", ledger=Ledger(), log=RateLimitedLog())
    attributes = {"session.id": "a"}
    converted = converter.spans([make_span("a", attributes, start_ns=start_ns, duration_millis=0)], Moment(START_NS, 0))
    (event,) = converted.outcomes[0].events
    expected_ns = start_ns if is_kept else START_NS
    assert event.members["timestamp"] == expected_ns / SECOND_NS


@pytest.mark.parametrize(("number", "is_card"), [(2_000_000_000_008, True), (500_000_000_009, False)])
def test_a_number_is_a_card_from_thirteen_digits(number: int, *, is_card: bool) -> None:
    """With a valid check digit."""
    assert STANDARD.value("a", number, ()) == ("***" if is_card else number)


def test_the_rate_of_a_session_has_four_digits() -> None:
    """More would make a value of its own of each session."""
    assert with_rate('{"a":1}', 1 / 3) == '{"a":1,"session_sample_rate":0.3333}'


def test_the_size_of_a_value_counts_its_items() -> None:
    """With 64 bytes for each, and 1 KiB for a record."""
    assert size_bytes({"ab": ["c", 1]}) == 5 * 64 + 3
    assert LogView.of(make_log("ab")).size_bytes == LogView.of(make_log("abc")).size_bytes - 1
    assert 1024 + 64 * 2 <= SpanView.of(make_span("a")).size_bytes < 1024 + 64 * 12


def test_an_url_with_many_encoded_parts_is_masked_whole() -> None:
    """Up to a hundred are decoded one by one, and the rest of the URL stays."""
    secret = "ann%252540example.com"
    assert scrub_text("/a%20" * 99 + f"/{secret}") == "/a%20" * 99 + "/***"
    assert scrub_text("/a%20" * 100 + f"/{secret}") == "***"


def test_the_id_of_a_segment_is_the_same_in_every_version() -> None:
    """X-Ray joins the parts of a trace by it."""
    assert xray.segment_id("0" * 16) == "5eed5e6700000001"
