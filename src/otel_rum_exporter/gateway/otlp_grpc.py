"""OTLP over gRPC.

https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NoReturn

import grpc

from ..otlp import Signal
from .body import Budget
from .client import Client, address_of, authenticate
from .error_response import Reason, RequestError
from .metrics import Counts
from .receiver import Receiver
from .response import Encoding, accepted, error_status
from .settings import GatewaySettings

LOGGER = logging.getLogger("otel_rum_exporter")

MAX_STREAMS = 16
"""Concurrent requests of one connection; gRPC clients queue the others."""

_TRANSPORT = "grpc"
_DETAILS = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}


class GrpcReceiver:
    """The gRPC services."""

    def __init__(self, receiver: Receiver, settings: GatewaySettings, counts: Counts, budget: Budget) -> None:
        self._receiver = receiver
        self._settings = settings
        self._counts = counts
        self._budget = budget

    def server(self, host: str, port: int, threads: ThreadPoolExecutor) -> tuple[grpc.Server, int]:
        """Return a server that is bound but not started, and its port. The caller shuts down `threads`.

        Raises:
            OSError: if the port is in use.
        """
        server = grpc.server(
            threads,
            handlers=[
                grpc.method_handlers_generic_handler(
                    # Without a deserializer, the handler gets bytes.
                    service,
                    {"Export": grpc.unary_unary_rpc_method_handler(partial(self._export, signal))},
                )
                for signal, service in _SERVICES.items()
            ],
            options=[
                ("grpc.max_receive_message_length", self._settings.max_body_bytes),
                ("grpc.max_concurrent_streams", MAX_STREAMS),
                ("grpc.so_reuseport", int(self._settings.workers > 1)),
            ],
        )
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound: int = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address} for gRPC. To fix: free the port, or choose another") from error
        return server, bound

    def _export(self, signal: Signal, body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            authenticate(headers.get("authorization", ""), self._settings)
            client = Client(address_of(_host(context.peer())))
            self._receiver.admit(client)
            with self._budget.hold() as take:
                take(len(body))
                receipt = self._receiver.receive(signal, Encoding.PROTOBUF, body, client)
        except RequestError as error:
            self._abort(context, error)
        except Exception:
            LOGGER.exception(
                "CloudWatch RUM: a request failed unexpectedly; the gateway continues. To fix: report this"
            )
            self._abort(context, RequestError(Reason.INTERNAL, "internal error"))
        self._counts.responded(_TRANSPORT, grpc.StatusCode.OK.name)
        return accepted(signal, Encoding.PROTOBUF, receipt.rejected, receipt.message)

    def _abort(self, context: grpc.ServicerContext, error: RequestError) -> NoReturn:
        code = _CODES[error.reason.value.grpc_code]
        self._counts.responded(_TRANSPORT, code.name)
        context.set_trailing_metadata(((_DETAILS, error_status(error, Encoding.PROTOBUF)),))
        context.abort(code, error.message)


def _host(peer: str) -> str:
    """Return the address of a gRPC peer: `ipv4:127.0.0.1:5555`, `ipv6:%5B::1%5D:5555`."""
    kind, _, rest = peer.partition(":")
    host = rest.rpartition(":")[0] if kind in {"ipv4", "ipv6"} else rest
    return host.removeprefix("%5B").removesuffix("%5D").strip("[]")
