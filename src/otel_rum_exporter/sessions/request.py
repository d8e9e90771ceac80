"""A request as the session middleware reads it, the same for ASGI and WSGI."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request. `header` returns a header by its lower-case name, "" if it is absent.

    `source` is the ASGI scope or WSGI environ.
    """

    source: Mapping[str, Any]
    header: Callable[[str], str]
    path: str
    scheme: str

    @property
    def is_https(self) -> bool:
        """Whether the client uses https, perhaps up to a proxy."""
        return (_first(self.header("x-forwarded-proto")) or self.scheme).lower() in {"https", "wss"}

    @property
    def host(self) -> str:
        """The host name that the client asked for, without port; "" if it is unknown or no host name."""
        name = (_first(self.header("x-forwarded-host")) or self.header("host")).partition(":")[0].lower()
        return name if name.isascii() and name.replace("-", "").replace(".", "").isalnum() else ""

    @classmethod
    def of_scope(cls, scope: Mapping[str, Any]) -> Request:
        """Return the request of an ASGI scope."""

        def header(name: str) -> str:
            values = [value for key, value in scope["headers"] if key.decode("latin-1").lower() == name]
            return (b"; " if name == "cookie" else b", ").join(values).decode("latin-1")

        return cls(scope, header, scope.get("path", ""), scope.get("scheme", "http"))

    @classmethod
    def of_environ(cls, environ: Mapping[str, Any]) -> Request:
        """Return the request of a WSGI environ."""

        def header(name: str) -> str:
            return str(environ.get("HTTP_" + name.replace("-", "_").upper(), ""))

        path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
        return cls(environ, header, path, str(environ.get("wsgi.url_scheme", "http")))


def _first(value: str) -> str:
    """Return the first of several values: the one of the proxy nearest to the client."""
    return value.partition(",")[0].strip()
