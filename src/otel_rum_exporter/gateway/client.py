"""The client of a request, its authentication, and rate limits per client address.

Addresses are kept in memory only, for rates and sessions. They are never logged and never sent.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

from .error_response import Reason, RequestError
from .settings import GatewaySettings

MAX_CLIENTS = 10_000
"""Addresses with a rate; the one idle for longest is removed."""

_BEARER = "bearer "
_IPV6_PREFIX = 64
"""The IPv6 prefix of one subscriber: all its addresses are one client."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a request. `user_agent` and `country` are None unless the settings enable them."""

    address: str
    user_agent: str | None = None
    country: str | None = None


class Bucket:
    """Permits that come back at a rate, a second's worth of them at most. Not thread-safe."""

    __slots__ = ("_at_seconds", "_per_second", "_permits")

    def __init__(self, per_second: int, now_seconds: float) -> None:
        self._per_second = per_second
        self._permits = float(per_second)
        self._at_seconds = now_seconds

    def take(self, permits: int, now_seconds: float) -> float:
        """Take permits, and return 0; where there are too few, take none and return how long until there are enough.

        More than the bucket holds are taken when it is full: the next to come waits for them.
        """
        elapsed = max(0.0, now_seconds - self._at_seconds)
        self._permits = min(self._per_second, self._permits + elapsed * self._per_second)
        self._at_seconds = now_seconds
        missing = min(permits, self._per_second) - self._permits
        if missing > 0:
            return missing / self._per_second
        self._permits -= permits
        return 0.0


class ClientRates:
    """A rate limit per name, for example per address; 0 means no limit. Thread-safe."""

    def __init__(self, per_second: int, what: str) -> None:
        self._per_second = per_second
        self._what = what
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, permits: int, now_seconds: float) -> None:
        """Take permits of a name.

        Raises:
            RequestError: if it has too few left.
        """
        if not self._per_second:
            return
        with self._lock:
            bucket = self._buckets.get(name)
            if bucket is None:
                bucket = self._buckets[name] = Bucket(self._per_second, now_seconds)
                if len(self._buckets) > MAX_CLIENTS:
                    self._buckets.popitem(last=False)
            self._buckets.move_to_end(name)
            wait_seconds = bucket.take(permits, now_seconds)
        if wait_seconds:
            message = f"more than {self._per_second} {self._what} a second"
            raise RequestError(Reason.THROTTLED, message, math.ceil(wait_seconds))


def address_of(host: str) -> str:
    """Return the key of a client's address: itself, or the network of an IPv6 subscriber."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((host, _IPV6_PREFIX), strict=False))


def authenticate(authorization: str, settings: GatewaySettings) -> None:
    """Raise RequestError if a token is set and the Authorization header does not contain it."""
    if settings.token is None:
        return
    given = authorization[len(_BEARER) :].strip() if authorization.lower().startswith(_BEARER) else ""
    if not hmac.compare_digest(given.encode(), settings.token.encode()):
        raise RequestError(Reason.UNAUTHENTICATED, "the Authorization header has no valid Bearer token")
