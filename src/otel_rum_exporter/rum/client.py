"""Sends one batch with boto3, and returns one outcome.

It does not retry: botocore's retries are disabled, and `delivery` decides what follows from an outcome. boto3 is
imported with the first batch, because its import takes a fifth of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from .._fork import UNFORKED
from .._version import VERSION
from ..config import Config
from .batch import Batch
from .botocore_hooks import register_hooks
from .credentials import create_session
from .debug_logs import redact_debug_logs
from .errors import Disposition, Outcome, outcome_of
from .repeated_requests import RepeatedRequests
from .request import body, parameters
from .response import check_parsed

USER_AGENT = f"otel-rum-exporter/{VERSION}"
CONNECT_TIMEOUT_SECONDS = 5.0
STALE_CREDENTIALS = frozenset(
    (
        *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "NoRegionError"),
        *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
    )
)
"""After these errors a new client is built, because boto3 reads environment and files only once per client."""

MAX_REGIONS = 50
"""More than AWS has. Telemetry may name any region; beyond this number the region of the settings is used."""


class RumClient(Protocol):
    """The one method of boto3's `rum` client that is used."""

    def put_rum_events(self, **parameters: Any) -> Any: ...


class Transport:
    """Sends batches with boto3, or with the client passed in.

    Thread-safe. Bound to the process that created it, because connections do not survive a fork.
    """

    def __init__(self, config: Config, client: RumClient | None = None) -> None:
        self._config = config
        self._client = client
        self._of_regions: dict[str | None, RepeatedRequests] = {}
        self._building = threading.Lock()
        self._is_closed = False

    def send(self, batch: Batch) -> Outcome:
        """Send one batch once, and return the outcome. Never raises."""
        with suppressed_instrumentation():
            try:
                self._put(batch)
            except Exception as error:  # noqa: BLE001 - hooks, proxies and credential plugins raise anything
                outcome = outcome_of(error)
                if outcome.reason in STALE_CREDENTIALS:
                    stale = self._of_regions.pop(batch.key.app_monitor.region, None)
                    if stale is not None:
                        stale.close()
                return outcome
            finally:
                if self._is_closed:  # this request has returned its connection to the pool after `close`
                    self.close()
        return Outcome(Disposition.DELIVERED)

    def close(self) -> None:
        """Close idle connections. A connection in use is closed when its request ends."""
        self._is_closed = True
        for requests in list(self._of_regions.values()):
            requests.close()

    def _put(self, batch: Batch) -> None:
        """Call boto3: a client passed in with its regular parameters, our own with a finished body."""
        if self._client is not None:
            has_session_metadata = _has_session_metadata(self._client)
            check_parsed(self._client.put_rum_events(**parameters(batch, has_session_metadata=has_session_metadata)))
            return
        self._of_region(batch.key.app_monitor.region).put(batch.key.app_monitor.id, body(batch))

    def _of_region(self, region: str | None) -> RepeatedRequests:
        """Return what sends to a region, None for the region of the settings. Built on first use."""
        with self._building:
            if len(self._of_regions) >= MAX_REGIONS and region not in self._of_regions:
                region = None
            requests = self._of_regions.get(region)
            if requests is None:
                config = self._config if region is None else replace(self._config, region=region)
                requests = RepeatedRequests(build_client(config), is_compressed=config.compression == "gzip")
                self._of_regions[region] = requests
            return requests


@contextmanager
def suppressed_instrumentation() -> Generator[None, None, None]:
    """Prevent instrumented libraries from tracing the exporter's own requests, which would cause further requests."""
    token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        otel_context.detach(token)


def build_client(config: Config) -> RumClient:
    """Build the boto3 client, without a request."""
    with UNFORKED:
        import boto3  # noqa: F401 - completely, before any part of it is used
        import botocore.session
        from botocore.config import Config as BotoConfig

    redact_debug_logs()
    timeout_seconds = config.timeout_millis / 1000
    is_unsigned = config.signing == "none"
    session = create_session(config)
    client: Any = session.client(
        "rum",
        region_name=session.region_name or ("us-east-1" if is_unsigned and config.endpoint else None),
        endpoint_url=config.endpoint,
        config=BotoConfig(
            connect_timeout=min(CONNECT_TIMEOUT_SECONDS, timeout_seconds),
            read_timeout=timeout_seconds,
            retries={"total_max_attempts": 1},
            inject_host_prefix=config.endpoint is None,
            signature_version=botocore.UNSIGNED if is_unsigned else None,
            user_agent_extra=USER_AGENT,
            parameter_validation=False,
        ),
    )
    register_hooks(client, is_compressed=config.compression == "gzip", timeout_seconds=timeout_seconds)
    built: RumClient = client
    return built


def _has_session_metadata(client: Any) -> bool:
    try:
        return "SessionMetadata" in client.meta.service_model.operation_model("PutRumEvents").input_shape.members
    except (AttributeError, TypeError):
        return False
