"""The HTTP routes of the console: files, views as JSON and change notifications, under local host names only."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ..host import is_own_name
from ..session import Session, sessions
from ..store import Records, Store
from .assets import Assets
from .breakdown import breakdown_list
from .custom_events import custom_list
from .errors import error_detail, error_list
from .event_fields import Json
from .index import Index
from .overview import overview
from .page_detail import page_detail
from .pages import page_list
from .received import Received
from .recording import recording
from .refused import loss_list, totals
from .request import refused_request_detail, request_detail
from .requests import request_list
from .scope import Scope
from .session_list import session_list
from .session_timeline import session_detail
from .trace import trace_detail
from .user import user_detail

VIEWS: Mapping[str, Callable[[Received, Scope], Json | None]] = {
    "overview": overview,
    "sessions": session_list,
    "session": session_detail,
    "errors": error_list,
    "error": error_detail,
    "http": request_list,
    "pages": page_list,
    "page": page_detail,
    "custom": custom_list,
    "devices": breakdown_list,
    "user": user_detail,
    "trace": trace_detail,
    "refused": loss_list,
    "request": request_detail,
    "refused_request": refused_request_detail,
}
"""The views at `/api/console/{view}`. A view that returns None is answered with 404."""

_PATHS = (
    *("/", "/sessions", "/sessions/{id}", "/users/{id}", "/pages", "/pages/{name:path}", "/errors", "/errors/{key}"),
    *("/http", "/custom", "/devices", "/traces/{id}", "/refused"),
)

_MAX_STREAMS = 32
_POLL_SECONDS = 0.25
_STREAM_SECONDS = 600

_MAX_ANSWERS = 16
_CACHED_SECONDS = 5
_MIN_COMPRESSED_BYTES = 1024

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
    """Serves the console of a store, to requests with a host name of this computer only."""

    def __init__(self, store: Store, bound_host: str, monitor_names: Callable[[], Mapping[str, str]]) -> None:
        self._store = store
        self._monitor_names = monitor_names
        self._bound_host = bound_host
        self._index = Index()
        store.observe(self._index)
        self._assets = Assets()
        self._streams = 0
        self._answers: dict[tuple[int, int, str, bytes], bytes] = {}

    @property
    def routes(self) -> list[Route]:
        """The routes of the page, its files and its data."""
        return [
            *(Route(path, self._local_only(self._page)) for path in _PATHS),
            Route("/console/{digest}/{path:path}", self._local_only(self._asset)),
            Route("/api/events", self._local_only(self._events)),
            Route("/api/console/live", self._local_only(self._live)),
            Route("/api/console/recording", self._local_only(self._recording)),
            Route("/api/console/clear", self._local_only(self._clear), methods=["POST"]),
            Route("/api/console/{view}", self._local_only(self._view)),
        ]

    async def not_found(self, request: Request) -> Response | None:
        """Answer a browser that asks for an unknown page; None for any other request."""
        is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not is_page or not is_own_name(request.headers.get("host", ""), self._bound_host):
            return None
        page = await self._page(request)
        page.status_code = 404
        return page

    def _local_only(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            if is_own_name(request.headers.get("host", ""), self._bound_host):
                return await endpoint(request)
            message = "Open this page under a name of this computer, such as localhost or 127.0.0.1.\n"
            return PlainTextResponse(message, 421, _HEADERS)

        return guarded

    async def _page(self, _: Request) -> Response:
        return Response(self._assets.index, headers={**_HEADERS, "Content-Type": "text/html; charset=utf-8"})

    async def _asset(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["digest"], request.path_params["path"])
        if asset is None:
            return PlainTextResponse("This file does not exist.\n", 404, _HEADERS)
        return _response(request, asset.content, asset.media_type, _FOR_EVER)

    async def _view(self, request: Request) -> Response:
        view = VIEWS.get(request.path_params["view"])
        if view is None:
            return _not_found()
        scope = Scope.of(request.query_params, time.time())
        # A revision has one answer for a few seconds: relative time ranges move.
        key = (
            self._store.revision,
            int(scope.now // _CACHED_SECONDS),
            request.path_params["view"],
            request.scope["query_string"],
        )
        content = self._answers.get(key)
        if content is None:
            content = await run_in_threadpool(_content, view, self._store, self._index, scope, self._monitor_names())
            if content is None:
                return _not_found()
            while len(self._answers) >= _MAX_ANSWERS:
                self._answers.pop(next(iter(self._answers)))
            self._answers[key] = content
        return _response(request, content, "application/json", _HEADERS)

    async def _events(self, _: Request) -> Response:
        content = await run_in_threadpool(_everything, self._store)
        return Response(content, media_type="application/json", headers=_HEADERS)

    async def _recording(self, _: Request) -> Response:
        lines = await run_in_threadpool(recording, self._store)
        headers = {**_HEADERS, "Content-Disposition": 'attachment; filename="local-rum.jsonl"'}
        return StreamingResponse(lines, media_type="application/jsonl", headers=headers)

    async def _clear(self, request: Request) -> Response:
        # Browsers let a page of any origin send this request.
        if request.headers.get("origin", own := f"http://{request.headers.get('host')}") != own:
            return JSONResponse({"message": "only the console itself may clear the data"}, 403, _HEADERS)
        await run_in_threadpool(self._store.clear)
        return Response(None, 204, _HEADERS)

    async def _live(self, _: Request) -> Response:
        if self._streams >= _MAX_STREAMS:
            message = {"message": f"{_MAX_STREAMS} pages are connected already. To fix: close one"}
            return JSONResponse(message, 503, _HEADERS)
        return StreamingResponse(self._changes(), media_type="text/event-stream", headers=_HEADERS)

    async def _changes(self) -> AsyncIterator[str]:
        """Yield the store's revision as a server-sent event after each change."""
        self._streams += 1
        try:
            sent = -1
            for _ in range(int(_STREAM_SECONDS / _POLL_SECONDS)):
                if sent != self._store.revision:
                    sent = self._store.revision
                    yield f"data: {sent}\n\n"
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._streams -= 1


def _content(
    view: Callable[[Received, Scope], Json | None], store: Store, index: Index, scope: Scope, names: Mapping[str, str]
) -> bytes | None:
    with store.locked() as records:
        received = Received(index, **{name: getattr(records, name) for name in Records.__slots__})
        shown = view(received, scope)
        if shown is None:
            return None
        frame = {
            "revision": store.revision,
            "choices": index.choices(),
            "lost": totals(received),
            "forgotten": {
                "events": index.forgotten,
                **{name: count - len(getattr(records, name)) for name, count in store.received.items()},
            },
            "max_events": store.max_events,
            "monitors": names,
        }
    return json.dumps({**shown, "frame": frame}).encode()


def _everything(store: Store) -> bytes:
    events = store.events
    received: dict[str, Iterable[Any]] = {
        "events": events,
        "refused": store.refused,
        "dropped": store.dropped,
        "removed": store.removed,
    }
    records = {name: [asdict(record) for record in some] for name, some in received.items()}
    return json.dumps({"sessions": [_session(session) for session in sessions(events)], **records}).encode()


def _session(session: Session) -> Json:
    members = {name: getattr(session, name) for name in ("id", "user_ids", "app_monitor_id", "first", "last", "counts")}
    return {**members, "events": [event.id for event in session.events]}


def _response(request: Request, content: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """Return a response, compressed for clients that accept it."""
    varying = {**headers, "Content-Type": media_type, "Vary": "Accept-Encoding"}
    if len(content) < _MIN_COMPRESSED_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(content, headers=varying)
    return Response(_compressed(content), headers={**varying, "Content-Encoding": "gzip"})


@lru_cache(maxsize=64)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=5, mtime=0)


def _not_found() -> Response:
    return JSONResponse({"message": "not found"}, 404, _HEADERS)
