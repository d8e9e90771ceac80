"""Errors of listening on an address."""

from __future__ import annotations

import errno


def why_not_listening(error: OSError, options: str) -> str:
    """Return why a server could not listen, with the fix; `options` are those that choose the port."""
    # Python adds the address in its own notation to the message of the operating system.
    cause, _, address = (error.strerror or str(error)).partition(" (while attempting to bind on address ")
    if address:
        host, port = address.strip("()").replace("'", "").split(", ")[:2]
        cause = f"cannot listen on port {port} of {host}: {cause}"
    if error.errno == errno.EADDRINUSE:
        return f"{cause}. To fix: stop the program that uses the port, or choose another port with {options}"
    return cause
