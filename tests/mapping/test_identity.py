"""Session, user and page of a span: its own, its ancestors', its trace's, its resource's, the process's."""

import tracemalloc
import uuid
from collections.abc import Mapping, Sequence

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind

from otel_rum_exporter.config import SESSION_SILENCE_NS
from otel_rum_exporter.mapping import identity as module
from otel_rum_exporter.mapping import pending
from otel_rum_exporter.mapping.caches import Caches
from otel_rum_exporter.mapping.identity import Identities, Identity, Moment
from otel_rum_exporter.mapping.identity_attributes import IdentityReader, Page
from otel_rum_exporter.mapping.log_view import LogView
from otel_rum_exporter.mapping.pending import MAX_PENDING_NS
from otel_rum_exporter.mapping.span_view import SpanView
from otel_rum_exporter.rum.ids import NIL_UUID, to_uuid
from tests.logs import make_log
from tests.spans import make_span

A = "11111111-1111-4111-8111-111111111111"
B = "22222222-2222-4222-8222-222222222222"
NOW_NS = 1_795_000_000_000_000_000


def make_identities() -> Identities:
    """Make identities whose new session ids count up."""
    ids = iter(str(uuid.UUID(int=number)) for number in range(1, 100))
    reader = IdentityReader(hash_key=b"key", has_enduser_id=False)
    return Identities(reader, Caches(), new_id=lambda: next(ids))


@pytest.fixture
def identities() -> Identities:
    """Make identities without any history."""
    return make_identities()


def at(now_ns: int) -> Moment:
    """Return a moment with the same time on both clocks."""
    return Moment(now_ns, now_ns)


def assign(
    identities: Identities,
    spans: Sequence[ReadableSpan],
    pages: Mapping[str, Mapping[str, str]] | None = None,
    now_ns: int = NOW_NS,
) -> dict[str, Identity]:
    """Return the identities of resolved spans by name; `pages` is page metadata by span name."""
    pairs = [(SpanView.of(span), (pages or {}).get(span.name, {})) for span in spans]
    return {view.name: identity for _, view, identity in identities.assign(pairs, at(now_ns))}


def test_a_child_inherits_from_its_nearest_ancestor_although_it_ends_first(identities: Identities) -> None:
    """Children are exported before the request that has the session."""
    request = make_span("request", {"session.id": A, "user.id": B})
    inner_request = make_span("inner request", {"session.id": B}, parent=request)
    child = make_span("query", parent=inner_request)
    grandchild = make_span("socket", parent=child)
    found = assign(identities, [grandchild, child, inner_request, request])
    assert {name: identity.session_id for name, identity in found.items()} == {
        "socket": B,
        "query": B,
        "inner request": B,
        "request": A,
    }
    assert {name for name, identity in found.items() if identity.user_id == B} == {"request"}


def test_a_child_is_pending_until_its_parent_arrives_in_any_batch(identities: Identities) -> None:
    """A batch boundary inside a request does not split its session."""
    request = make_span("request", {"session.id": A})
    child = make_span("child", parent=request)
    grandchild = make_span("grandchild", parent=child)
    assert assign(identities, [grandchild]) == {}
    assert assign(identities, [child]) == {}
    found = assign(identities, [request], {"request": {"pageId": "/cart"}})
    assert {(one.session_id, one.metadata["pageId"]) for one in found.values()} == {(A, "/cart")}
    assert set(found) == {"request", "child", "grandchild"}
    assert (identities.close(at(NOW_NS)), identities.pending) == ([], 0)


def test_a_child_that_ends_after_its_parent_still_inherits(identities: Identities) -> None:
    """Work can outlive the request that started it."""
    request = make_span("request", {"session.id": A})
    assign(identities, [request], {"request": {"pageId": "/cart"}})
    late = assign(identities, [make_span("late", parent=request)])["late"]
    assert (late.session_id, late.metadata) == (A, {"pageId": "/cart"})


def test_a_pending_span_expires_and_inherits_from_its_trace(identities: Identities) -> None:
    """A request that never ends does not keep its children pending forever; another request of its page has ended."""
    browser = SpanContext(75, 74, is_remote=True)
    assign(identities, [make_span("request", {"session.id": A}, parent=browser, kind=SpanKind.SERVER)])
    endless = make_span("endless", {"session.id": A}, parent=browser, kind=SpanKind.SERVER)
    assign(identities, [make_span("other", {"session.id": B}, parent=endless)])
    assign(identities, [make_span("child", parent=endless)])
    assert identities.next_expiry_seconds(at(NOW_NS)) == MAX_PENDING_NS / 1_000_000_000
    assert identities.expire(at(NOW_NS + MAX_PENDING_NS - 1)) == []
    expired = {view.name: one.session_id for _, view, one in identities.expire(at(NOW_NS + MAX_PENDING_NS))}
    assert expired == {"other": B, "child": A}
    assert identities.next_expiry_seconds(at(NOW_NS)) is None


def test_in_an_application_with_one_user_no_span_is_pending(identities: Identities) -> None:
    """Without sessions on spans, a parent adds no identity."""
    assign(identities, [make_span("root")])
    found = assign(identities, [make_span("child", parent=make_span("main"))])
    assert found["child"].is_minted


def test_a_log_line_at_the_start_of_a_server_is_no_sign_of_one_user(identities: Identities) -> None:
    """An exception logged within the first request is in the request's session."""
    request = make_span("request", {"session.id": A})
    identities.assign([(LogView.of(make_log("started")), {})], at(NOW_NS))
    error = LogView.of(make_log("error", span=request))
    assert identities.assign([(error, {})], at(NOW_NS)) == []
    found = identities.assign([(SpanView.of(request), {})], at(NOW_NS))
    assert {identity.session_id for _, _, identity in found} == {A}
    assert [view for _, view, _ in found if view is error]


def test_a_span_without_session_has_its_resources(identities: Identities) -> None:
    """A kiosk or a phone sets its session once."""
    found = assign(identities, [make_span(resource={"session.id": A, "user.id": B})])["work"]
    assert (found.session_id, found.user_id, found.is_minted) == (A, B, False)


def test_spans_without_session_are_in_the_process_session_until_it_is_silent(identities: Identities) -> None:
    """It ends after 30 minutes without an event, as in AWS's web client."""
    first = assign(identities, [make_span()])["work"]
    second = assign(identities, [make_span()], now_ns=NOW_NS + SESSION_SILENCE_NS)["work"]
    third = assign(identities, [make_span()], now_ns=NOW_NS + 2 * SESSION_SILENCE_NS + 1)["work"]
    assert first == second
    assert first.is_minted
    assert first.user_id == NIL_UUID
    assert first.session_id != third.session_id


def test_an_event_between_screens_is_on_the_screen_shown_last(identities: Identities) -> None:
    """In an application with one user."""
    menu = {"pageId": "menu", "title": "menu"}
    assign(identities, [make_span("show")], {"show": menu})
    assert assign(identities, [make_span("fails")])["fails"].metadata == menu
    later = assign(identities, [make_span("next day")], now_ns=NOW_NS + 2 * SESSION_SILENCE_NS)
    assert later["next day"].metadata == {}


def test_an_event_without_a_page_is_on_the_page_that_its_session_showed_last(identities: Identities) -> None:
    """Errors and web vitals of browser instrumentations have no page; sessions are kept apart."""
    cart, api = {"pageId": "/cart", "domain": "shop.example"}, {"pageId": "/api/stock"}
    served = make_span("served", {"session.id": A}, kind=SpanKind.SERVER)
    part = make_span("part", parent=served)
    assign(identities, [make_span("document", {"session.id": A}), part, served], {"document": cart, "served": api})
    errors = [make_span("error", {"session.id": A}), make_span("other's", {"session.id": B})]
    found = assign(identities, errors, {"error": {"browserName": "Firefox"}})
    assert found["error"].metadata == {**cart, "browserName": "Firefox"}
    assert found["other's"].metadata == {}


def test_a_request_of_the_application_to_itself_is_on_the_page_that_caused_it(identities: Identities) -> None:
    """Requests of one browser page that are no ancestors of each other keep their pages."""
    page = make_span("page", {"session.id": A}, kind=SpanKind.SERVER)
    call = make_span("call", parent=page, kind=SpanKind.CLIENT)
    remote = SpanContext(call.context.trace_id, call.context.span_id, is_remote=True)
    api = make_span("api", parent=remote, kind=SpanKind.SERVER)
    pages = {"page": {"pageId": "/cart"}, "api": {"pageId": "/api/stock"}}
    found = assign(identities, [api, call, page], pages)
    assert {name: one.metadata["pageId"] for name, one in found.items()} == dict.fromkeys(found, "/cart")

    browser = SpanContext(99, 98, is_remote=True)
    requests = [make_span(name, parent=browser, kind=SpanKind.SERVER) for name in ("one", "two")]
    found = assign(identities, requests, {"one": {"pageId": "/one"}, "two": {"pageId": "/two"}})
    assert [found["one"].metadata["pageId"], found["two"].metadata["pageId"]] == ["/one", "/two"]


def test_a_session_that_is_not_recorded_stays_unrecorded_in_its_trace(identities: Identities) -> None:
    """Also for a later request of the trace with another page."""
    browser = SpanContext(77, 76, is_remote=True)
    not_recorded = {"session.id": A, "rum.session.sampled": False}
    assign(identities, [make_span("one", not_recorded, parent=browser, kind=SpanKind.SERVER)])
    two = make_span("two", parent=browser, kind=SpanKind.SERVER)
    found = assign(identities, [two], {"two": {"pageId": "/two"}})["two"]
    assert (found.session_id, found.is_sampled, found.metadata) == (A, False, {"pageId": "/two"})


def test_the_nil_session_id_is_no_session(identities: Identities) -> None:
    """AWS's web client sends it before it has a session."""
    assert assign(identities, [make_span("a", {"session.id": NIL_UUID})])["a"].is_minted


def test_a_loop_of_parents_ends(identities: Identities) -> None:
    """Spans that are each other's parent expire."""
    one = make_span("one", {"session.id": A})
    two = make_span("two", parent=one)
    one._parent = two.context
    assert assign(identities, [one, two]) == {}
    assert len(identities.expire(at(NOW_NS + MAX_PENDING_NS))) == 2


def test_memory_of_spans_traces_and_pages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not grow with the age of the process."""
    for bound in ("MAX_ENDED", "MAX_TRACES", "MAX_PAGES"):
        monkeypatch.setattr(module, bound, 10)
    monkeypatch.setattr(pending, "MAX_PENDING", 10)
    identities = make_identities()
    for number in range(50):
        assign(identities, [make_span("page", {"session.id": f"{A}{number}"})], {"page": {"pageId": "/"}})
        assign(identities, [make_span(f"w{number}", parent=make_span("unseen"))])
    assert len(identities._ended) == len(identities._traces) == len(identities._pages) == 10
    assert len(identities.close(at(NOW_NS))) == 10


def test_pending_spans_take_bounded_memory_whatever_their_size(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever part of a span is large."""
    monkeypatch.setattr(pending, "MAX_PENDING_BYTES", 100_000)
    large, known = "x" * 10_000, {"session.id": A}
    for _ in range(100):
        assign(identities, [make_span("attribute", {**known, "text": large}, parent=make_span("unseen"))])
        events = [Event("moment", {"text": large})]
        assign(identities, [make_span("event", known, parent=make_span("unseen"), events=events)])
        assign(identities, [make_span(large, known, parent=make_span("unseen"))])
    assert 5 < identities.pending < 10


def test_a_span_that_has_waited_for_long_is_not_expired_by_those_that_came_and_went(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under load, children of a slow request stay pending."""
    monkeypatch.setattr(module, "MAX_ENDED", 10)
    monkeypatch.setattr(module, "MAX_TRACES", 10)
    monkeypatch.setattr(pending, "MAX_PENDING", 10)
    identities = make_identities()
    slow = make_span("slow", {"session.id": A})
    assign(identities, [make_span("child", parent=slow)])
    for number in range(50):
        quick = make_span(f"q{number}", {"session.id": B})
        assert len(assign(identities, [make_span(f"c{number}", parent=quick), quick])) == 2
    assert identities.pending == 1
    assert assign(identities, [slow])["child"].session_id == A


def test_a_span_with_another_session_does_not_inherit_the_user(identities: Identities) -> None:
    """A message of one user can be handled within the request of another."""
    request = make_span("request", {"session.id": A, "user.id": B})
    message = make_span("message", {"session.id": B}, parent=request)
    found = assign(identities, [message, request])
    assert (found["message"].session_id, found["message"].user_id) == (B, NIL_UUID)
    other = SpanContext(request.context.trace_id, 7, is_remote=True)
    assert assign(identities, [make_span("consume", parent=other, kind=SpanKind.CONSUMER)])["consume"].is_minted


def test_long_page_metadata_is_inherited_as_the_page_alone(identities: Identities) -> None:
    """Clients choose its size; the span itself keeps all of it."""
    long = {"pageId": "/cart", "title": "Cart", "pageUrl": "u" * 800, "aws:userAgent": "a" * (1024 - 800 - 9)}
    for text, inherited in (("", long), ("b", {"pageId": "/cart", "title": "Cart"})):
        page = {**long, "aws:userAgent": long["aws:userAgent"] + text}
        request = make_span("request", {"session.id": A})
        whole = assign(identities, [request], {"request": page})["request"]
        late = assign(identities, [make_span("late", parent=request)])["late"]
        assert (whole.metadata, late.metadata) == (page, inherited)


@pytest.mark.parametrize("name", ["session.id", "user.id"])
def test_a_long_id_has_the_same_uuid_as_before(identities: Identities, name: str) -> None:
    """It is kept as its UUID, which is the same in every process."""
    found = assign(identities, [make_span("one", {name: "é" * 1000})])["one"]
    expected = to_uuid("é" * 1000, kind=name.partition(".")[0], key=b"key")
    assert expected in {found.session_id, found.user_id}


def test_memory_of_hostile_traces_is_bounded(identities: Identities) -> None:
    """Each span takes a few KiB at most, whatever it contains."""
    spans = [make_span(f"{number}", {"session.id": f"{number}" + "ß" * 5000}) for number in range(500)]
    pages = {span.name: {f"key{part}": f"{span.name} {part}" + "é" * 250 for part in range(20)} for span in spans}
    pairs = [(SpanView.of(span), pages[span.name]) for span in spans]
    tracemalloc.start()
    identities.assign(pairs, at(NOW_NS))
    del pairs, spans, pages
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 500 * 4096


def test_the_nil_user_id_is_an_unknown_user(identities: Identities) -> None:
    """A span after a logout does not inherit its parent's user."""
    page = make_span("page", {"session.id": A, "user.id": "ann"})
    action = make_span("logged out", {"session.id": A, "user.id": NIL_UUID}, parent=page)
    found = assign(identities, [action, page])
    assert found["logged out"].user_id == NIL_UUID
    assert found["page"].user_id != NIL_UUID


def test_a_root_span_whose_ids_were_seen_before_is_on_the_page_that_its_session_shows_now(
    identities: Identities,
) -> None:
    """Pages change, also back to an earlier one, and applications do not see each other's."""
    one, two = Page({"pageId": "one"}), Page({"pageId": "two"})
    ids = {"session.id": A, "user.id": B}
    other = Identities(identities._reader, Caches(), new_id=lambda: A)
    assert assign(identities, [make_span("first", ids)])["first"].metadata == {}
    for page in (one, two, one, {"pageId": "document"}):
        shown = assign(identities, [make_span("show", ids)], {"show": page})["show"]
        found = assign(identities, [make_span("work", ids), make_span("other's", {"session.id": B, "user.id": B})])
        assert found["work"] is assign(identities, [make_span("again", ids)])["again"]
        assert shown == found["work"] == Identity(A, B, page, is_minted=False)
        assert found["other's"].metadata == assign(other, [make_span("elsewhere", ids)])["elsewhere"].metadata == {}


def test_a_root_span_whose_ids_were_seen_before_resolves_those_below_it(identities: Identities) -> None:
    """Those of earlier calls and those of the same one."""
    ids = {"session.id": A, "user.id": B}
    first = assign(identities, [make_span("first", ids)])["first"]
    root = make_span("root", ids)
    assert assign(identities, [make_span("earlier", parent=root)]) == {}
    child = make_span("child", parent=root)
    found = assign(identities, [make_span("grandchild", ids, parent=child), child, root])
    assert set(found) == {"earlier", "grandchild", "child", "root"}
    assert all(identity is first for identity in found.values())
    assert identities.pending == 0


def test_a_root_span_of_a_trace_with_another_session_keeps_what_the_trace_states(identities: Identities) -> None:
    """A log line before the request has decided on the sampling of its session."""
    ids = {"session.id": A, "user.id": B}
    assert assign(identities, [make_span("before", ids)])["before"].is_sampled is None
    root = make_span("root", ids)
    line = LogView.of(make_log("line", {**ids, "rum.session.sampled": False}, span=root))
    line.parent_key = None
    identities.assign([(line, {})], at(NOW_NS))
    assert assign(identities, [root])["root"].is_sampled is False


def test_spans_that_wait_for_a_pending_parent_of_the_same_call_are_pending_in_their_order(
    identities: Identities,
) -> None:
    """They count for the bounds of memory, and expire with it."""
    parent = make_span("parent", {"session.id": A}, parent=make_span("unseen"))
    assert assign(identities, [make_span("child", parent=parent), parent]) == {}
    assert identities.pending == 2
    assert identities._pending.size_bytes > 2000
    expired = identities.expire(at(NOW_NS + MAX_PENDING_NS))
    assert {(view.name, one.session_id) for _, view, one in expired} == {("child", A), ("parent", A)}
