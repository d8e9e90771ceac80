"""One batch to one outcome: the only module that knows boto3, botocore and HTTP.

Retrying is not done here: botocore's own is switched off, and what an answer means for the batch is one
table. boto3 is imported with the first batch, because the import costs a fifth of a second.
"""

from __future__ import annotations

import email.utils
import enum
import gzip
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from .batch import Batch
from .config import Config
from .credentials import session_of
from .version import VERSION

USER_AGENT = f"otel-rum-exporter/{VERSION}"
MIN_COMPRESSED_BYTES = 2048
"""Smaller bodies gain nothing; the threshold of AWS's web client."""

GZIP_LEVEL = 1
"""Telemetry repeats itself: level 1 makes a tenth of it, at half the cost of level 6."""

CONNECT_TIMEOUT_SECONDS = 5.0
_OPERATION = "PutRumEvents"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class RumClient(Protocol):
    """The one method used of boto3's `rum` client."""

    def put_rum_events(self, **parameters: Any) -> Any: ...


class Verdict(enum.Enum):
    """What an answer means for the batch."""

    DELIVERED = "delivered"
    THROTTLED = "keep it, and send more slowly"
    RETRY = "keep it, and try again"
    WAIT = "keep it until somebody mends the cause; try once a minute"
    SPLIT = "it holds an event that RUM refuses; find that one"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request. `reason` is AWS's error code or the exception's name; empty when delivered."""

    verdict: Verdict
    reason: str = ""
    message: str = ""
    advice: str = ""
    retry_after_seconds: float | None = None

    @property
    def cause(self) -> str:
        """Reason and message, as a log line quotes them."""
        return f"{self.reason}: {self.message}" if self.message else self.reason


_NOT_RUM = Outcome(
    Verdict.RETRY, "NotRum", "a web page answered in place of RUM", "check proxy, network sign-in and endpoint"
)
_PERMISSION = (
    "allow rum:PutRumEvents on arn:aws:rum:REGION:ACCOUNT:appmonitor/NAME, and check region and app monitor id"
)
_CREDENTIALS = (
    "give the process AWS credentials, or set OTEL_EXPORTER_AWS_RUM_SIGNING=none where a resource policy allows it"
)
_SIGN_IN = "check the AWS profile, or OTEL_EXPORTER_AWS_RUM_IDENTITY_POOL_ID and its role"
_REGION = "set OTEL_EXPORTER_AWS_RUM_REGION or AWS_REGION"

ERROR_CODES: dict[str, tuple[Verdict, str]] = {
    "ThrottlingException": (Verdict.THROTTLED, ""),
    "InternalServerException": (Verdict.RETRY, ""),
    "ValidationException": (Verdict.SPLIT, ""),
    "AccessDeniedException": (Verdict.WAIT, _PERMISSION),
    "MissingAuthenticationTokenException": (Verdict.WAIT, _CREDENTIALS),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), (Verdict.WAIT, "renew the AWS credentials")),
    **dict.fromkeys(
        ("IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"),
        (Verdict.WAIT, _CREDENTIALS),
    ),
    "UnrecognizedClientException": (Verdict.WAIT, _CREDENTIALS),
    **dict.fromkeys(
        ("RequestLimitExceeded", "RequestThrottled", "Throttling", "TooManyRequestsException"), (Verdict.THROTTLED, "")
    ),
    "RequestTimeout": (Verdict.RETRY, ""),
    "RequestExpired": (Verdict.WAIT, "set the clock of this machine; AWS refuses signatures of another time"),
    "ResourceNotFoundException": (Verdict.WAIT, "check app monitor id and region"),
}
"""By the error code of the answer: those that botocore models for PutRumEvents, and those of its front door."""

STATUSES: tuple[tuple[range, Verdict, str], ...] = (
    (range(300, 400), Verdict.WAIT, "check OTEL_EXPORTER_AWS_RUM_ENDPOINT"),
    (range(401, 402), Verdict.WAIT, _CREDENTIALS),
    (range(403, 404), Verdict.WAIT, _PERMISSION),
    (range(404, 405), Verdict.WAIT, "check app monitor id, region and endpoint"),
    (range(408, 409), Verdict.RETRY, ""),
    (range(429, 430), Verdict.THROTTLED, ""),
    (range(400, 401), Verdict.SPLIT, ""),
    (range(413, 414), Verdict.SPLIT, ""),
    (range(400, 500), Verdict.WAIT, "look what stands between this process and RUM"),
    (range(500, 600), Verdict.RETRY, ""),
)
"""By HTTP status, where the code is not known; the first range that holds it decides."""

EXCEPTIONS: dict[str, tuple[Verdict, str]] = {
    "NoCredentialsError": (Verdict.WAIT, _CREDENTIALS),
    "PartialCredentialsError": (Verdict.WAIT, _CREDENTIALS),
    "CredentialRetrievalError": (Verdict.WAIT, _CREDENTIALS),
    "ProfileNotFound": (Verdict.WAIT, "check AWS_PROFILE"),
    **dict.fromkeys(("ConfigParseError", "InvalidConfigError"), (Verdict.WAIT, "mend the AWS profile")),
    "MissingDependencyException": (Verdict.WAIT, "install the package that the message names"),
    "EndpointConnectionError": (Verdict.RETRY, "check region, endpoint and network"),
    "ConnectTimeoutError": (Verdict.RETRY, "check region, endpoint and network"),
    "ReadTimeoutError": (Verdict.RETRY, "look whether the endpoint is RUM's, or raise timeout_millis"),
    "ProxyConnectionError": (Verdict.RETRY, "check HTTP_PROXY and HTTPS_PROXY; NO_PROXY excepts hosts"),
    "SSLError": (Verdict.RETRY, "look whether the endpoint speaks https, and AWS_CA_BUNDLE"),
    "NoRegionError": (Verdict.WAIT, _REGION),
    "InvalidRegionError": (Verdict.WAIT, _REGION),
    "SSOError": (Verdict.WAIT, "run: aws sso login"),
    "LoginError": (Verdict.WAIT, "run: aws login"),
    "ParamValidationError": (Verdict.SPLIT, ""),
    "Exception": (Verdict.RETRY, ""),
}
"""By the class of the exception, else by the nearest of its bases that is named here."""


class Transport:
    """Send batches with boto3. A client that is passed in is used as it is.

    Not thread-safe, and bound to the process that made it: the connections of a client do not survive a fork.
    """

    def __init__(self, config: Config, client: RumClient | None = None) -> None:
        self._config = config
        self._client = client

    def send(self, batch: Batch) -> Outcome:
        """Send one batch once, and say what came of it; never raises."""
        with suppressed_instrumentation():
            try:
                if self._client is None:
                    self._client = build_client(self._config)
                has_session_metadata = _has_session_metadata(self._client)
                answer = self._client.put_rum_events(**parameters(batch, has_session_metadata=has_session_metadata))
            except Exception as error:  # noqa: BLE001 - hooks, proxies and credential plugins raise anything
                return outcome_of(error)
        return _NOT_RUM if is_web_page(answer) else Outcome(Verdict.DELIVERED)


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


def outcome_of(error: Exception) -> Outcome:
    """Return what an exception of a request means, by the tables of this module."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        outcome = _outcome_of_answer(response)
        is_of_rum = getattr(error, "operation_name", _OPERATION) == _OPERATION
        return outcome if is_of_rum else _of_credentials(outcome)
    verdict, advice = next(EXCEPTIONS[base.__name__] for base in type(error).__mro__ if base.__name__ in EXCEPTIONS)
    return Outcome(verdict, type(error).__name__, _one_line(error), advice)


@contextmanager
def suppressed_instrumentation() -> Generator[None, None, None]:
    """Keep instrumented libraries from tracing the exporter's own requests, which would make new ones without end."""
    token = otel_context.attach(otel_context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        otel_context.detach(token)


def retry_after_seconds(header: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the wait that a Retry-After header asks for, given as seconds or as a date; None where it makes no sense.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if header is None:
        return None
    if re.fullmatch(r"\d{1,9}", header.strip()):
        return float(header)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(header) - now()).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _outcome_of_answer(response: Mapping[str, Any]) -> Outcome:
    error = response.get("Error") or {}
    answer = response.get("ResponseMetadata") or {}
    code, status = str(error.get("Code", "")), answer.get("HTTPStatusCode")
    by_status = ((verdict, advice) for statuses, verdict, advice in STATUSES if status in statuses)
    verdict, advice = ERROR_CODES.get(code) or next(by_status, (Verdict.RETRY, ""))
    headers = answer.get("HTTPHeaders") or {}
    wait = retry_after_seconds(headers.get("retry-after"), lambda: datetime.now(timezone.utc))
    return Outcome(verdict, code or str(status), _one_line(error.get("Message", "")), advice, wait)


def _of_credentials(outcome: Outcome) -> Outcome:
    """Return what an answer to a request for credentials means: never that there is something wrong with the batch."""
    is_transient = outcome.verdict in {Verdict.RETRY, Verdict.THROTTLED}
    advice = _SIGN_IN if outcome.advice in {"", _PERMISSION} and not is_transient else outcome.advice
    return replace(outcome, verdict=Verdict.RETRY if is_transient else Verdict.WAIT, advice=advice)


def is_web_page(answer: Any) -> bool:
    """Say whether a captive portal answered: with a 200, in which botocore has nothing to look for."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}) if isinstance(answer, Mapping) else {}
    return str(headers.get("content-type", "")).startswith("text/html")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())[:300]


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
    if config.compression == "gzip":
        client.meta.events.register("before-call.rum.PutRumEvents", _compress)
    built: RumClient = client
    return built


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
