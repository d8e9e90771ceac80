"""Raw sockets, for requests that no HTTP client sends."""

from __future__ import annotations

import socket
import time


def read_to_end(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes or resets the connection."""
    return read_to_reset(connection)[0]


def read_to_reset(connection: socket.socket) -> tuple[bytes, bool]:
    """Return the same, and whether the server reset the connection."""
    received = b""
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionError:
        return received, True
    return received, False


def send_slowly(connection: socket.socket, content: bytes) -> None:
    """Send one byte after another, with a pause after each."""
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)
