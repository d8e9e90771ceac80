"""PutRumEvents: its routes, and the steps from an HTTP request to stored records.

`body` reads the body, `authentication` checks the client, `validation` checks the content, `store` keeps the result.
Invalid input never gets a 5xx.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from .app_monitor import AppMonitor, AppMonitors
from .authentication import Authenticator, is_signed
from .body import decode, receive
from .fault import Fault, Faults
from .http_response import FaultyResponse, error_response, response
from .json_text import quote
from .quota import Quota
from .record import Batch, Decision, Exchange, RefusedRequest
from .response import Answer, RequestError
from .store import Store
from .validation import ValidRequest, Violation, validate

_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "x-amz-security-token"})
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Browsers send to RUM: pages of any origin may send and may read the answer.
_CORS = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["POST"],
    allow_headers=["*"],
    expose_headers=["x-amzn-RequestId", "x-amzn-ErrorType", "Retry-After"],
    max_age=7200,
)


@dataclass(frozen=True, slots=True)
class _RequestHead:
    path: str
    headers: dict[str, str]
    signed: bool
    received_at: float


@dataclass(slots=True)
class _Result:
    """The answer to a request and the parts of it that were read. `valid` is None for a refused request."""

    answer: Answer
    sent_bytes: int = 0
    document: Any = None
    valid: ValidRequest | None = None
    decisions: tuple[Decision, ...] = ()


class DataPlane:
    """Answers PutRumEvents requests and keeps their events in a store."""

    def __init__(
        self,
        store: Store,
        monitors: AppMonitors,
        authenticator: Authenticator,
        faults: Faults,
        quota: Quota,
        max_body_bytes: int,
    ) -> None:
        self._store = store
        self._monitors = monitors
        self._authenticator = authenticator
        self._faults = faults
        self._quota = quota
        self._max_body_bytes = max_body_bytes
        self.delay_seconds = 0.0

    @property
    def routes(self) -> list[Route]:
        """The path of the service model, with a final slash, and of AWS's web client, without one."""
        paths = ("/appmonitors/{app_monitor_id}", "/appmonitors/{app_monitor_id}/")
        return [Route(path, self.put_rum_events, methods=["POST", "OPTIONS"], middleware=[_CORS]) for path in paths]

    async def put_rum_events(self, request: Request) -> Response:
        """Validate a request and store the result, unless a fault replaces that."""
        if request.method != "POST":
            return await self.unknown_operation(request)
        head = _request_head(request)
        fault = self._faults.take() or Fault(latency_seconds=self.delay_seconds)
        if fault.cut == "before_reading":
            self._store.answered(_exchange(head, None, None))
            return FaultyResponse(Response(), fault)
        try:
            result = await self._check(request)
        except ClientDisconnect:
            return Response(status_code=400)
        answer = fault.answer or result.answer
        is_answered = fault.cut != "before_answer"
        self._store.answered(_exchange(head, answer.status if is_answered else None, result.document))
        self._keep(head, result, fault)
        return FaultyResponse(response(answer), fault) if fault.changes_delivery else response(answer)

    async def _check(self, request: Request) -> _Result:
        result = _Result(Answer())
        app_monitor_id = request.path_params["app_monitor_id"]
        try:
            sent = await receive(request, self._max_body_bytes)
            result.sent_bytes = len(sent)
            self._authenticator.check_signature(request, sent)
            self._check_quota()
            monitor = self._monitor(app_monitor_id)
            result.document = decode(sent, request.headers, self._max_body_bytes)
            valid = validate(app_monitor_id, result.document, monitor)
            self._authenticator.check_policy(request, monitor, valid.alias)
            result.valid = valid
        except RequestError as error:
            result.answer = error.answer
        except Violation as violation:
            result.answer = Answer(400, message=str(violation))
            result.decisions = violation.decisions
        return result

    def _check_quota(self) -> None:
        wait_seconds = self._quota.wait_seconds(time.monotonic())
        if wait_seconds is not None:
            raise RequestError(429, "Rate exceeded", retry_after=wait_seconds)

    def _monitor(self, app_monitor_id: str) -> AppMonitor:
        monitor = self._monitors.find(app_monitor_id)
        if monitor is None:
            raise RequestError(
                404,
                f"no app monitor has the id {quote(app_monitor_id)}. To fix: send to a configured app monitor, or "
                "configure this one",
            )
        return monitor

    def _keep(self, head: _RequestHead, result: _Result, fault: Fault) -> None:
        valid = result.valid
        if valid is None:
            if fault.validates_request:
                self._store.refuse(_refused_request(head, result.answer, result))
        elif fault.keeps_events:
            self._monitors.use(valid.app_monitor_id, valid.app_monitor.get("name"))
            batch = _batch(head, valid, result)
            self._store.accept(batch, valid.dropped, valid.removed)

    async def unknown_operation(self, request: Request, _: Exception | None = None) -> Response:
        """Answer a request that is not PutRumEvents; store it as refused unless its method only reads."""
        operation = f"{request.method} {request.scope['path']}"
        message = f"{operation} is not an operation of RUM's data plane. To fix: POST to /appmonitors/ID"
        answer = Answer(404, "UnknownOperationException", message)
        if request.method not in _READING_METHODS:
            head = _request_head(request)
            self._store.answered(_exchange(head, answer.status, None))
            self._store.refuse(_refused_request(head, answer))
        return error_response(answer)


def _request_head(request: Request) -> _RequestHead:
    return _RequestHead(
        path=request.scope["path"],  # request.url raises for an invalid Host header
        headers={name: value for name, value in request.headers.items() if name not in _CREDENTIAL_HEADERS},
        signed=is_signed(request),
        received_at=time.time(),
    )


def _exchange(head: _RequestHead, status: int | None, document: Any) -> Exchange:
    batch_id = document.get("BatchId") if isinstance(document, dict) else None
    return Exchange(
        path=head.path,
        headers=head.headers,
        signed=head.signed,
        status=status,
        batch_id=batch_id if isinstance(batch_id, str) else None,
        received_at=head.received_at,
    )


def _refused_request(head: _RequestHead, answer: Answer, result: _Result | None = None) -> RefusedRequest:
    return RefusedRequest(
        status=answer.status,
        error_type=answer.wire_error_type,
        message=answer.wire_message,
        path=head.path,
        received_at=head.received_at,
        raw=result.document if result else None,
        decisions=result.decisions if result else (),
    )


def _batch(head: _RequestHead, valid: ValidRequest, result: _Result) -> Batch:
    return Batch(
        app_monitor_id=valid.app_monitor_id,
        app_monitor=valid.app_monitor,
        batch_id=valid.batch_id,
        user_id=valid.user_id,
        session_id=valid.session_id,
        alias=valid.alias,
        session_metadata=valid.session_metadata,
        events=valid.events,
        received_at=head.received_at,
        headers=head.headers,
        signed=head.signed,
        body_bytes=result.sent_bytes,
        raw=result.document,
        decisions=valid.decisions,
    )
