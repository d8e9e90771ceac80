"""Events are encoded within RUM's limit: trimmed in order, and marked."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.mapping.attribute_values import json_object
from otel_rum_exporter.rum.event import MAX_EVENT_BYTES, RumEvent, encode
from otel_rum_exporter.rum.truncation import PYTHON_TRACEBACK, cut_stack, trimmings
from tests.mapping.test_attribute_values import ANY_VALUES
from tests.spans import START_NS

SESSION = json.dumps({"version": "1.0.0", "domain": "shop.example"})


LONG_TEXTS = st.builds(
    lambda piece, size: (piece * size)[:size], st.text(min_size=1, max_size=20), st.integers(500, 8000)
)


def encoded(details: dict[str, Any], metadata: dict[str, Any] | None = None) -> RumEvent | None:
    """Return details encoded as a custom event."""
    draft = ("work", START_NS, details)
    event = encode(draft, "00000000-0000-8000-8000-000000000000", json.dumps(metadata or {}), SESSION)
    return event and RumEvent(*event)


def wire_bytes(event: RumEvent) -> int:
    """Return the size of an event as RUM receives it, with all of its metadata."""
    merged = {**json.loads(event.session_metadata), **json.loads(event.members["metadata"])}
    body = {"id": event.id, "timestamp": 1795000000.123456, "type": event.type, "details": event.members["details"]}
    return len(json.dumps({**body, "metadata": json.dumps(merged, ensure_ascii=False)}, ensure_ascii=False).encode())


def test_an_event_within_the_limit_is_unchanged() -> None:
    """It has no mark."""
    event = encoded({"a": "é", "b": [1]}, {"pageId": "/"})
    assert event is not None
    assert json.loads(event.members["details"]) == {"a": "é", "b": [1]}
    assert json.loads(event.members["metadata"]) == {"pageId": "/"}


@pytest.mark.parametrize("text", ["plain", "\u00e9", "\u6587\u5b57", "\U0001f600"])
def test_details_in_any_script_are_json_as_text(text: str) -> None:
    """With quotes, backslashes, line breaks and control characters."""
    details = {text: f'{text} "quoted" C:\\temp\\ \n\t\x00\x7f', "list": [text, {"deep": f'"{text}\\"'}]}
    event = encoded(details)
    assert event is not None
    assert json.loads(event.members["details"]) == details
    assert json.loads(event.json)["details"] == orjson.dumps(details).decode()


@pytest.mark.parametrize("text", ["plain", "\u00e9", "\u6587\u5b57", "\U0001f600"])
def test_a_stack_is_encoded_like_any_other_text(text: str) -> None:
    """Also the first time, among other members, and alone."""
    stack = f'{text} at "C:\\temp\\a.py"\n\t\x00\x7f'
    for details in ({"type": text, "stack": stack}, {"stack": stack, "message": stack}, {"stack": stack}):
        for event in (encoded(details), encoded(details)):
            assert event is not None
            assert json.loads(event.json)["details"] == orjson.dumps(details).decode()


def test_trimming_removes_links_then_events_then_long_texts_then_attributes() -> None:
    """In the documented order."""
    details = {"links": [1], "events": [2], "attributes": {f"k{n}": "x" * 100 for n in range(8)}, "name": "n" * 5000}
    steps = [step for step, _ in trimmings(details, {})]
    assert "links" not in steps[0]
    assert "events" in steps[0]
    assert "events" not in steps[1]
    assert len(steps[2]["name"]) == 4000
    assert [len(step["attributes"]) for step in steps[-4:]] == [7, 6, 4, 0]


def test_a_trimmed_event_says_so_in_its_metadata() -> None:
    """The details of built-in events have no room for a mark."""
    event = encoded({"message": "x" * 20_000})
    assert event is not None
    assert json.loads(event.members["metadata"]) == {"truncated": True}
    assert json.loads(event.members["details"])["message"].endswith("...")


def test_two_hundred_attributes_of_two_hundred_kilobytes_fit() -> None:
    """No span of an application makes an event that is too large for RUM."""
    event = encoded({"name": "n", "attributes": {f"key.{n}": "x" * 200_000 for n in range(200)}})
    assert event is not None
    assert wire_bytes(RumEvent(*event)) <= MAX_EVENT_BYTES
    assert json.loads(event.members["details"])["name"] == "n"


def test_an_event_that_cannot_be_trimmed_is_none() -> None:
    """Resource attributes as metadata may exceed the limit. The caller counts the event as dropped."""
    assert encoded({f"k{n}": n for n in range(2000)}) is None


@given(st.dictionaries(st.text(max_size=20), ANY_VALUES | LONG_TEXTS, max_size=8))
def test_every_event_that_is_encoded_is_within_the_limit(attributes: dict[str, Any]) -> None:
    """With escapes, and with merged metadata."""
    event = encoded({"attributes": json_object(attributes), "events": [json_object(attributes)]}, {"pageId": "/é"})
    assert event is not None
    assert wire_bytes(RumEvent(*event)) <= MAX_EVENT_BYTES


def test_a_python_traceback_keeps_its_end_and_any_other_stack_its_beginning() -> None:
    """The error is at the end in Python, at the beginning in JavaScript."""
    frames = "".join(f'  File "f{n}.py", line {n}, in f\n    call()\n' for n in range(200))
    python = cut_stack(f"{PYTHON_TRACEBACK}\n{frames}ValueError: the end\n", 1000)
    assert python.startswith(f"{PYTHON_TRACEBACK}\n  ...\n")
    assert python.endswith("ValueError: the end\n")
    assert len(python) <= 1000
    script = cut_stack("TypeError: x\n" + "    at f (a.js:1:2)\n" * 200, 1000)
    assert script.startswith("TypeError: x\n")
    assert len(script) == 1000


@given(st.text(max_size=300), st.integers(min_value=60, max_value=200), st.booleans())
def test_a_cut_stack_is_never_longer_than_the_limit(text: str, limit: int, is_python: bool) -> None:  # noqa: FBT001
    """For any text."""
    assert len(cut_stack(f"{PYTHON_TRACEBACK}\n{text}" if is_python else text, limit)) <= limit


@pytest.mark.parametrize(("session_chars", "details_chars"), [(2000, 5000), (2000, 4000), (5000, 1000), (5000, 400)])
def test_session_metadata_counts_against_the_limit(session_chars: int, details_chars: int) -> None:
    """RUM merges it into the metadata of every event, so the details have only the rest."""
    session = json.dumps({"title": "s" * session_chars})
    draft = ("work", START_NS, {"message": "x" * details_chars})
    event = encode(draft, "00000000-0000-8000-8000-000000000000", "{}", session)
    assert event is not None
    assert wire_bytes(RumEvent(*event)) <= MAX_EVENT_BYTES


def test_session_metadata_that_leaves_no_room_makes_no_event() -> None:
    """RUM would drop it, also with short details."""
    session = json.dumps({"title": "s" * MAX_EVENT_BYTES})
    assert encode(("work", START_NS, {}), "00000000-0000-8000-8000-000000000000", "{}", session) is None
