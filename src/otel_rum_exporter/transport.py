"""One batch to one outcome: the only module that knows boto3, botocore and HTTP.

Retrying is not done here: botocore's own is switched off, and what an answer means is told by `outcome`. boto3 is
imported with the first batch, because the import costs a fifth of a second.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from .batch import Batch
from .config import Config
from .credentials import session_of
from .outcome import NOT_RUM, Outcome, Verdict, is_web_page, outcome_of
from .version import VERSION

USER_AGENT = f"otel-rum-exporter/{VERSION}"
MIN_COMPRESSED_BYTES = 2048
"""Smaller bodies gain nothing; the threshold of AWS's web client."""

GZIP_LEVEL = 1
"""Telemetry repeats itself: level 1 makes a tenth of it, at half the cost of level 6."""

CONNECT_TIMEOUT_SECONDS = 5.0
STALE_CREDENTIALS = frozenset(
    (
        *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "NoRegionError"),
        *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"),
    )
)
"""After these the client is made anew: boto3 reads environment and files once, and somebody may have mended them."""

MAX_ANSWER_BYTES = 16_384
"""RUM answers with nothing, and errors with a few hundred bytes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


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
        self._is_own = client is None
        self._building = threading.Lock()

    def send(self, batch: Batch) -> Outcome:
        """Send one batch once, and say what came of it; never raises."""
        with suppressed_instrumentation():
            try:
                client = self._built_client()
                has_session_metadata = _has_session_metadata(client)
                answer = client.put_rum_events(**parameters(batch, has_session_metadata=has_session_metadata))
            except Exception as error:  # noqa: BLE001 - hooks, proxies and credential plugins raise anything
                outcome = outcome_of(error)
                if outcome.reason in STALE_CREDENTIALS and self._is_own:
                    self._client = None
                return outcome
        return NOT_RUM if is_web_page(answer) else Outcome(Verdict.DELIVERED)

    def _built_client(self) -> RumClient:
        with self._building:
            if self._client is None:
                self._client = build_client(self._config)
            return self._client


def parameters(batch: Batch, *, has_session_metadata: bool) -> dict[str, Any]:
    """Return the arguments of `put_rum_events`.

    Without SessionMetadata, which botocore knows from 1.44.5, each event carries all of its metadata.
    """
    monitor, session_id, user_id = batch.key
    session_metadata, metadata = batch.metadata() if has_session_metadata else ("", batch.merged_metadata())
    details = {"id": monitor.id, "name": monitor.name, "version": monitor.version}
    request: dict[str, Any] = {
        "Id": monitor.id,
        "BatchId": batch.id,
        "AppMonitorDetails": {name: value for name, value in details.items() if value},
        "UserDetails": {"userId": user_id, "sessionId": session_id},
        "RumEvents": [
            {
                "id": event.id,
                "timestamp": _EPOCH + timedelta(microseconds=event.timestamp_ns // 1000),
                "type": event.type,
                "metadata": own,
                "details": event.details,
            }
            for event, own in zip(batch.events, metadata, strict=True)
        ],
    }
    if monitor.alias:
        request["Alias"] = monitor.alias
    if has_session_metadata:
        request["SessionMetadata"] = session_metadata
    return request


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
    import botocore
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
        ),
    )
    client.meta.events.register("before-send.rum.PutRumEvents", _bounded(client, timeout_seconds))
    if config.compression == "gzip":
        client.meta.events.register("before-call.rum.PutRumEvents", _compress)
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
        return AWSResponse(response.url, response.status_code, response.headers, _Content(content))

    return send


class _Content:
    """The body of an answer that was read."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


def _compress(params: dict[str, Any], **_: Any) -> None:
    """Compress the body before botocore signs it; its own compression skips operations not modelled for it."""
    body = params["body"]
    if isinstance(body, bytes) and len(body) >= MIN_COMPRESSED_BYTES:
        params["body"] = gzip.compress(body, GZIP_LEVEL, mtime=0)
        params["headers"]["Content-Encoding"] = "gzip"


def _has_session_metadata(client: Any) -> bool:
    try:
        return "SessionMetadata" in client.meta.service_model.operation_model("PutRumEvents").input_shape.members
    except (AttributeError, TypeError):
        return False
