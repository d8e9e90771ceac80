"""OTLP over HTTP: an ASGI application.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..ledger import LedgerSnapshot
from ..otlp import Signal
from .body import ENCODINGS, Budget, too_large
from .client import Client, address_of, authenticate
from .error_response import UNEXPECTED_ERROR, Reason, RequestError
from .metrics import CONTENT_TYPE, Counts, exposition
from .receiver import LARGE_BYTES, PartialSuccess, Receiver
from .response import Encoding, error_status, export_response
from .settings import GatewaySettings
from .threads import in_thread

LOGGER = logging.getLogger("otel_rum_exporter")

BODY_SECONDS = 30.0
"""The time for a client to send a body."""

WORKERS = 8
"""Concurrent requests: more than cores, because each waits for the disk if there is a spool."""

LOST_BODY = (
    "the server lost the body of a request with Upgrade. To fix: do not offer an upgrade, or run otel-rum gateway"
)
"""The error of uvicorn and other servers, see `connection.Parser`. Without it, the request would be acknowledged."""

_TRANSPORT = "http"
_MAX_HEADER_CHARS = 512
_COUNTRY = re.compile(r"[A-Z]{2}")


class HttpReceiver:
    """The HTTP routes."""

    def __init__(
        self,
        receiver: Receiver,
        settings: GatewaySettings,
        counts: Counts,
        budget: Budget,
        ledger: Callable[[], LedgerSnapshot],
    ) -> None:
        self._receiver = receiver
        self._settings = settings
        self._counts = counts
        self._budget = budget
        self._ledger = ledger
        self._workers = anyio.CapacityLimiter(WORKERS)
        self._large = anyio.CapacityLimiter(1)

    def application(self, close: Callable[[], None]) -> Starlette:
        """Return the application; `close` is called when the server stops."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await anyio.to_thread.run_sync(close)

        exports = [
            Route(f"/v1/{signal.value}", partial(self._export, signal=signal), methods=["POST"]) for signal in Signal
        ]
        application = Starlette(
            routes=[
                *exports,
                Route("/healthz", self._healthy, methods=["GET"]),
                Route("/readyz", self._ready, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
            ],
            middleware=[
                Middleware(
                    _Cors,
                    allow_origins=self._settings.allowed_origins,
                    allow_methods=["POST"],
                    allow_headers=["*"],
                    # `navigator.sendBeacon` always sends credentials; no cookie is read here.
                    allow_credentials=True,
                    expose_headers=["Retry-After"],
                    max_age=86_400,
                )
            ],
            exception_handlers={404: self._unknown_route, 405: self._unknown_route},
            lifespan=lifespan,
        )
        application.router.redirect_slashes = False
        return application

    async def _export(self, request: Request, *, signal: Signal) -> Response:
        encoding = Encoding.JSON
        try:
            encoding = _encoding(request)
            result = await self._receive(request, signal, encoding)
        except RequestError as error:
            return self._error(error, encoding)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            LOGGER.exception(UNEXPECTED_ERROR)
            return self._error(RequestError(Reason.INTERNAL, "internal error"), encoding)
        self._counts.responded(_TRANSPORT, "200")
        return Response(export_response(signal, encoding, result.rejected, result.message), media_type=encoding.value)

    async def _receive(self, request: Request, signal: Signal, encoding: Encoding) -> PartialSuccess:
        authenticate(request.headers.get("authorization", ""), self._settings)
        client = self._client_of(request)
        self._receiver.admit(client)
        compression = request.headers.get("content-encoding", "identity").strip().lower()
        if compression not in ENCODINGS:
            raise RequestError(
                Reason.UNSUPPORTED, f"Content-Encoding is {compression:.40}, which is none of {ENCODINGS}"
            )
        with self._budget.reservation(client.address) as reserve:
            body = await self._body(request, reserve)
            body = await in_thread(self._workers, self._receiver.unpack, body, compression, client, reserve)
            limiter = self._large if len(body) >= LARGE_BYTES else self._workers
            return await in_thread(limiter, self._receiver.receive, signal, encoding, body, client)

    async def _body(self, request: Request, reserve: Callable[[int], None]) -> bytes:
        """Read a body, with or without a Content-Length."""
        max_bytes = self._settings.max_body_bytes
        length = request.headers.get("content-length", "").strip()
        if length.isdecimal() and int(length) > max_bytes:
            raise too_large(max_bytes)
        parts: list[bytes] = []
        size = 0
        try:
            with anyio.fail_after(BODY_SECONDS):
                async for part in request.stream():
                    size += len(part)
                    if size > max_bytes:
                        raise too_large(max_bytes)
                    reserve(len(part))
                    parts.append(part)
        except TimeoutError:
            raise RequestError(Reason.TOO_SLOW, f"the body took more than {BODY_SECONDS:.0f} seconds") from None
        if not size and length != "0" and _offers_upgrade(request):
            raise RequestError(Reason.UNDECODABLE, LOST_BODY)
        return b"".join(parts)

    def _client_of(self, request: Request) -> Client:
        settings, headers = self._settings, request.headers
        return Client(
            address_of(request.client.host) if request.client else "",
            headers.get("user-agent", "")[:_MAX_HEADER_CHARS] if settings.keep_user_agent else None,
            _country(headers.get(settings.country_header, "")) if settings.country_header else None,
        )

    def _error(self, error: RequestError, encoding: Encoding) -> Response:
        status = error.reason.value.http_status
        self._counts.responded(_TRANSPORT, str(status))
        headers = {}
        if error.retry_after_seconds is not None:
            headers["Retry-After"] = str(error.retry_after_seconds)
        if error.reason is Reason.UNAUTHENTICATED:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(error_status(error, encoding), status, headers, media_type=encoding.value)

    async def _unknown_route(self, request: Request, error: Exception) -> Response:
        """Respond to an unknown path or method."""
        is_path = isinstance(error, HTTPException) and error.status_code == 404
        reason, message = (
            (Reason.UNKNOWN_PATH, f"the paths are {' and '.join(f'/v1/{signal.value}' for signal in Signal)}")
            if is_path
            else (Reason.WRONG_METHOD, "send telemetry with POST")
        )
        encoding = Encoding.of(request.headers.get("content-type", "")) or Encoding.JSON
        response = self._error(RequestError(reason, message), encoding)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    async def _healthy(self, _: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def _ready(self, _: Request) -> Response:
        is_ready = await anyio.to_thread.run_sync(lambda: self._receiver.is_ready)
        return Response("ready\n" if is_ready else "not ready\n", 200 if is_ready else 503, media_type="text/plain")

    async def _metrics(self, request: Request) -> Response:
        try:
            authenticate(request.headers.get("authorization", ""), self._settings)
        except RequestError as error:
            return self._error(error, Encoding.JSON)
        return Response(exposition(self._counts, self._ledger(), self._budget.reserved_bytes), media_type=CONTENT_TYPE)


class _Cors(CORSMiddleware):
    """CORS whose refusals are error responses like all others."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        message = bytes(response.body).decode()
        status = error_status(RequestError(Reason.DISALLOWED, message), Encoding.JSON)
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return Response(status, Reason.DISALLOWED.value.http_status, headers, media_type=Encoding.JSON.value)


def _encoding(request: Request) -> Encoding:
    """Return the encoding of a request.

    Raises:
        RequestError: if it is unknown.
    """
    media_type = request.headers.get("content-type", "")
    encoding = Encoding.of(media_type)
    if encoding is None:
        known = " nor ".join(encoding.value for encoding in Encoding)
        raise RequestError(Reason.UNSUPPORTED, f"Content-Type is {media_type[:80]!r}, neither {known}")
    return encoding


def _offers_upgrade(request: Request) -> bool:
    tokens = request.headers.get("connection", "").lower().split(",")
    return "upgrade" in request.headers and "upgrade" in map(str.strip, tokens)


def _country(value: str) -> str | None:
    """Return an ISO 3166-1 code; None for any other value."""
    return value if _COUNTRY.fullmatch(value) else None
