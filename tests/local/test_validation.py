"""Validation: accepted, dropped, removed and refused content."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from otel_rum_exporter.local.validation import MAX_EVENT_BYTES, Violation, event_bytes, validate

Make = Callable[..., Any]

HTTP = "com.amazon.rum.http_event"
NOT_A_UUID = "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"


@pytest.fixture
def refused_message(app_monitor: str) -> Make:
    """Return the message of a refused body."""

    def of(body: object, app_monitor_id: str = app_monitor) -> str:
        with pytest.raises(Violation) as caught:
            validate(app_monitor_id, body)
        return str(caught.value)

    return of


def test_valid_request_is_accepted_completely(app_monitor: str, body: Make, event: Make) -> None:
    """All members are decoded."""
    valid = validate(app_monitor, body(event(metadata={"pageId": "/cart"}), Alias="shop"))
    (kept,) = valid.events
    assert kept.details == {"ok": True}
    assert kept.metadata == {"version": "1.0.0", "domain": "shop.example", "pageId": "/cart"}
    assert kept.session_id == valid.session_id == body()["UserDetails"]["sessionId"]
    assert kept.batch_id == valid.batch_id == body()["BatchId"]
    assert valid.alias == "shop"
    assert valid.app_monitor["version"] == "1.2.3"
    assert (valid.dropped, valid.removed) == ((), ())


def test_event_metadata_overrides_session_metadata(app_monitor: str, body: Make, event: Make) -> None:
    """For equal keys."""
    valid = validate(app_monitor, body(event(metadata={"domain": "other.example"})))
    assert valid.events[0].metadata["domain"] == "other.example"


def test_user_and_session_are_optional(app_monitor: str, body: Make) -> None:
    """The service model allows empty UserDetails."""
    valid = validate(app_monitor, body(UserDetails={}))
    assert (valid.user_id, valid.session_id) == (None, None)


def test_request_without_events_is_valid(app_monitor: str, body: Make) -> None:
    """The service model has no minimum."""
    assert validate(app_monitor, body(RumEvents=[])).events == ()


@pytest.mark.parametrize("member", ["BatchId", "AppMonitorDetails", "UserDetails", "RumEvents"])
def test_missing_member_is_named(body: Make, refused_message: Make, member: str) -> None:
    """For each required member."""
    request = body()
    del request[member]
    assert refused_message(request) == f"{member} is required"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Metadata": "{}"}, 'the request body has the unknown member "Metadata"'),
        ({"BatchId": NOT_A_UUID}, f'BatchId must be a UUID of 36 characters, is "{NOT_A_UUID}"'),
        ({"BatchId": 7}, "BatchId must be a UUID of 36 characters, is 7"),
        ({"AppMonitorDetails": "shop"}, 'AppMonitorDetails must be a JSON object, is "shop"'),
        ({"AppMonitorDetails": {"stage": "x"}}, 'AppMonitorDetails has the unknown member "stage"'),
        ({"AppMonitorDetails": {"version": 1}}, "AppMonitorDetails.version must be a string, is 1"),
        ({"UserDetails": {"userId": "ada"}}, 'UserDetails.userId must be a UUID of 36 characters, is "ada"'),
        ({"UserDetails": {"sessionId": None}}, "UserDetails.sessionId must be a UUID of 36 characters, is null"),
        ({"UserDetails": {"name": "Ada"}}, 'UserDetails has the unknown member "name"'),
        ({"RumEvents": {}}, "RumEvents must be a list, is {}"),
        ({"RumEvents": [1]}, "RumEvents[0] must be a JSON object, is 1"),
        ({"Alias": ""}, 'Alias must be a string of 1 to 255 characters, is ""'),
        ({"Alias": None}, "Alias must be a string of 1 to 255 characters, is null"),
        ({"SessionMetadata": {}}, "SessionMetadata must be a string that holds a JSON object, is {}"),
        ({"SessionMetadata": "[]"}, "SessionMetadata must hold a JSON object, holds []"),
    ],
)
def test_invalid_member_of_the_request_is_named_and_quoted(
    body: Make, refused_message: Make, members: dict[str, Any], message: str
) -> None:
    """The message has name and value."""
    assert refused_message(body(**members)) == message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"id": "1"}, 'RumEvents[1].id must be a UUID of 36 characters, is "1"'),
        ({"timestamp": "now"}, 'RumEvents[1].timestamp must be a number of epoch seconds, is "now"'),
        ({"timestamp": True}, "RumEvents[1].timestamp must be a number of epoch seconds, is true"),
        ({"timestamp": 12.5}, "RumEvents[1].timestamp must be epoch seconds between 2001 and 2286, is 12.5"),
        ({"type": ""}, 'RumEvents[1].type must be 1 to 256 of A-Z a-z 0-9 _ . -, is ""'),
        ({"type": "a b"}, 'RumEvents[1].type must be 1 to 256 of A-Z a-z 0-9 _ . -, is "a b"'),
        ({"type": "a\u202eb"}, 'RumEvents[1].type must be 1 to 256 of A-Z a-z 0-9 _ . -, is "a\\u202eb"'),
        ({"extra": 1}, 'RumEvents[1] has the unknown member "extra"'),
        ({"details": [1]}, "RumEvents[1].details must be a string that holds a JSON object, is [1]"),
        ({"details": "1"}, "RumEvents[1].details must hold a JSON object, holds 1"),
        ({"metadata": 1}, "RumEvents[1].metadata must be a string that holds a JSON object, is 1"),
    ],
)
def test_invalid_member_of_an_event_is_named_by_its_path(
    body: Make, event: Make, refused_message: Make, members: dict[str, Any], message: str
) -> None:
    """The path has the index of the event."""
    assert refused_message(body(event(), {**event(), **members})) == message


def test_details_as_an_object_are_refused(body: Make, event: Make, refused_message: Make) -> None:
    """RUM expects a JSON string."""
    message = refused_message(body({**event(), "details": {"ok": True}}))
    assert message == 'RumEvents[0].details must be a string that holds a JSON object, is {"ok":true}'


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": ', "", '{"a": ' * 5000])
def test_details_with_invalid_json_are_refused(body: Make, event: Make, refused_message: Make, text: str) -> None:
    """Also JSON that only Python's parser accepts."""
    assert refused_message(body(event(details=text) | {"details": text})).startswith(
        "RumEvents[0].details must hold a JSON object"
    )


def test_timestamp_in_milliseconds_is_recognised(body: Make, event: Make, refused_message: Make) -> None:
    """The message has the hint: it is a common mistake."""
    message = refused_message(body(event(timestamp=1_790_000_000_000)))
    assert message.endswith("which looks like milliseconds. To fix: divide by 1000")


def test_app_monitor_id_in_the_path_must_be_a_uuid(body: Make, refused_message: Make) -> None:
    """A name in its place is refused."""
    assert refused_message(body(), "my-shop") == 'the app monitor id in the path must be a UUID, is "my-shop"'


def test_app_monitor_id_in_the_body_must_equal_the_path(body: Make, refused_message: Make) -> None:
    """Else the request is refused."""
    other = "99999999-9999-4999-8999-999999999999"
    assert "is not the id in the path" in refused_message(body(AppMonitorDetails={"id": other}))


def test_unknown_event_type_with_the_prefix_of_rum_is_refused(body: Make, event: Make, refused_message: Make) -> None:
    """Custom events must not use RUM's prefix."""
    assert refused_message(body(event("com.amazon.rum.checkout"))).startswith(
        'RumEvents[0].type "com.amazon.rum.checkout" is unknown: the prefix com.amazon.rum. is reserved'
    )


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"version": "1.0.0"}, "RumEvents[0].details.request is required"),
        ({"version": "1.0.0", "request": {"url": "/"}}, "RumEvents[0].details.request.method is required"),
        (
            {"version": "1.0.0", "request": {"method": "GET", "duration": 3}},
            'RumEvents[0].details.request has the unknown member "duration": the schema of http_event is closed',
        ),
        (
            {"version": "2", "request": {"method": "GET"}},
            'RumEvents[0].details.version must be "1.0.0", is "2"',
        ),
        (
            {"version": "1.0.0", "request": {"method": 1}},
            "RumEvents[0].details.request.method must be of type string, is 1",
        ),
        (
            {"version": "1.0.0", "request": {"method": "GET"}, "segment_id": "abc"},
            'RumEvents[0].details.segment_id must have at least 16 characters, is "abc"',
        ),
    ],
)
def test_details_that_violate_the_schema_are_refused(
    body: Make, event: Make, refused_message: Make, details: dict[str, Any], message: str
) -> None:
    """The message has the path in the details."""
    assert refused_message(body(event(HTTP, details))) == message


def test_value_outside_an_enumeration_is_refused(body: Make, event: Make, refused_message: Make) -> None:
    """The message lists the allowed values."""
    details = {"version": "1.0.0", "initiatorType": "tap", "startTime": 0, "duration": 1}
    message = refused_message(body(event("com.amazon.rum.performance_navigation_event", details)))
    assert message.endswith('initiatorType must be one of ["navigation","route_change"], is "tap"')


@pytest.mark.parametrize("member", ["version", "domain"])
def test_merged_metadata_must_have_version_and_domain(body: Make, refused_message: Make, member: str) -> None:
    """Missing members are named."""
    metadata = {"version": "1.0.0", "domain": "shop.example"}
    del metadata[member]
    message = refused_message(body(SessionMetadata=json.dumps(metadata)))
    assert message.startswith(f"RumEvents[0].metadata.{member} is required")


def test_long_value_is_shortened_in_the_message(body: Make, refused_message: Make) -> None:
    """The message stays readable."""
    assert len(refused_message(body(BatchId="x" * 10_000))) < 200


def test_event_above_6_kb_is_dropped(app_monitor: str, body: Make, event: Make) -> None:
    """The limit is the size of the event with merged metadata."""
    (small,) = validate(app_monitor, body(event(details={"text": ""}))).events
    room = MAX_EVENT_BYTES - event_bytes(small)
    fits, over = (event(details={"text": "x" * size}) for size in (room, room + 1))
    valid = validate(app_monitor, body(fits, over))
    assert [event_bytes(kept) for kept in valid.events] == [MAX_EVENT_BYTES]
    limit, fix = "above RUM's limit of 6144", "To fix: shorten details or metadata"
    assert [dropped.reason for dropped in valid.dropped] == [
        f"the event has 6145 bytes with merged metadata, {limit}, so RUM drops the event. {fix}"
    ]


def test_event_size_is_in_bytes(app_monitor: str, body: Make, event: Make) -> None:
    """2100 characters of three bytes are more than 6 KB."""
    valid = validate(app_monitor, body(event(details={"text": "€" * 2100})))
    assert len(valid.dropped) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("http.route", "/"),
        ("aws:team", "shop"),
        ("pageTagsOfMine", "a"),
        ("k" * 129, "a"),
        ("", "a"),
        ("list", ["a"]),
        ("map", {"a": 1}),
        ("nothing", None),
        ("long", "x" * 257),
    ],
)
def test_invalid_custom_attribute_is_removed(app_monitor: str, body: Make, event: Make, key: str, value: Any) -> None:
    """The event and its other attributes are kept."""
    valid = validate(app_monitor, body(event(metadata={key: value, "plan": "gold"})))
    assert [(removed.key, removed.value) for removed in valid.removed] == [(key, value)]
    assert valid.events[0].metadata["plan"] == "gold"
    assert key not in valid.events[0].metadata


def test_custom_attributes_above_ten_are_removed(app_monitor: str, body: Make, event: Make) -> None:
    """Session and event attributes count together, RUM's own members do not count."""
    metadata = {"pageId": "/", "title": "Cart"} | {f"k{n}": n for n in range(12)}
    valid = validate(app_monitor, body(event(metadata=metadata)))
    assert [removed.key for removed in valid.removed] == ["k10", "k11"]
    assert len(valid.events[0].metadata) == 4 + 10


def test_removed_attribute_does_not_count_to_the_ten(app_monitor: str, body: Make, event: Make) -> None:
    """Only valid attributes count."""
    metadata = {"bad.key": 1} | {f"k{n}": n for n in range(10)}
    valid = validate(app_monitor, body(event(metadata=metadata)))
    assert [removed.key for removed in valid.removed] == ["bad.key"]


def test_invalid_member_of_rum_metadata_is_refused(body: Make, event: Make, refused_message: Make) -> None:
    """RUM's own members follow the schema, not the rule of custom attributes."""
    assert refused_message(body(event(metadata={"pageId": 7}))).startswith(
        "RumEvents[0].metadata.pageId must be of type string, is 7"
    )


def test_session_replay_may_exceed_6_kb(app_monitor: str, body: Make, event: Make) -> None:
    """It contains a whole page."""
    details = {"version": "1.0.0", "eventCount": 1, "events": [{"type": 2, "timestamp": 1.0, "data": "x" * 50_000}]}
    valid = validate(app_monitor, body(event("com.amazon.rum.rrweb_event", details)))
    assert (len(valid.events), valid.dropped) == (1, ())
