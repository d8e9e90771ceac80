"""Authentication: request signatures, resource policies with aliases, and the Host header of readers."""

from __future__ import annotations

import time

from starlette.requests import Request

from . import sigv4
from .app_monitor import AppMonitor
from .host import is_own_name
from .json_text import quote
from .response import RequestError
from .sigv4 import Credentials, SentRequest, SignatureError, verify


class Authenticator:
    """Checks who may send and read. Without credentials, any signature passes, and so does no signature."""

    def __init__(self, credentials: Credentials | None, bound_host: str) -> None:
        self._credentials = credentials
        self._bound_host = bound_host

    def check_signature(self, request: Request, sent: bytes, service: str = "rum") -> None:
        """Raise RequestError when the request has a wrong signature."""
        if self._credentials is None or not is_signed(request):
            return
        try:
            verify(_sent_request(request, sent), self._credentials, time.time(), service)
        except SignatureError as error:
            raise RequestError(403, error.message, error.error_type) from error

    def check_policy(self, request: Request, monitor: AppMonitor, alias: str | None) -> None:
        """Raise RequestError when the request is unsigned and no resource policy of the app monitor allows it."""
        if is_signed(request) or monitor.is_public or alias in monitor.aliases:
            return
        if monitor.aliases:
            found = "no Alias" if alias is None else f"the Alias {quote(alias)}"
            raise RequestError(
                403,
                f"the request is not signed and has {found}, which no resource policy allows. To fix: sign it, or "
                "set an Alias that the app monitor allows",
            )
        if self._credentials is not None:
            raise RequestError(403, "Missing Authentication Token", "MissingAuthenticationTokenException")

    def check_reader(self, request: Request, sent: bytes, service: str = "rum") -> None:
        """Raise RequestError when the request may not read the received data.

        A web page can rebind its DNS name to this computer to read local data, but it still sends its own name.
        """
        if not is_own_name(request.headers.get("host", ""), self._bound_host):
            raise RequestError(421, "use a name of this computer to read, such as localhost")
        if self._credentials is not None and not is_signed(request):
            raise RequestError(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
        self.check_signature(request, sent, service)


def is_signed(request: Request) -> bool:
    """Return whether a request has a signature, valid or not."""
    return sigv4.is_signed(request.headers.get("authorization", ""), _query(request))


def _sent_request(request: Request, sent: bytes) -> SentRequest:
    return SentRequest(
        method=request.method,
        raw_path=request.scope["raw_path"].decode("latin-1"),
        query=_query(request),
        headers=request.headers.items(),
        body=sent,
    )


def _query(request: Request) -> str:
    return str(request.scope["query_string"], "latin-1")
