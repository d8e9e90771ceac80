"""Raw sockets, for requests that no HTTP client sends."""

from __future__ import annotations

import socket
import time


def read_to_end(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes or resets the connection."""
    received = b""
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionError:
        pass
    return received


def send_slowly(connection: socket.socket, content: bytes) -> None:
    """Send one byte after another, with a pause after each."""
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)
