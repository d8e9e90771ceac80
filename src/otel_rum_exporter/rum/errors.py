"""Map the response to a request, or its exception, to an outcome, with tables by error code, status and exception.

Transient errors, unknown errors and responses that are not RUM's own are retried soon: the data is worth more than a
request. Errors that need a change of settings are retried once a minute. Only a request that RUM itself calls invalid
is split, to find the invalid event.
"""

from __future__ import annotations

import email.utils
import enum
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .._secrets import without_secrets
from .response import ERROR_TYPE_HEADER, is_page

MAX_MESSAGE_CHARS = 10_000
_OPERATION = "PutRumEvents"
_ABOUT_APP_MONITOR = frozenset(("AccessDeniedException", "ResourceNotFoundException"))
_UNREACHABLE = frozenset(("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError"))


class Disposition(enum.Enum):
    """The disposition of a batch after its request."""

    DELIVERED = "delivered"
    THROTTLED = "keep the batch, and reduce the request rate"
    RETRY = "keep the batch, and retry soon"
    WAIT = "keep the batch, and retry once a minute, because the cause needs a fix"
    SPLIT = "RUM rejected the batch; split it to find the invalid event"


class Outcome(NamedTuple):
    """The outcome of one request. `reason` is AWS's error code or the exception's name, empty when delivered."""

    disposition: Disposition
    reason: str = ""
    message: str = ""
    advice: str = ""
    retry_after_seconds: float | None = None

    @property
    def is_unreachable(self) -> bool:
        """Whether there was no connection: a wrong endpoint, a server that is down, or no network."""
        return self.reason in _UNREACHABLE

    @property
    def is_about_app_monitor(self) -> bool:
        """Whether RUM does not accept events for this app monitor, whatever they are. It may accept others."""
        return self.reason in _ABOUT_APP_MONITOR

    @property
    def cause(self) -> str:
        """Reason and message, for log lines."""
        return f"{self.reason}: {self.message}" if self.message else self.reason


_NOT_RUM = "the response is not RUM's: check proxies, network sign-in and OTEL_EXPORTER_AWS_RUM_ENDPOINT"
_PERMISSION = (
    "allow rum:PutRumEvents on arn:aws:rum:REGION:ACCOUNT:appmonitor/NAME, and check region and app monitor id"
)
_CREDENTIALS = (
    "give the process AWS credentials, or set OTEL_EXPORTER_AWS_RUM_SIGNING=none where a resource policy allows it"
)
_WRONG_CREDENTIALS = "check the AWS credentials of the process: its key id, secret or session token is wrong"
_SIGN_IN = "check the AWS profile, or OTEL_EXPORTER_AWS_RUM_IDENTITY_POOL_ID and its role"
_REGION = "set OTEL_EXPORTER_AWS_RUM_REGION or AWS_REGION"

ERROR_CODES: dict[str, tuple[Disposition, str]] = {
    "ThrottlingException": (Disposition.THROTTLED, ""),
    "InternalServerException": (Disposition.RETRY, ""),
    "ValidationException": (Disposition.SPLIT, ""),
    "AccessDeniedException": (Disposition.WAIT, _PERMISSION),
    "MissingAuthenticationTokenException": (Disposition.WAIT, _CREDENTIALS),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), (Disposition.WAIT, "renew the AWS credentials")),
    **dict.fromkeys(
        ("IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"),
        (Disposition.WAIT, _WRONG_CREDENTIALS),
    ),
    "UnrecognizedClientException": (Disposition.WAIT, _WRONG_CREDENTIALS),
    **dict.fromkeys(
        ("RequestLimitExceeded", "RequestThrottled", "Throttling", "TooManyRequestsException"),
        (Disposition.THROTTLED, ""),
    ),
    "RequestTimeout": (Disposition.RETRY, ""),
    "RequestExpired": (Disposition.WAIT, "set the clock of this machine; AWS rejects signatures with a wrong time"),
    "ResourceNotFoundException": (Disposition.WAIT, "check app monitor id and region"),
}
"""By error code: those that botocore models for PutRumEvents, and those of AWS's common request checks."""

STATUSES: tuple[tuple[range, Disposition, str], ...] = (
    (range(401, 402), Disposition.WAIT, _CREDENTIALS),
    (range(403, 404), Disposition.WAIT, _PERMISSION),
    (range(404, 405), Disposition.WAIT, "check app monitor id, region and endpoint"),
    (range(408, 409), Disposition.RETRY, ""),
    (range(429, 430), Disposition.THROTTLED, ""),
    (range(400, 401), Disposition.SPLIT, ""),
    (range(413, 414), Disposition.SPLIT, ""),
    (range(400, 500), Disposition.WAIT, "check proxies and gateways between this process and RUM"),
    (range(500, 600), Disposition.RETRY, ""),
)
"""By HTTP status, for errors of RUM with an unknown code. The first range that contains the status applies."""

STATUSES_OF_OTHERS = ((range(429, 430), Disposition.THROTTLED, ""), (range(500, 600), Disposition.RETRY, ""))
"""By HTTP status, for proxies, firewalls and captive portals, which know nothing about events and permissions."""

_RETRY_AFTER_STATUSES = frozenset((429, 503))

EXCEPTIONS: dict[str, tuple[Disposition, str]] = {
    "NotRumError": (Disposition.RETRY, _NOT_RUM),
    "NoCredentialsError": (Disposition.WAIT, _CREDENTIALS),
    "PartialCredentialsError": (Disposition.WAIT, _CREDENTIALS),
    "CredentialRetrievalError": (Disposition.WAIT, _CREDENTIALS),
    "ProfileNotFound": (Disposition.WAIT, "check AWS_PROFILE"),
    **dict.fromkeys(("ConfigParseError", "InvalidConfigError"), (Disposition.WAIT, "correct the AWS profile")),
    "MissingDependencyException": (Disposition.WAIT, "install the package that the message names"),
    "EndpointConnectionError": (Disposition.RETRY, "check region, endpoint and network"),
    "ConnectTimeoutError": (Disposition.RETRY, "check region, endpoint and network"),
    "ReadTimeoutError": (Disposition.RETRY, "check that the endpoint is RUM's, or raise timeout_millis"),
    "ProxyConnectionError": (Disposition.RETRY, "check HTTP_PROXY and HTTPS_PROXY; NO_PROXY excludes hosts"),
    "SSLError": (Disposition.RETRY, "check that the endpoint serves https, and check AWS_CA_BUNDLE"),
    "NoRegionError": (Disposition.WAIT, _REGION),
    "InvalidRegionError": (Disposition.WAIT, _REGION),
    "SSOError": (Disposition.WAIT, "run: aws sso login"),
    "LoginError": (Disposition.WAIT, "run: aws login"),
    "ParamValidationError": (Disposition.SPLIT, ""),
    **dict.fromkeys(("ConnectionError", "HTTPClientError", "IncompleteReadError"), (Disposition.RETRY, "")),
    **dict.fromkeys(("CapacityNotAvailableError", "MetadataRetrievalError"), (Disposition.RETRY, "")),
    "BotoCoreError": (Disposition.WAIT, "correct the AWS configuration that the message names"),
    # https://github.com/gevent/gevent/issues/1016
    "RecursionError": (Disposition.RETRY, "let gevent or eventlet patch before other imports"),
    "Exception": (Disposition.RETRY, ""),
}
"""By the exception's class, else by its nearest base class in this table."""


def outcome_of(error: Exception) -> Outcome:
    """Return the outcome of a request that raised an exception."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        is_of_rum = getattr(error, "operation_name", _OPERATION) == _OPERATION
        outcome = _outcome_of_response(response, is_of_rum=is_of_rum)
        return outcome if is_of_rum else _outcome_of_credentials(outcome)
    disposition, advice = next(EXCEPTIONS[base.__name__] for base in type(error).__mro__ if base.__name__ in EXCEPTIONS)
    return Outcome(disposition, type(error).__name__, _one_line(error), advice)


def retry_after_seconds(header: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the wait in seconds of a Retry-After header, which holds seconds or a date; None if it is neither.

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


def _outcome_of_response(response: Mapping[str, Any], *, is_of_rum: bool) -> Outcome:
    error = response.get("Error") or {}
    metadata = response.get("ResponseMetadata") or {}
    code, status = str(error.get("Code", "")), metadata.get("HTTPStatusCode")
    headers = metadata.get("HTTPHeaders") or {}
    # A code is a number where botocore found none in the response.
    is_own = bool(headers.get(ERROR_TYPE_HEADER)) or (bool(code) and not code.isdigit() and not is_of_rum)
    statuses = STATUSES if is_own else STATUSES_OF_OTHERS
    by_status = ((disposition, advice) for row, disposition, advice in statuses if status in row)
    disposition, advice = ERROR_CODES.get(code) or next(by_status, (Disposition.RETRY, "" if is_own else _NOT_RUM))
    if not (is_own or code in ERROR_CODES or status in _RETRY_AFTER_STATUSES):
        headers = {}
    wait = retry_after_seconds(headers.get("retry-after"), lambda: datetime.now(timezone.utc))
    message = error.get("Message", "")
    # botocore takes the whole body of another server's response for the message.
    message = "a web page" if is_web_page(response) and not is_own else _one_line(message)
    return Outcome(disposition, code or str(status), message, advice, wait)


def _outcome_of_credentials(outcome: Outcome) -> Outcome:
    """Return the outcome of a failed request for credentials, which never means that the batch is invalid."""
    is_transient = outcome.disposition in {Disposition.RETRY, Disposition.THROTTLED}
    advice = _SIGN_IN if outcome.advice in {"", _PERMISSION} and not is_transient else outcome.advice
    return outcome._replace(disposition=Disposition.RETRY if is_transient else Disposition.WAIT, advice=advice)


def is_web_page(response: Any) -> bool:
    """Return whether a response is a web page. A captive portal sends one with status 200, which botocore accepts."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}) if isinstance(response, Mapping) else {}
    return is_page(str(headers.get("content-type", "")))


def _one_line(text: object) -> str:
    return without_secrets(" ".join(str(text)[:MAX_MESSAGE_CHARS].split()))[:300]
