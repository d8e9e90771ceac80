"""What an answer means for the batch: tables by error code, by status and by exception; the first that knows decides.

What is nobody's fault is tried again, what a person must mend is kept, and only what RUM itself calls invalid is
looked into. An error that no table names is tried again: the data is worth more than a request.
"""

from __future__ import annotations

import email.utils
import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

_OPERATION = "PutRumEvents"


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


NOT_RUM = Outcome(
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
    **dict.fromkeys(("ConnectionError", "HTTPClientError", "IncompleteReadError"), (Verdict.RETRY, "")),
    **dict.fromkeys(("CapacityNotAvailableError", "MetadataRetrievalError"), (Verdict.RETRY, "")),
    "BotoCoreError": (Verdict.WAIT, "mend the AWS configuration that the message names"),
    "Exception": (Verdict.RETRY, ""),
}
"""By the class of the exception, else by the nearest of its bases that is named here."""


def outcome_of(error: Exception) -> Outcome:
    """Return what an exception of a request means, by the tables of this module."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        outcome = _outcome_of_answer(response)
        is_of_rum = getattr(error, "operation_name", _OPERATION) == _OPERATION
        return outcome if is_of_rum else _of_credentials(outcome)
    verdict, advice = next(EXCEPTIONS[base.__name__] for base in type(error).__mro__ if base.__name__ in EXCEPTIONS)
    return Outcome(verdict, type(error).__name__, _one_line(error), advice)


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
