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
from .client import Sender, address_of, require_token
from .error_response import Reason, RefusedError
from .metrics import CONTENT_TYPE, Counts, exposition
from .receiver import Receipt, Receiver
from .response import Encoding, accepted, refused
from .settings import GatewaySettings

LOGGER = logging.getLogger("otel_rum_exporter")

BODY_SECONDS = 30.0
"""How long a body may take to arrive."""

WORKERS = 8
"""Requests worked on at a time: more than cores, since each waits for the disk where there is a spool."""

LARGE_BYTES = 1024 * 1024
"""Bodies from this size on are worked on one at a time: what is made of them takes several times the memory."""

_TRANSPORT = "http"
_MAX_HEADER_CHARS = 512
_COUNTRY = re.compile(r"[A-Z]{2}")


class HttpDoor:
    """The routes, and what they share."""

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
        """Return the application; `close` is called when its server ends."""

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
                    # Pages send by `navigator.sendBeacon`, which always asks for it; no cookie is read here.
                    allow_credentials=True,
                    expose_headers=["Retry-After"],
                    max_age=86_400,
                )
            ],
            exception_handlers={404: self._not_served, 405: self._not_served},
            lifespan=lifespan,
        )
        application.router.redirect_slashes = False
        return application

    async def _export(self, request: Request, *, signal: Signal) -> Response:
        encoding = Encoding.JSON
        try:
            encoding = _encoding(request)
            receipt = await self._receipt(request, signal, encoding)
        except RefusedError as error:
            return self._refused(error, encoding)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            LOGGER.exception("CloudWatch RUM: please report this; the gateway goes on")
            return self._refused(RefusedError(Reason.INTERNAL, "internal error"), encoding)
        self._counts.answered(_TRANSPORT, "200")
        return Response(accepted(signal, encoding, receipt.rejected, receipt.message), media_type=encoding.value)

    async def _receipt(self, request: Request, signal: Signal, encoding: Encoding) -> Receipt:
        require_token(request.headers.get("authorization", ""), self._settings)
        sender = self._sender(request)
        self._receiver.admit(sender)
        compression = request.headers.get("content-encoding", "identity").strip().lower()
        if compression not in ENCODINGS:
            raise RefusedError(Reason.UNSUPPORTED, f"Content-Encoding is {compression:.40}, none of {ENCODINGS}")
        with self._budget.hold() as take:
            body = await self._body(request, take)
            if compression != "identity":
                unpack = partial(decompressed, body, compression, self._settings.max_body_bytes, take)
                body = await anyio.to_thread.run_sync(unpack, limiter=self._workers)
            limiter = self._large if len(body) >= LARGE_BYTES else self._workers
            return await anyio.to_thread.run_sync(
                self._receiver.receive, signal, encoding, body, sender, limiter=limiter
            )

    async def _body(self, request: Request, take: Callable[[int], None]) -> bytes:
        """Read a body as it comes, with a Content-Length or without."""
        max_bytes = self._settings.max_body_bytes
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > max_bytes:
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
            raise RefusedError(Reason.TOO_SLOW, f"the body took more than {BODY_SECONDS:.0f} seconds") from None
        return b"".join(parts)

    def _sender(self, request: Request) -> Sender:
        settings, headers = self._settings, request.headers
        return Sender(
            address_of(request.client.host) if request.client else "",
            headers.get("user-agent", "")[:_MAX_HEADER_CHARS] if settings.keep_user_agent else None,
            _country(headers.get(settings.country_header, "")) if settings.country_header else None,
        )

    def _refused(self, error: RefusedError, encoding: Encoding) -> Response:
        status = error.reason.value.http_status
        self._counts.answered(_TRANSPORT, str(status))
        headers = {}
        if error.retry_after_seconds is not None:
            headers["Retry-After"] = str(error.retry_after_seconds)
        if error.reason is Reason.UNAUTHENTICATED:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(refused(error, encoding), status, headers, media_type=encoding.value)

    async def _not_served(self, request: Request, error: Exception) -> Response:
        """Answer what no route does: another path, another method."""
        is_path = isinstance(error, HTTPException) and error.status_code == 404
        reason, message = (
            (Reason.UNKNOWN_PATH, f"there are {' and '.join(f'/v1/{signal.value}' for signal in Signal)} only")
            if is_path
            else (Reason.WRONG_METHOD, "telemetry is sent by POST")
        )
        try:
            encoding = _encoding(request)
        except RefusedError:
            encoding = Encoding.JSON
        response = self._refused(RefusedError(reason, message), encoding)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    async def _healthy(self, _: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def _ready(self, _: Request) -> Response:
        is_ready = await anyio.to_thread.run_sync(lambda: self._receiver.is_ready)
        return Response("ready\n" if is_ready else "not ready\n", 200 if is_ready else 503, media_type="text/plain")

    async def _metrics(self, request: Request) -> Response:
        try:
            require_token(request.headers.get("authorization", ""), self._settings)
        except RefusedError as error:
            return self._refused(error, Encoding.JSON)
        return Response(exposition(self._counts, self._ledger(), self._budget.held_bytes), media_type=CONTENT_TYPE)


def _encoding(request: Request) -> Encoding:
    """Return the encoding of a request; parameters of its media type mean nothing."""
    told = request.headers.get("content-type", "")
    try:
        return Encoding(told.partition(";")[0].strip().lower())
    except ValueError:
        known = " nor ".join(encoding.value for encoding in Encoding)
        raise RefusedError(Reason.UNSUPPORTED, f"Content-Type is {told[:80]!r}, neither {known}") from None


def _country(told: str) -> str | None:
    """Return an ISO 3166-1 code; whatever else a header holds is not passed on."""
    return told if _COUNTRY.fullmatch(told) else None
