"""The HTTP side of PutRumEvents: routes, headers, answers.

Bodies are read in `body`, judged in `contract` and kept in `store`. Bad input never gets a 5xx.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .answer import Answer, AnswerPlan
from .body import Body, Refused, read
from .contract import Admitted, Violation, admit
from .record import Batch, Exchange, Refusal
from .store import Store

_CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "x-amz-security-token"})
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class _Arrival:
    path: str
    headers: dict[str, str]
    signed: bool
    received_at: float


class DataPlane:
    """Answer PutRumEvents requests and keep what they carried in a store."""

    def __init__(self, store: Store, plan: AnswerPlan, max_body_bytes: int) -> None:
        self._store = store
        self._plan = plan
        self._max_body_bytes = max_body_bytes

    @property
    def routes(self) -> list[Route]:
        """The path of the service model, which ends in a slash, and the one of AWS's web client, which does not."""
        paths = ("/appmonitors/{app_monitor_id}", "/appmonitors/{app_monitor_id}/")
        return [Route(path, self.put_rum_events, methods=["POST"]) for path in paths]

    async def put_rum_events(self, request: Request) -> Response:
        """Judge a request; refuse it, or give the answer planned for it, or keep it."""
        arrival = _arrival(request)
        app_monitor_id = request.path_params["app_monitor_id"]
        body: Body | None = None
        admitted: Admitted | None = None
        planned: Answer | None = None
        try:
            body = await read(request, self._max_body_bytes)
            admitted = _admit(app_monitor_id, body)
            planned = self._plan.take()
            answer = planned or Answer()
        except ClientDisconnect:
            return Response(status_code=400)
        except Refused as refused:
            answer = refused.answer
        self._store.answered(_exchange(arrival, answer, body))
        if admitted is None or body is None:
            self._store.refuse(_refusal(arrival, answer))
        elif planned is None:
            batch = _batch(arrival, app_monitor_id, admitted, body)
            self._store.accept(batch, admitted.dropped, admitted.removed)
        await self._delay(request)
        return _response(answer)

    async def unknown_operation(self, request: Request, _: Exception) -> Response:
        """Answer what is no PutRumEvents request; one that carries something is kept as refused."""
        message = f"{request.method} {request.url.path} is not an operation of RUM's data plane"
        answer = Answer(404, "UnknownOperationException", message)
        if request.method not in _READING_METHODS:
            arrival = _arrival(request)
            self._store.answered(_exchange(arrival, answer, None))
            self._store.refuse(_refusal(arrival, answer))
        return _response(answer)

    async def _delay(self, request: Request) -> None:
        # After the body, all that can still come from the client is its going away, which ends the delay.
        if self._plan.delay_seconds > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(request.receive(), self._plan.delay_seconds)


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


def _exchange(arrival: _Arrival, answer: Answer, body: Body | None) -> Exchange:
    document: Any = body.document if body else None
    batch_id = document.get("BatchId") if isinstance(document, dict) else None
    return Exchange(
        path=arrival.path,
        headers=arrival.headers,
        signed=arrival.signed,
        status=answer.status,
        batch_id=batch_id if isinstance(batch_id, str) else None,
        received_at=arrival.received_at,
    )


def _refusal(arrival: _Arrival, answer: Answer) -> Refusal:
    return Refusal(answer.status, answer.wire_error_type, answer.wire_message, arrival.path, arrival.received_at)


def _batch(arrival: _Arrival, app_monitor_id: str, admitted: Admitted, body: Body) -> Batch:
    return Batch(
        app_monitor_id=app_monitor_id,
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
    headers = {"x-amzn-RequestId": str(uuid.uuid4())}
    if answer.retry_after_seconds is not None:
        headers["Retry-After"] = str(answer.retry_after_seconds)
    if not answer.is_error:
        return Response(status_code=answer.status, headers=headers)
    headers["x-amzn-ErrorType"] = answer.wire_error_type
    return JSONResponse({"message": answer.wire_message}, answer.status, headers)
