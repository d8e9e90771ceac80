"""The HTTP side of the console: its files, its views as JSON, and word of news; for names of this computer only."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ..host import is_own_name
from ..session import Session, sessions
from ..store import Store
from .assets import Assets
from .errors import error_detail, error_list
from .event_fields import Json
from .overview import overview
from .pages import page_list
from .received import Received
from .refused import loss_list, totals
from .request import refused_request_detail, request_detail
from .requests import request_list
from .scope import Scope, choices
from .session_list import session_list
from .session_timeline import session_detail

VIEWS: Mapping[str, Callable[[Received, Scope], Json | None]] = {
    "overview": overview,
    "sessions": session_list,
    "session": session_detail,
    "errors": error_list,
    "error": error_detail,
    "http": request_list,
    "pages": page_list,
    "refused": loss_list,
    "request": request_detail,
    "refusal": refused_request_detail,
}
"""What can be asked at `/api/console/{view}`; None is answered with 404."""

_PATHS = ("/", "/sessions", "/sessions/{id}", "/errors", "/errors/{key}", "/http", "/pages", "/refused")

_MAX_STREAMS = 32
_LOOK_SECONDS = 0.25
_STREAM_SECONDS = 600

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FOR_EVER = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}


class Console:
    """Show a store to browsers that reached it under a name of this computer."""

    def __init__(self, store: Store, bound_host: str) -> None:
        self._store = store
        self._bound_host = bound_host
        self._assets = Assets()
        self._streams = 0

    @property
    def routes(self) -> list[Route]:
        """The page under each of its paths, its files and its data."""
        return [
            *(Route(path, self._own(self._page)) for path in _PATHS),
            Route("/console/{digest}/{path:path}", self._own(self._asset)),
            Route("/api/events", self._own(self._events)),
            Route("/api/console/live", self._own(self._live)),
            Route("/api/console/{view}", self._own(self._view)),
        ]

    def _own(self, endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if is_own_name(request.headers.get("host", ""), self._bound_host):
                return await endpoint(request)
            message = "This page is shown under the names of this computer only, such as localhost or 127.0.0.1.\n"
            return PlainTextResponse(message, 421, _HEADERS)

        return guarded

    async def _page(self, _: Request) -> Response:
        return Response(self._assets.index, headers={**_HEADERS, "Content-Type": "text/html; charset=utf-8"})

    async def _asset(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["digest"], request.path_params["path"])
        if asset is None:
            return PlainTextResponse("There is no such file.\n", 404, _HEADERS)
        return Response(asset.content, headers={**_FOR_EVER, "Content-Type": asset.media_type})

    async def _view(self, request: Request) -> Response:
        view = VIEWS.get(request.path_params["view"])
        if view is None:
            return _not_found()
        scope = Scope.of(request.query_params, time.time())
        content = await run_in_threadpool(_content, view, self._store, scope)
        return _not_found() if content is None else Response(content, media_type="application/json", headers=_HEADERS)

    async def _events(self, _: Request) -> Response:
        content = await run_in_threadpool(_everything, self._store)
        return Response(content, media_type="application/json", headers=_HEADERS)

    async def _live(self, _: Request) -> Response:
        if self._streams >= _MAX_STREAMS:
            message = {"message": f"{_MAX_STREAMS} pages are told of news already"}
            return JSONResponse(message, 503, _HEADERS)
        return StreamingResponse(self._news(), media_type="text/event-stream", headers=_HEADERS)

    async def _news(self) -> AsyncIterator[str]:
        """Tell the store's revision whenever it changed, as server-sent events."""
        self._streams += 1
        try:
            told = -1
            for _ in range(int(_STREAM_SECONDS / _LOOK_SECONDS)):
                if told != self._store.revision:
                    told = self._store.revision
                    yield f"data: {told}\n\n"
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._streams -= 1


def _content(view: Callable[[Received, Scope], Json | None], store: Store, scope: Scope) -> bytes | None:
    revision = store.revision
    received = Received.by(store)
    shown = view(received, scope)
    if shown is None:
        return None
    frame = {"revision": revision, "choices": choices(scope.in_time(received.events)), "lost": totals(received)}
    return json.dumps({**shown, "frame": frame}).encode()


def _everything(store: Store) -> bytes:
    received = Received.by(store)
    names = ("events", "refused", "dropped", "removed")
    records = {name: [asdict(record) for record in getattr(received, name)] for name in names}
    return json.dumps({"sessions": [_session(session) for session in sessions(received.events)], **records}).encode()


def _session(session: Session) -> Json:
    told = {name: getattr(session, name) for name in ("id", "user_ids", "app_monitor_id", "first", "last", "counts")}
    return {**told, "events": [event.id for event in session.events]}


def _not_found() -> Response:
    return JSONResponse({"message": "nothing of this is here"}, 404, _HEADERS)
