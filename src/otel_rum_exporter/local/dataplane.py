"""The HTTP side of PutRumEvents: routes, headers, answers.

Bodies are read in `body`, judged in `contract` and kept in `store`. Bad input never gets a 5xx.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from .answer import Answer
from .body import Body, Refused, read
from .contract import Admitted, Violation, admit
from .fault import Fault, Faults
from .quota import Quota
from .record import Batch, Exchange, Refusal
from .store import Store
from .wire import SpoiledResponse

_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "x-amz-security-token"})
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class _Arrival:
    path: str
    headers: dict[str, str]
    signed: bool
    received_at: float


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a request deserves: `admitted` is None when it was refused, `body` when it could not be read."""

    answer: Answer
    body: Body | None
    admitted: Admitted | None


class DataPlane:
    """Answer PutRumEvents requests and keep what they carried in a store."""

    def __init__(self, store: Store, faults: Faults, quota: Quota, max_body_bytes: int) -> None:
        self._store = store
        self._faults = faults
        self._quota = quota
        self._max_body_bytes = max_body_bytes
        self.delay_seconds = 0.0

    @property
    def routes(self) -> list[Route]:
        """The path of the service model, which ends in a slash, and the one of AWS's web client, which does not."""
        paths = ("/appmonitors/{app_monitor_id}", "/appmonitors/{app_monitor_id}/")
        return [Route(path, self.put_rum_events, methods=["POST"]) for path in paths]

    async def put_rum_events(self, request: Request) -> Response:
        """Judge a request and keep it or refuse it, unless a fault strikes it."""
        arrival = _arrival(request)
        fault = self._faults.take() or Fault(latency_seconds=self.delay_seconds)
        if fault.cut == "before_reading":
            self._store.answered(_exchange(arrival, None, None, fault))
            return SpoiledResponse(Response(), fault)
        try:
            verdict = await self._judge(request)
        except ClientDisconnect:
            return Response(status_code=400)
        answer = fault.answer or verdict.answer
        self._store.answered(_exchange(arrival, answer, verdict.body, fault))
        self._keep(arrival, verdict, fault)
        response = _response(answer)
        return SpoiledResponse(response, fault) if fault.is_spoiling else response

    async def _judge(self, request: Request) -> _Verdict:
        body = admitted = None
        try:
            body = await read(request, self._max_body_bytes)
            self._spend()
            admitted = _admit(request.path_params["app_monitor_id"], body)
        except Refused as refused:
            return _Verdict(refused.answer, body, None)
        return _Verdict(Answer(), body, admitted)

    def _spend(self) -> None:
        wait_seconds = self._quota.wait_seconds(time.monotonic())
        if wait_seconds is not None:
            raise Refused(429, "Rate exceeded", retry_after=wait_seconds)

    def _keep(self, arrival: _Arrival, verdict: _Verdict, fault: Fault) -> None:
        if verdict.admitted is None or verdict.body is None:
            if fault.is_judging:
                self._store.refuse(_refusal(arrival, verdict.answer))
        elif fault.takes:
            batch = _batch(arrival, verdict.admitted, verdict.body)
            self._store.accept(batch, verdict.admitted.dropped, verdict.admitted.removed)

    async def unknown_operation(self, request: Request, _: Exception) -> Response:
        """Answer what is no PutRumEvents request; one that carries something is kept as refused."""
        message = f"{request.method} {request.url.path} is not an operation of RUM's data plane"
        answer = Answer(404, "UnknownOperationException", message)
        if request.method not in _READING_METHODS:
            arrival = _arrival(request)
            self._store.answered(_exchange(arrival, answer, None, Fault()))
            self._store.refuse(_refusal(arrival, answer))
        return _response(answer)


def _arrival(request: Request) -> _Arrival:
    authorization = request.headers.get("authorization", "")
    return _Arrival(
        path=request.url.path,
        headers={name: value for name, value in request.headers.items() if name not in _CREDENTIAL_HEADERS},
        signed=authorization.startswith("AWS4-") or "X-Amz-Signature" in request.query_params,
        received_at=time.time(),
    )


def _admit(app_monitor_id: str, body: Body) -> Admitted:
    try:
        return admit(app_monitor_id, body.document)
    except Violation as violation:
        raise Refused(400, str(violation)) from violation


def _exchange(arrival: _Arrival, answer: Answer | None, body: Body | None, fault: Fault) -> Exchange:
    document: Any = body.document if body else None
    batch_id = document.get("BatchId") if isinstance(document, dict) else None
    return Exchange(
        path=arrival.path,
        headers=arrival.headers,
        signed=arrival.signed,
        status=answer.status if answer and fault.cut != "before_answer" else None,
        batch_id=batch_id if isinstance(batch_id, str) else None,
        received_at=arrival.received_at,
    )


def _refusal(arrival: _Arrival, answer: Answer) -> Refusal:
    return Refusal(answer.status, answer.wire_error_type, answer.wire_message, arrival.path, arrival.received_at)


def _batch(arrival: _Arrival, admitted: Admitted, body: Body) -> Batch:
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
        body_bytes=body.sent_bytes,
        raw=body.document,
    )


def _response(answer: Answer) -> Response:
    headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    if answer.html is not None:
        return HTMLResponse(answer.html, answer.status, headers)
    headers["x-amzn-RequestId"] = str(uuid.uuid4())
    if not answer.is_error:
        return Response(status_code=answer.status, headers=headers)
    headers["x-amzn-ErrorType"] = answer.wire_error_type
    return JSONResponse({"message": answer.wire_message}, answer.status, headers)
