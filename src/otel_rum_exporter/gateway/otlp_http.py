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
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..ledger import LedgerSnapshot
from ..otlp import Signal
from .body import ENCODINGS, Budget, decompressed, too_large
from .client import Client, address_of, authenticate
from .error_response import Reason, RequestError
from .metrics import CONTENT_TYPE, Counts, exposition
from .receiver import Receipt, Receiver
from .response import Encoding, accepted, error_status
from .settings import GatewaySettings

LOGGER = logging.getLogger("otel_rum_exporter")

BODY_SECONDS = 30.0
"""How long a client may take to send a body."""

WORKERS = 8
"""Concurrent requests: more than cores, because each waits for the disk if there is a spool."""

LARGE_BYTES = 1024 * 1024
"""Bodies of this size and more are processed one at a time: decoded, they take several times the memory."""

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
                    CORSMiddleware,
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
            receipt = await self._receipt(request, signal, encoding)
        except RequestError as error:
            return self._error(error, encoding)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            LOGGER.exception(
                "CloudWatch RUM: a request failed unexpectedly; the gateway continues. To fix: report this"
            )
            return self._error(RequestError(Reason.INTERNAL, "internal error"), encoding)
        self._counts.responded(_TRANSPORT, "200")
        return Response(accepted(signal, encoding, receipt.rejected, receipt.message), media_type=encoding.value)

    async def _receipt(self, request: Request, signal: Signal, encoding: Encoding) -> Receipt:
        authenticate(request.headers.get("authorization", ""), self._settings)
        client = self._client_of(request)
        self._receiver.admit(client)
        compression = request.headers.get("content-encoding", "identity").strip().lower()
        if compression not in ENCODINGS:
            raise RequestError(
                Reason.UNSUPPORTED, f"Content-Encoding is {compression:.40}, which is none of {ENCODINGS}"
            )
        with self._budget.hold() as take:
            body = await self._body(request, take)
            if compression != "identity":
                unpack = partial(decompressed, body, compression, self._settings.max_body_bytes, take)
                body = await anyio.to_thread.run_sync(unpack, limiter=self._workers)
            limiter = self._large if len(body) >= LARGE_BYTES else self._workers
            return await anyio.to_thread.run_sync(
                self._receiver.receive, signal, encoding, body, client, limiter=limiter
            )

    async def _body(self, request: Request, take: Callable[[int], None]) -> bytes:
        """Read a body, with or without a Content-Length."""
        max_bytes = self._settings.max_body_bytes
        length = request.headers.get("content-length", "")
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
                    take(len(part))
                    parts.append(part)
        except TimeoutError:
            raise RequestError(Reason.TOO_SLOW, f"the body took more than {BODY_SECONDS:.0f} seconds") from None
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
        try:
            encoding = _encoding(request)
        except RequestError:
            encoding = Encoding.JSON
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


def _encoding(request: Request) -> Encoding:
    """Return the encoding of a request; parameters of its media type are ignored."""
    media_type = request.headers.get("content-type", "")
    try:
        return Encoding(media_type.partition(";")[0].strip().lower())
    except ValueError:
        known = " nor ".join(encoding.value for encoding in Encoding)
        raise RequestError(Reason.UNSUPPORTED, f"Content-Type is {media_type[:80]!r}, neither {known}") from None


def _country(value: str) -> str | None:
    """Return an ISO 3166-1 code; None for any other value."""
    return value if _COUNTRY.fullmatch(value) else None
