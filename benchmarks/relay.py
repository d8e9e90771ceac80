"""A minimal OTLP relay to compare with: uvicorn, protobuf in and out, and urllib3. It stores nothing."""

from __future__ import annotations

import gzip
import os

import anyio.to_thread
import urllib3
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_pool = urllib3.PoolManager(maxsize=8)
_headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}


def _relay(body: bytes) -> None:
    decoded = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    packed = gzip.compress(decoded.SerializeToString(), 4)
    _pool.request("POST", os.environ["SINK"] + "/v1/traces", body=packed, headers=_headers)


async def _export(request: Request) -> Response:
    await anyio.to_thread.run_sync(_relay, await request.body())
    return Response(ExportTraceServiceResponse().SerializeToString(), media_type="application/x-protobuf")


app = Starlette(routes=[Route("/v1/traces", _export, methods=["POST"])])
