"""The client of a request, and its authentication.

Addresses are kept in memory only, for rates and sessions. They are never logged and never sent.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass

from .error_response import Reason, RequestError
from .settings import GatewaySettings

MAX_CLIENTS = 10_000
"""Clients with a remembered rate and session. The one that is idle for longest is removed."""

_BEARER = "bearer "
_IPV6_PREFIX = 64
"""The IPv6 prefix of one subscriber: all its addresses are one client."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a request. `user_agent` and `country` are None unless the settings enable them."""

    address: str
    user_agent: str | None = None
    country: str | None = None


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
