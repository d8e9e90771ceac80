"""Errors of listening on an address."""

from __future__ import annotations

import errno
import socket

_HOST_ERRORS = frozenset({errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN})


def why_not_listening(error: OSError, options: str) -> str:
    """Return why a server could not listen, with the fix; `options` are those that choose the port."""
    # Python adds the address in its own notation to the message of the operating system.
    cause, _, address = (error.strerror or str(error)).partition(" (while attempting to bind on address ")
    if error.strerror:
        cause = f"cannot listen: {cause}"
    if address:
        host, port = address.strip("()").replace("'", "").split(", ")[:2]
        cause = cause.replace("cannot listen", f"cannot listen on port {port} of {host}", 1)
    if error.errno in _HOST_ERRORS:
        return f"{cause}. To fix: choose an address of this computer with --host"
    if error.errno == errno.EACCES:
        return f"{cause}. To fix: choose a port above 1023 with {options}"
    if error.errno == errno.EADDRINUSE:
        return f"{cause}. To fix: stop the program that uses the port, or choose another port with {options}"
    return cause
