"""Who sends, as far as the request tells, and how much of it may come from one address.

An address is kept in memory only, for rates and sessions; it is never logged and never sent.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

from ..delivery.rate_limiter import TokenBucket
from .error_response import Reason, RefusedError
from .settings import GatewaySettings

MAX_SENDERS = 10_000
"""Addresses whose rate is remembered; the one that was silent for longest is forgotten."""

_BEARER = "bearer "
_IPV6_PREFIX = 64
"""What one subscriber has of IPv6: any of its addresses is the same sender."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What a request tells of who sent it. `user_agent` and `country` are None unless the settings ask for them."""

    address: str
    user_agent: str | None = None
    country: str | None = None


class Buckets:
    """One bucket for each of many names. A rate of 0 is none. Thread-safe."""

    def __init__(self, per_second: int, what: str) -> None:
        self._per_second = per_second
        self._what = what
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, name: str, permits: int, now_seconds: float) -> None:
        """Take permits of a name.

        Raises:
            RefusedError: when it has none left.
        """
        if not self._per_second:
            return
        with self._lock:
            bucket = self._buckets.get(name)
            if bucket is None:
                bucket = self._buckets[name] = TokenBucket(self._per_second, now_seconds)
                if len(self._buckets) > MAX_SENDERS:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end(name)
            wait_seconds = bucket.wait_seconds(permits, now_seconds)
            if not wait_seconds:
                bucket.take(permits, now_seconds)
        if wait_seconds:
            message = f"more than {self._per_second} {self._what} a second"
            raise RefusedError(Reason.THROTTLED, message, math.ceil(wait_seconds))


def address_of(host: str) -> str:
    """Return what stands for a sender's address: itself, or the network that an IPv6 subscriber has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((host, _IPV6_PREFIX), strict=False))


def require_token(authorization: str, settings: GatewaySettings) -> None:
    """Raise RefusedError unless an Authorization header shows the token, where one is set."""
    if settings.token is None:
        return
    shown = authorization[len(_BEARER) :].strip() if authorization.lower().startswith(_BEARER) else ""
    if not hmac.compare_digest(shown.encode(), settings.token.encode()):
        raise RefusedError(Reason.UNAUTHENTICATED, "the header `Authorization` shows no valid `Bearer` token")
