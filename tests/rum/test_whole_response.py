"""A head that is read in one step is read as http.client reads it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.httpsession import URLLib3Session

from otel_rum_exporter.rum.whole_response import limit_responses

RUM = b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 7c0e\r\nContent-Type: application/json\r\nDate:  Sun, 29 Nov 2026 \r\n"
READ = ("version", "code", "status", "reason", "length", "chunked", "will_close", "closed")


def read(response_class: type[http.client.HTTPResponse], raw: bytes) -> Mapping[str, Any]:
    """Return what a class reads of a response."""
    server, client = socket.socketpair()
    with server, client:
        server.sendall(raw)
        server.shutdown(socket.SHUT_WR)
        response = response_class(client, method="POST")
        response.begin()
        found: dict[str, Any] = {name: getattr(response, name) for name in READ}
        found["headers"] = response.getheaders()
        found["message"] = response.msg.items()
        found["body"] = response.read()
        response.close()
    return found


@pytest.mark.parametrize(
    "raw",
    [
        RUM + b"Content-Length: 0\r\n\r\n",
        RUM + b"Content-Length: 2\r\n\r\n{}",
        RUM + b"content-length:2\r\n\r\n{}\n",
        RUM + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        RUM + b"Content-Length: 2 \r\n\r\n{}",
        RUM + b"Content-Length: -2\r\n\r\n{}",
        RUM + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        RUM + b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\n{}",
        RUM + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        RUM + b"Content-Length: 2\r\nX-Folded: a\r\n b\r\n\r\n{}",
        RUM + b"Content-Length: 2\r\nX-Name: \xe4\r\n\r\n{}",
        RUM + b"Content-Length: 2\r\nX-Empty:\r\n\r\n{}",
        RUM + b"Content-Length: 2\n\n{}",
        RUM + b"\r\n{}",
        RUM.replace(b"1.1", b"1.0") + b"Content-Length: 0\r\n\r\n",
        RUM.replace(b" OK", b"") + b"Content-Length: 0\r\n\r\n",
        RUM.replace(b" OK", b" ") + b"Content-Length: 0\r\n\r\n",
        RUM.replace(b"200 OK", b"204 No Content") + b"Content-Length: 2\r\n\r\n",
        RUM.replace(b"200 OK", b"429 Too Many Requests") + b"Content-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" + RUM + b"Content-Length: 2\r\n\r\n{}",
    ],
)
def test_a_head_is_read_as_http_client_reads_it(raw: bytes) -> None:
    """Most heads of RUM's successes are read in one step."""
    session = URLLib3Session()
    limit_responses(session, 10.0)
    response_class = session._manager.connection_from_url("http://rum.example").ConnectionCls.response_class
    assert read(response_class, raw) == read(http.client.HTTPResponse, raw)
