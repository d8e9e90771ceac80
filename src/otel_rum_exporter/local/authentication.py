"""Who may come in: signatures, resource policies with their aliases, and browsers under a foreign name."""

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
    """Judge senders. Without credentials every signature is as good as any other, and none is as good as one."""

    def __init__(self, credentials: Credentials | None, bound_host: str) -> None:
        self._credentials = credentials
        self._bound_host = bound_host

    def check_signature(self, request: Request, sent: bytes) -> None:
        """Raise Refused when the request is signed, and not as it should be."""
        if self._credentials is None or not is_signed(request):
            return
        try:
            verify(_sent_request(request, sent), self._credentials, time.time())
        except SignatureError as wrong:
            raise RequestError(403, wrong.message, wrong.error_type) from wrong

    def check_policy(self, request: Request, monitor: AppMonitor, alias: str | None) -> None:
        """Raise Refused when the request is not signed, and no resource policy of the app monitor lets it in."""
        if is_signed(request) or monitor.is_public or alias in monitor.aliases:
            return
        if monitor.aliases:
            told = "tells no Alias" if alias is None else f"tells the Alias {quote(alias)}"
            raise RequestError(403, f"the request is not signed and {told}, which no resource policy allows")
        if self._credentials is not None:
            raise RequestError(403, "Missing Authentication Token", "MissingAuthenticationTokenException")

    def check_reader(self, request: Request, sent: bytes) -> None:
        """Raise Refused when the request may not read what is here.

        A page on the web that rebinds its own name to this computer, to read what is here, still sends that name.
        """
        if not is_own_name(request.headers.get("host", ""), self._bound_host):
            raise RequestError(421, "this server is read under the names of this computer only, such as localhost")
        if self._credentials is not None and not is_signed(request):
            raise RequestError(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
        self.check_signature(request, sent)


def is_signed(request: Request) -> bool:
    """Tell whether a request claims to be signed."""
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
