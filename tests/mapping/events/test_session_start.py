"""Sessions that another SDK opened and ended."""

import pytest

from otel_rum_exporter.rum.ids import NIL_UUID
from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of, mapped, types
from tests.spans import START_NS

SESSION = {"session.id": "00112233-4455-6677-8899-aabbccddeeff", "session.previous_id": "0" * 31 + "1"}


def test_a_session_start_log_record_starts_a_session() -> None:
    """RUM refuses one with more than its version."""
    (draft,) = drafts_of(make_log("session.start", SESSION))
    assert (draft[0], draft[1]) == ("com.amazon.rum.session_start_event", START_NS)
    assert draft[2] == {"version": "1.0.0"}
    assert types(make_log("session.start", resource=SESSION)) == ["session_start_event"]


@pytest.mark.parametrize("attributes", [{}, {"session.id": ""}, {"session.id": NIL_UUID}])
def test_a_session_start_without_a_session_id_starts_none(attributes: dict[str, str]) -> None:
    """It would start another one in the process session."""
    assert types(make_log("session.start", attributes)) == ["session.start"]


def test_the_end_of_a_session_is_a_custom_event() -> None:
    """RUM has no event for it; ids are not in the details."""
    ((name, details),) = mapped(make_log("session.end", SESSION))
    assert (name, details["attributes"]) == ("session.end", {})
