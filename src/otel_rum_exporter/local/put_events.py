"""PutRumEvents: routes, and from an HTTP request to what is kept of it.

Bodies are read in `body`, senders judged in `gate`, contents in `contract`; what comes of it is kept in `store`. Bad
input never gets a 5xx.
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
from .authentication import Gate, is_signed
from .body import decode, receive
from .fault import Fault, Faults
from .http_response import SpoiledResponse, error_response, response
from .json_text import quote
from .quota import Quota
from .record import Batch, Exchange, Refusal, Verdict
from .response import Answer, Refused
from .store import Store
from .validation import Admitted, Violation, admit

_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "x-amz-security-token"})
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# RUM is for browsers: pages of every origin may send, and read how they were answered.
_CORS = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["POST"],
    allow_headers=["*"],
    expose_headers=["x-amzn-RequestId", "x-amzn-ErrorType", "Retry-After"],
    max_age=7200,
)


@dataclass(frozen=True, slots=True)
class _Arrival:
    path: str
    headers: dict[str, str]
    signed: bool
    received_at: float


@dataclass(slots=True)
class _Judgement:
    """What a request deserves, and how far it was read: `admitted` is None when it was refused."""

    answer: Answer
    sent_bytes: int = 0
    document: Any = None
    admitted: Admitted | None = None
    verdicts: tuple[Verdict, ...] = ()


class DataPlane:
    """Answer PutRumEvents requests and keep what they carried in a store."""

    def __init__(
        self, store: Store, monitors: AppMonitors, gate: Gate, faults: Faults, quota: Quota, max_body_bytes: int
    ) -> None:
        self._store = store
        self._monitors = monitors
        self._gate = gate
        self._faults = faults
        self._quota = quota
        self._max_body_bytes = max_body_bytes
        self.delay_seconds = 0.0

    @property
    def routes(self) -> list[Route]:
        """The path of the service model, which ends in a slash, and the one of AWS's web client, which does not."""
        paths = ("/appmonitors/{app_monitor_id}", "/appmonitors/{app_monitor_id}/")
        return [Route(path, self.put_rum_events, methods=["POST", "OPTIONS"], middleware=[_CORS]) for path in paths]

    async def put_rum_events(self, request: Request) -> Response:
        """Judge a request and keep it or refuse it, unless a fault strikes it."""
        if request.method != "POST":
            return await self.unknown_operation(request)
        arrival = _arrival(request)
        fault = self._faults.take() or Fault(latency_seconds=self.delay_seconds)
        if fault.cut == "before_reading":
            self._store.answered(_exchange(arrival, None, None))
            return SpoiledResponse(Response(), fault)
        try:
            judgement = await self._judge(request)
        except ClientDisconnect:
            return Response(status_code=400)
        answer = fault.answer or judgement.answer
        is_answered = fault.cut != "before_answer"
        self._store.answered(_exchange(arrival, answer.status if is_answered else None, judgement.document))
        self._keep(arrival, judgement, fault)
        return SpoiledResponse(response(answer), fault) if fault.is_spoiling else response(answer)

    async def _judge(self, request: Request) -> _Judgement:
        judgement = _Judgement(Answer())
        app_monitor_id = request.path_params["app_monitor_id"]
        try:
            sent = await receive(request, self._max_body_bytes)
            judgement.sent_bytes = len(sent)
            self._gate.check_signature(request, sent)
            self._spend()
            monitor = self._monitor(app_monitor_id)
            judgement.document = decode(sent, request.headers, self._max_body_bytes)
            admitted = admit(app_monitor_id, judgement.document, monitor)
            self._gate.check_policy(request, monitor, admitted.alias)
            judgement.admitted = admitted
        except Refused as refused:
            judgement.answer = refused.answer
        except Violation as violation:
            judgement.answer = Answer(400, message=str(violation))
            judgement.verdicts = violation.verdicts
        return judgement

    def _spend(self) -> None:
        wait_seconds = self._quota.wait_seconds(time.monotonic())
        if wait_seconds is not None:
            raise Refused(429, "Rate exceeded", retry_after=wait_seconds)

    def _monitor(self, app_monitor_id: str) -> AppMonitor:
        monitor = self._monitors.find(app_monitor_id)
        if monitor is None:
            raise Refused(404, f"there is no app monitor of the id {quote(app_monitor_id)}")
        return monitor

    def _keep(self, arrival: _Arrival, judgement: _Judgement, fault: Fault) -> None:
        admitted = judgement.admitted
        if admitted is None:
            if fault.is_judging:
                self._store.refuse(_refusal(arrival, judgement.answer, judgement))
        elif fault.takes:
            self._monitors.use(admitted.app_monitor_id, admitted.app_monitor.get("name"))
            batch = _batch(arrival, admitted, judgement)
            self._store.accept(batch, admitted.dropped, admitted.removed)

    async def unknown_operation(self, request: Request, _: Exception | None = None) -> Response:
        """Answer what is no PutRumEvents request; one that carries something is kept as refused."""
        message = f"{request.method} {request.scope['path']} is not an operation of RUM's data plane"
        answer = Answer(404, "UnknownOperationException", message)
        if request.method not in _READING_METHODS:
            arrival = _arrival(request)
            self._store.answered(_exchange(arrival, answer.status, None))
            self._store.refuse(_refusal(arrival, answer))
        return error_response(answer)


def _arrival(request: Request) -> _Arrival:
    return _Arrival(
        path=request.scope["path"],  # of any Host, where the web framework's URL wants one that makes sense
        headers={name: value for name, value in request.headers.items() if name not in _CREDENTIAL_HEADERS},
        signed=is_signed(request),
        received_at=time.time(),
    )


def _exchange(arrival: _Arrival, status: int | None, document: Any) -> Exchange:
    batch_id = document.get("BatchId") if isinstance(document, dict) else None
    return Exchange(
        path=arrival.path,
        headers=arrival.headers,
        signed=arrival.signed,
        status=status,
        batch_id=batch_id if isinstance(batch_id, str) else None,
        received_at=arrival.received_at,
    )


def _refusal(arrival: _Arrival, answer: Answer, judgement: _Judgement | None = None) -> Refusal:
    return Refusal(
        status=answer.status,
        error_type=answer.wire_error_type,
        message=answer.wire_message,
        path=arrival.path,
        received_at=arrival.received_at,
        raw=judgement.document if judgement else None,
        verdicts=judgement.verdicts if judgement else (),
    )


def _batch(arrival: _Arrival, admitted: Admitted, judgement: _Judgement) -> Batch:
    return Batch(
        app_monitor_id=admitted.app_monitor_id,
        app_monitor=admitted.app_monitor,
        batch_id=admitted.batch_id,
        user_id=admitted.user_id,
        session_id=admitted.session_id,
        alias=admitted.alias,
        session_metadata=admitted.session_metadata,
        events=admitted.events,
        received_at=arrival.received_at,
        headers=arrival.headers,
        signed=arrival.signed,
        body_bytes=judgement.sent_bytes,
        raw=judgement.document,
        verdicts=admitted.verdicts,
    )
