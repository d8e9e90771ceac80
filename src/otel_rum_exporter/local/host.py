"""Host names of this computer: the loopback names, and the names that may be used to read data."""

from __future__ import annotations

import ipaddress
import re

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - only compared, never bound

_PORT = re.compile(r":\d*$")


def is_loopback(name: str) -> bool:
    """Return whether a name or address is loopback, including all names below `.localhost` (RFC 6761)."""
    address = _address(name)
    if address is None:
        return name.lower() == "localhost" or name.lower().endswith(".localhost")
    return address.is_loopback


def is_own_name(host_header: str, bound_host: str) -> bool:
    """Return whether a Host header, with any port, names this computer.

    A web page can rebind its DNS name to this computer to read local data, but it still sends its own name.
    """
    if host_header.startswith("[") or host_header.count(":") <= 1:
        host_header = _PORT.sub("", host_header)
    name = host_header.strip("[]")
    # A server bound to all addresses accepts any address as a name: DNS can rebind a name but not an address.
    any_address = bound_host in ANY_ADDRESS and _address(name) is not None
    return is_loopback(name) or any_address or name.lower() == bound_host.lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
