"""Attributes of our own, by which an application and `RumSessionProcessor` tell the exporter what OTel has no name for.

Every one is optional, and none is for RUM: the exporter reads them and leaves them out of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SESSION_ATTRIBUTES = ("session.id", "splunk.rumSessionId")
USER_ATTRIBUTES = ("enduser.pseudo.id", "user.hash", "app.installation.id", "user.id", "user.anonymous_id")
ENDUSER_ID = "enduser.id"
"""Tells the user too where the settings want it: it may be a name that people know."""

SCREEN_NAMES = ("app.screen.name", "screen.name")
PARENT_SCREENS = ("app.screen.parent_screen.name", "last.screen.name", "app.screen.previous.name")
INTERACTION = "app.screen.interaction"

EVENT_TYPE, EVENT_DETAILS = "rum.event.type", "rum.event.details"
"""Which event a span or log record becomes, as an application itself says it."""

SESSION_SAMPLED = "rum.session.sampled"
"""Whether the session was chosen to be recorded, where somebody else has decided it, as the browser's client does."""

SESSION_MINTED = "rum.session.minted"
"""True on all of a session that was made in this process, so that the first to arrive opens it in RUM."""

SCREEN_SHOWN = "rum.screen.shown"
"""False on a span that happened on the screen it names, and did not show it."""

SCREEN_PARENT_MILLIS = "rum.screen.parent_millis"
"""How long the screen before was shown, in milliseconds, on the span that shows another."""

PAGE_TAGS = "rum.page.tags"
"""Names of the groups that a page is in, RUM's `pageTags`: a list that an application puts on a request or screen."""

MARKS = frozenset(
    {EVENT_TYPE, EVENT_DETAILS, SESSION_SAMPLED, SESSION_MINTED, SCREEN_SHOWN, SCREEN_PARENT_MILLIS, PAGE_TAGS}
)


def plain(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Copy attributes into a plain dict.

    The SDK's mapping locks for every key it is asked for; its own `copy` locks once.
    """
    if attributes is None:
        return {}
    copy = getattr(attributes, "copy", None)
    return copy() if callable(copy) else dict(attributes)
