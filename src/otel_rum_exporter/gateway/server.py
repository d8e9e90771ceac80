"""The gateway as a process: ports, signals and shutdown."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from multiprocessing import connection
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

import anyio.to_thread
import uvicorn

from .application import Gateway, exporter_config
from .connection import Connection
from .settings import GatewaySettings

if TYPE_CHECKING:
    from .otlp_grpc import GrpcServer

DRAIN_SECONDS = 5
"""The time for requests in flight after a shutdown signal, before accepted events are delivered."""

KEEP_ALIVE_SECONDS = 60

_GC_THRESHOLD = 50_000
"""A body of 512 spans in JSON is 11,000 lists and maps, which are all in use until it is decoded.

With the default threshold of 700, looking for garbage among them takes a tenth of the CPU.
"""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    settings: GatewaySettings, environment: Mapping[str, str], announce: Callable[[GatewaySettings], None]
) -> None:
    """Serve until SIGINT or SIGTERM, then drain; `announce` gets the settings with the bound ports.

    Raises:
        ConfigError: if a setting of the exporter is wrong.
        OSError: if a port is in use.
    """
    config = exporter_config(settings, environment)
    if settings.workers > 1:
        _Workers(settings, environment).run(announce)
        return
    _run(Gateway(config, settings), announce)


def _run(gateway: Gateway, announce: Callable[[GatewaySettings], None], parent: BaseProcess | None = None) -> None:
    gc.set_threshold(_GC_THRESHOLD)
    with closing(gateway), closing(Server(gateway)) as server:
        if parent is not None:
            threading.Thread(target=_stop_with, args=(parent, server), name="otel-rum-parent", daemon=True).start()
        # uvicorn handles signals while it serves, and raises them again for the previous handler.
        for number in _SIGNALS:
            signal.signal(number, lambda *_: server.stop())
        server.run(announce)


class Server:
    """One process that serves both receivers of a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        settings = gateway.settings
        self._listener = _listener(settings.host, settings.http_port, is_shared=settings.workers > 1)
        self._grpc: GrpcServer | None = None
        if settings.grpc:
            try:
                self._grpc = gateway.grpc_server()
            except BaseException:
                self._listener.close()
                raise
        self.bound = replace(
            settings,
            http_port=self._listener.getsockname()[1],
            grpc_port=self._grpc.port if self._grpc else settings.grpc_port,
        )
        self._http = _HttpServer(
            uvicorn.Config(
                gateway.app,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="error",  # a warning for each request that is no HTTP: anyone could fill the log
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
        self._http.announce = partial(announce, self.bound)
        self._http.run([self._listener])

    def stop(self) -> None:
        """Make `run` return; for use from another thread."""
        self._http.should_exit = True

    def close(self) -> None:
        """Release the ports of a server that did not run to its end."""
        self._listener.close()
        if self._grpc is not None:
            self._grpc.stop(0)

    def _drain(self) -> None:
        self._gateway.stop_accepting()
        if self._grpc is not None:
            self._grpc.stop(DRAIN_SECONDS)


class _HttpServer(uvicorn.Server):
    announce: Callable[[], None]

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        try:
            self.announce()
        except BaseException:  # such as a closed output; uvloop would wait for the open server without end
            await self.shutdown(sockets)
            raise

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await anyio.to_thread.run_sync(self._drain)
        await super().shutdown(sockets)


class _Workers:
    """Processes that share the ports; the kernel distributes connections."""

    def __init__(self, settings: GatewaySettings, environment: Mapping[str, str]) -> None:
        with ExitStack() as reserved:
            # Bound but not listening: they reserve the ports, including those that the system chose.
            reservations = [
                reserved.enter_context(_reserved(settings.host, port))
                for port in (settings.http_port, settings.grpc_port)
            ]
            self._reservations = reserved.pop_all()
        ports = [reservation.getsockname()[1] for reservation in reservations]
        self._settings = replace(settings, http_port=ports[0], grpc_port=ports[1])
        self._environment = dict(environment)
        self._processes: list[SpawnProcess] = []
        self._is_ending = False

    def run(self, announce: Callable[[GatewaySettings], None]) -> None:
        """Run until a signal, or until a worker ends by itself, which ends all workers.

        Raises:
            OSError: if a worker ended by itself.
        """
        with self._reservations:
            self._run(announce)

    def _run(self, announce: Callable[[GatewaySettings], None]) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._end)
        pipes = [self._start() for _ in range(self._settings.workers)]
        if self._is_ending:
            self._end()
        is_announced = all(map(_listens, pipes)) and not self._is_ending
        if is_announced:
            announce(self._settings)
        connection.wait([process.sentinel for process in self._processes])
        is_start_interrupted = self._is_ending and not is_announced
        self._end()
        for process in self._processes:
            process.join()
        # A worker that got the signal before it installed its handler ended by the signal itself.
        failed = [process.exitcode for process in self._processes if process.exitcode not in {0, -signal.SIGTERM}]
        if failed and not is_start_interrupted:
            raise OSError(f"a worker process ended with exit code {failed[0]}")

    def _start(self) -> Pipe:
        """Start a worker, and return the pipe through which it reports that it listens."""
        context = multiprocessing.get_context("spawn")
        pipe, worker_pipe = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(self._settings, self._environment, worker_pipe))
        self._processes.append(process)
        process.start()
        worker_pipe.close()
        return pipe

    def _end(self, *_: object) -> None:
        self._is_ending = True
        for process in self._processes:
            if process.is_alive():
                process.terminate()


def _work(settings: GatewaySettings, environment: Mapping[str, str], pipe: Pipe) -> None:
    with pipe:
        gateway = Gateway(exporter_config(settings, environment), settings)
        _run(gateway, lambda _: pipe.send(True), multiprocessing.parent_process())


def _stop_with(parent: BaseProcess, server: Server) -> None:
    """Stop a worker when its parent ends, however it ends: nothing else would stop it."""
    connection.wait([parent.sentinel])
    server.stop()


def _listens(pipe: Pipe) -> bool:
    """Wait until a worker listens. Return False if it ends before."""
    try:
        return bool(pipe.recv())
    except EOFError:
        return False


def _listener(host: str, port: int, *, is_shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, reuse_port=is_shared, backlog=2048)


def _reserved(host: str, port: int) -> socket.socket:
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        reserved.bind((host, port))
    except OSError:
        reserved.close()
        raise
    return reserved
