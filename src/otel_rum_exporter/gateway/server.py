"""The gateway as a process: ports, signals and shutdown."""

from __future__ import annotations

import multiprocessing
import signal
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import connection
from typing import TYPE_CHECKING

import anyio.to_thread
import uvicorn

from .application import Gateway, config_of
from .connection import Connection
from .settings import GatewaySettings

if TYPE_CHECKING:
    import grpc

DRAIN_SECONDS = 5
"""How long requests in flight may take after a shutdown signal, before accepted events are delivered."""

KEEP_ALIVE_SECONDS = 60
GRPC_THREADS = 4
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    settings: GatewaySettings, environment: Mapping[str, str], announce: Callable[[GatewaySettings], None]
) -> None:
    """Serve until SIGINT or SIGTERM, then drain; `announce` gets the settings with the bound ports.

    Raises:
        ConfigError: if a setting of the exporter is wrong.
        OSError: if a port is in use.
    """
    config = config_of(settings, environment)
    if settings.workers > 1:
        _Workers(settings, environment).run(announce)
        return
    _run(Gateway(config, settings), announce)


def _run(gateway: Gateway, announce: Callable[[GatewaySettings], None]) -> None:
    server = Server(gateway)
    # uvicorn raises the shutdown signal again for the previous handler.
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    server.run(announce)


class Server:
    """One process that serves both receivers of a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        settings = gateway.settings
        self._listener = _listener(settings.host, settings.http_port, is_shared=settings.workers > 1)
        self._grpc: grpc.Server | None = None
        self._grpc_threads = ThreadPoolExecutor(GRPC_THREADS, thread_name_prefix="otel-rum-grpc")
        grpc_port = settings.grpc_port
        if settings.grpc:
            try:
                self._grpc, grpc_port = gateway.grpc_receiver().server(
                    settings.host, settings.grpc_port, self._grpc_threads
                )
            except OSError:
                self._listener.close()
                raise
        self.bound = replace(settings, http_port=self._listener.getsockname()[1], grpc_port=grpc_port)
        self._http = _HttpServer(
            uvicorn.Config(
                gateway.app,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=list(settings.trusted_proxies),
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            ),
            self._drain,
        )

    def run(self, announce: Callable[[GatewaySettings], None]) -> None:
        """Serve until a signal or `stop`, then drain; accepted events are delivered on return."""
        if self._grpc is not None:
            self._grpc.start()
        announce(self.bound)
        self._http.run([self._listener])

    def stop(self) -> None:
        """Make `run` return; for use from another thread."""
        self._http.should_exit = True

    def _drain(self) -> None:
        self._gateway.stop_accepting()
        if self._grpc is not None:
            self._grpc.stop(DRAIN_SECONDS).wait()
        self._grpc_threads.shutdown(wait=False)


class _HttpServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await anyio.to_thread.run_sync(self._drain)
        await super().shutdown(sockets)


class _Workers:
    """Processes that share the ports; the kernel distributes connections."""

    def __init__(self, settings: GatewaySettings, environment: Mapping[str, str]) -> None:
        # Bound but not listening: they reserve the ports, including those that the system chose.
        self._reservations = [_reserved(settings.host, port) for port in (settings.http_port, settings.grpc_port)]
        ports = [socket_.getsockname()[1] for socket_ in self._reservations]
        self._settings = replace(settings, http_port=ports[0], grpc_port=ports[1])
        self._environment = dict(environment)

    def run(self, announce: Callable[[GatewaySettings], None]) -> None:
        """Run until a signal, or until a worker ends by itself, which ends all workers.

        Raises:
            OSError: if a worker ended by itself.
        """
        context = multiprocessing.get_context("spawn")
        processes = [
            context.Process(target=_work, args=(self._settings, self._environment))
            for _ in range(self._settings.workers)
        ]

        def end(*_: object) -> None:
            for process in processes:
                if process.is_alive():
                    process.terminate()

        for process in processes:
            process.start()
        for number in _SIGNALS:
            signal.signal(number, end)
        announce(self._settings)
        connection.wait([process.sentinel for process in processes])
        end()
        for process in processes:
            process.join()
        # A worker that got the signal before it installed its handler ended by the signal itself.
        failed = [process.exitcode for process in processes if process.exitcode not in {0, -signal.SIGTERM}]
        if failed:
            raise OSError(f"a worker ended with exit code {failed[0]}")


def _work(settings: GatewaySettings, environment: Mapping[str, str]) -> None:
    _run(Gateway(config_of(settings, environment), settings), lambda _: None)


def _listener(host: str, port: int, *, is_shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, reuse_port=is_shared, backlog=2048)


def _reserved(host: str, port: int) -> socket.socket:
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((host, port))
    return reserved
