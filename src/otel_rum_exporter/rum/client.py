"""One batch to one outcome: the only module that knows boto3, botocore and HTTP.

Retrying is not done here: botocore's own is switched off, and what an answer means is told by `outcome`. boto3 is
imported with the first batch, because the import costs a fifth of a second.
"""

from __future__ import annotations

import gzip
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from .._fork import UNFORKED
from .._version import VERSION
from ..config import Config
from .batch import Batch
from .credentials import session_of
from .errors import NOT_RUM, Outcome, Verdict, is_web_page, outcome_of, retry_after_seconds
from .request import body, parameters

USER_AGENT = f"otel-rum-exporter/{VERSION}"
MIN_COMPRESSED_BYTES = 2048
"""Smaller bodies gain nothing; the threshold of AWS's web client."""

GZIP_LEVEL = 5
"""A fifth fewer bytes than level 1, for 2 µs a span: docs/performance.md."""

FINISHED_BODY = "otel_rum_exporter_body"
"""Name under which the body travels through botocore's hooks, past its validation and serialisation."""

CONNECT_TIMEOUT_SECONDS = 5.0
STALE_CREDENTIALS = frozenset(
    (
        *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "NoRegionError"),
        *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
    )
)
"""After these the client is made anew: boto3 reads environment and files once, and somebody may have mended them."""

MAX_REGIONS = 50
"""More than AWS has; beyond that the settings' region is taken, since telemetry may name anything."""

MAX_ANSWER_BYTES = 16_384
"""RUM answers with nothing, and errors with a few hundred bytes."""


class RumClient(Protocol):
    """The one method used of boto3's `rum` client."""

    def put_rum_events(self, **parameters: Any) -> Any: ...


class Transport:
    """Send batches with boto3. A client that is passed in is used as it is.

    Thread-safe, and bound to the process that made it: the connections of a client do not survive a fork.
    """

    def __init__(self, config: Config, client: RumClient | None = None) -> None:
        self._config = config
        self._client = client
        self._of_region: dict[str | None, RumClient] = {}
        self._building = threading.Lock()
        self._is_closed = False

    def send(self, batch: Batch) -> Outcome:
        """Send one batch once, and say what came of it; never raises."""
        with suppressed_instrumentation():
            try:
                answer = self._put(batch)
            except Exception as error:  # noqa: BLE001 - hooks, proxies and credential plugins raise anything
                outcome = outcome_of(error)
                if outcome.reason in STALE_CREDENTIALS:
                    self._of_region.pop(batch.key.app_monitor.region, None)
                return outcome
            finally:
                if self._is_closed:  # this request returned its connection to the pool after `close`
                    self.close()
        return NOT_RUM if is_web_page(answer) else Outcome(Verdict.DELIVERED)

    def close(self) -> None:
        """Close the connections that wait for another request; one in use closes when its request ends."""
        self._is_closed = True
        clients: list[Any] = list(self._of_region.values())
        for client in clients:
            client.close()

    def _put(self, batch: Batch) -> Any:
        """Call boto3: a client passed in with its own arguments, ours with the finished body."""
        if self._client is not None:
            has_session_metadata = _has_session_metadata(self._client)
            return self._client.put_rum_events(**parameters(batch, has_session_metadata=has_session_metadata))
        client = self._own_client(batch.key.app_monitor.region)
        return client.put_rum_events(**{"Id": batch.key.app_monitor.id, FINISHED_BODY: body(batch)})

    def _own_client(self, region: str | None) -> RumClient:
        """Return the client of a region, None for that of the settings; made when it is first used."""
        with self._building:
            if len(self._of_region) >= MAX_REGIONS and region not in self._of_region:
                region = None
            client = self._of_region.get(region)
            if client is None:
                config = self._config if region is None else replace(self._config, region=region)
                client = self._of_region[region] = build_client(config)
            return client


@contextmanager
def suppressed_instrumentation() -> Generator[None, None, None]:
    """Keep instrumented libraries from tracing the exporter's own requests, which would make new ones without end."""
    token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        otel_context.detach(token)


def build_client(config: Config) -> RumClient:
    """Make the boto3 client that sends; nothing goes over the network."""
    with UNFORKED:
        import boto3  # noqa: F401 - whole, before anything of it is used
        import botocore.session
        from botocore.config import Config as BotoConfig

    timeout_seconds = config.timeout_millis / 1000
    unsigned = config.signing == "none"
    session = session_of(config)
    client: Any = session.client(
        "rum",
        region_name=session.region_name or ("us-east-1" if unsigned and config.endpoint else None),
        endpoint_url=config.endpoint,
        config=BotoConfig(
            connect_timeout=min(CONNECT_TIMEOUT_SECONDS, timeout_seconds),
            read_timeout=timeout_seconds,
            retries={"total_max_attempts": 1},
            inject_host_prefix=config.endpoint is None,
            signature_version=botocore.UNSIGNED if unsigned else None,
            user_agent_extra=USER_AGENT,
            parameter_validation=False,
        ),
    )
    events = client.meta.events
    events.register("before-parameter-build.rum.PutRumEvents", _lay_aside)
    events.register("before-call.rum.PutRumEvents", _compressed if config.compression == "gzip" else _plain)
    events.register("before-send.rum.PutRumEvents", _bounded(client, timeout_seconds))
    built: RumClient = client
    return built


def _bounded(client: Any, timeout_seconds: float) -> Callable[..., Any]:
    """Return a handler that sends with botocore's own session, and reads no more of the answer than RUM would say.

    botocore reads an answer to its end, however long it is and however slowly it comes.
    """
    from botocore.awsrequest import AWSResponse
    from botocore.exceptions import ReadTimeoutError

    session = client._endpoint.http_session  # noqa: SLF001 - one of our own would not know its proxies and certificates

    def send(request: Any, **_: Any) -> Any:
        request.stream_output = True
        response = session.send(request)
        deadline = time.monotonic() + timeout_seconds
        # urllib3 before 2.2 has no read1, and its read waits for as much as it is asked for.
        read = getattr(response.raw, "read1", None) or (lambda _: response.raw.read(1))
        content = b""
        while len(content) < MAX_ANSWER_BYTES and (piece := read(MAX_ANSWER_BYTES)):
            content += piece
            if time.monotonic() > deadline:
                response.raw.close()
                raise ReadTimeoutError(endpoint_url=request.url)
        if len(content) >= MAX_ANSWER_BYTES:
            response.raw.close()
        _in_seconds(response.headers)
        return AWSResponse(response.url, response.status_code, response.headers, _Content(content))

    return send


def _in_seconds(headers: MutableMapping[str, str]) -> None:
    """Turn Retry-After into a whole number, since botocore's model of throttling fails to read a date."""
    told = headers.pop("Retry-After", None)
    wait = retry_after_seconds(told, lambda: datetime.now(timezone.utc))
    if wait is not None:
        headers["Retry-After"] = str(math.ceil(wait))


class _Content:
    """The body of an answer that was read."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


def _lay_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Take the finished body out of the arguments, which botocore would walk through twice."""
    context[FINISHED_BODY] = params.pop(FINISHED_BODY, None)


def _plain(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Give the request its finished body before botocore signs it."""
    if context[FINISHED_BODY] is not None:
        params["body"] = context[FINISHED_BODY]
        params["headers"]["Content-Type"] = "application/json"


def _compressed(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Give it compressed; botocore's own compression skips operations that are not modelled for it."""
    _plain(params, context)
    if len(params["body"]) >= MIN_COMPRESSED_BYTES:
        params["body"] = gzip.compress(params["body"], GZIP_LEVEL, mtime=0)
        params["headers"]["Content-Encoding"] = "gzip"


def _has_session_metadata(client: Any) -> bool:
    try:
        return "SessionMetadata" in client.meta.service_model.operation_model("PutRumEvents").input_shape.members
    except (AttributeError, TypeError):
        return False
