"""Session cookies that a server issues where no JavaScript does, in the format of AWS's browser client.

If the client is added to the pages, it continues the session: its cookies have the same names, attributes and format.
https://github.com/aws-observability/aws-rum-web/blob/main/docs/configuration.md#cookieattributes
"""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from .._served import HEALTH_CHECKS, is_browser
from ..config import SESSION_SILENCE_NS
from .browser_cookies import SESSION_COOKIE, USER_COOKIE
from .context import Session
from .request import Request

SESSION_SECONDS = SESSION_SILENCE_NS // 1_000_000_000
USER_SECONDS = 30 * 24 * 3600
"""The client's `userIdRetentionDays`."""

PAGES = frozenset({"", "document", "empty", "frame", "iframe"})
"""Values of `Sec-Fetch-Dest` of pages and of a page's own requests, not of images, scripts and other parts."""


class Issued(NamedTuple):
    """The session of a request, and the values of the Set-Cookie headers of its response."""

    session: Session
    set_cookies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieIssuer:
    """Issue cookies to the browsers of people who do not object.

    `name` is the session cookie's. `domain` is None for the host that the browser asked for, as in the client.
    """

    sample_rate: float
    consent: Callable[[Mapping[str, Any]], bool] | None = None
    name: str = SESSION_COOKIE
    domain: str | None = None
    path: str = "/"
    same_site: Literal["Strict", "Lax", "None"] = "Strict"

    def can_issue(self, request: Request) -> bool:
        """Return whether a request comes from the browser of a person who does not object to cookies."""
        is_person = is_browser(request.header("user-agent"))
        if not is_person or HEALTH_CHECKS.fullmatch(request.path) or "prefetch" in request.header("sec-purpose"):
            return False
        if request.header("dnt").strip() == "1" or request.header("sec-gpc").strip() == "1":
            return False
        return self.consent is None or bool(self.consent(request.source))

    def issue(self, request: Request, known: Session | None) -> Issued | None:
        """Return the session of the cookies issued before, else a new one; None for a part of another site's page."""
        is_part = request.header("sec-fetch-dest") not in PAGES
        if known is not None and known.id is not None:
            return Issued(known, () if is_part else self._set_cookies(request, known))
        is_foreign = request.header("sec-fetch-site") == "cross-site" and request.header("sec-fetch-mode") != "navigate"
        if is_part or is_foreign:
            return None
        user_id = (known.user_id if known else None) or str(uuid.uuid4())
        is_sampled = random.random() < self.sample_rate  # noqa: S311 - no secret
        session = Session(str(uuid.uuid4()), user_id, is_sampled, is_minted=True)
        return Issued(session, self._set_cookies(request, session))

    def _set_cookies(self, request: Request, session: Session) -> tuple[str, ...]:
        content = {"sessionId": session.id, "record": session.is_sampled is not False, "eventCount": 0}
        value = base64.b64encode(orjson.dumps(content)).decode()
        cookies = [self._set_cookie(request, self.name, value, SESSION_SECONDS)]
        if session.user_id:
            cookies.append(self._set_cookie(request, USER_COOKIE, session.user_id, USER_SECONDS))
        return tuple(cookies)

    def _set_cookie(self, request: Request, name: str, value: str, seconds: int) -> str:
        domain = self.domain or request.host
        attributes = [f"{name}={value}", f"Max-Age={seconds}"]
        if domain:
            attributes.append(f"Domain={domain}")
        attributes += [f"Path={self.path}", f"SameSite={self.same_site}"]
        if request.is_https:
            attributes.append("Secure")
        return "; ".join(attributes)


def is_shared(cache_control: str) -> bool:
    """Return whether caches may give a response to other people, who must not get its cookies."""
    directives = {one.partition("=")[0].strip().lower() for one in cache_control.split(",")}
    return bool(directives & {"public", "s-maxage"})
