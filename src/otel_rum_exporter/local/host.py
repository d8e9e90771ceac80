"""Names of this computer: which ones are loopback, and which ones a browser may ask the page under."""

from __future__ import annotations

import ipaddress
import re

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to

_PORT = re.compile(r":\d*$")


def is_loopback(name: str) -> bool:
    """Tell whether a name or address reaches this computer only; all of `.localhost` does, see RFC 6761."""
    address = _address(name)
    if address is None:
        return name.lower() == "localhost" or name.lower().endswith(".localhost")
    return address.is_loopback


def is_own_name(host_header: str, bound_host: str) -> bool:
    """Tell whether a Host header, with any port, names this computer.

    A page on the web that rebinds its own name to this computer, to read what is here, still sends that name.
    """
    if host_header.startswith("[") or host_header.count(":") <= 1:
        host_header = _PORT.sub("", host_header)
    name = host_header.strip("[]")
    # Bound to every address, it may be asked under any of them: a name can be rebound, an address cannot.
    any_address = bound_host in ANY_ADDRESS and _address(name) is not None
    return is_loopback(name) or any_address or name.lower() == bound_host.lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
