"""The tables of errors and exceptions, and their completeness for this botocore."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta, timezone

import boto3
import botocore.exceptions
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from otel_rum_exporter.rum.errors import ERROR_CODES, EXCEPTIONS, Disposition, outcome_of, retry_after_seconds


def test_every_error_that_botocore_models_for_the_operation_has_a_row() -> None:
    """Fails if a new botocore models another error."""
    client = boto3.session.Session(region_name="us-east-1").client("rum")
    modelled = {shape.name for shape in client.meta.service_model.operation_model("PutRumEvents").error_shapes}
    assert modelled <= set(ERROR_CODES)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), Disposition.RETRY),
        (ReadTimeoutError(endpoint_url="http://x"), Disposition.RETRY),
        (NoCredentialsError(), Disposition.WAIT),
        (botocore.exceptions.SSOTokenLoadError(profile_name="p", error_msg="m"), Disposition.WAIT),
        (botocore.exceptions.ParamValidationError(report="bad"), Disposition.SPLIT),
        (ZeroDivisionError(), Disposition.RETRY),
        (ClientError({}, "PutRumEvents"), Disposition.RETRY),
    ],
)
def test_an_exception_has_the_disposition_of_its_class_or_nearest_base(error: Exception, expected: Disposition) -> None:
    """Unknown exceptions are retried: the data is worth more than a request."""
    assert expected is outcome_of(error).disposition


@pytest.mark.parametrize(
    "kind",
    [kind for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass) if issubclass(kind, BotoCoreError)],
)
def test_no_exception_of_botocore_drops_events(kind: type[Exception]) -> None:
    """Network errors are retried, errors of settings too; only invalid parameters split a batch."""
    row = next(base.__name__ for base in kind.__mro__ if base.__name__ in EXCEPTIONS)
    assert row != "Exception"
    is_network = any(base.__name__ in {"HTTPClientError", "ConnectionError"} for base in kind.__mro__)
    expected = {Disposition.RETRY} if is_network else {Disposition.RETRY, Disposition.WAIT}
    assert EXCEPTIONS[row][0] in (expected if row != "ParamValidationError" else {Disposition.SPLIT})


SIGN_IN = "check the AWS profile, or OTEL_EXPORTER_AWS_RUM_IDENTITY_POOL_ID and its role"


@pytest.mark.parametrize(
    ("code", "status", "disposition", "advice"),
    [
        ("NotAuthorizedException", 400, Disposition.WAIT, SIGN_IN),
        ("AccessDenied", 403, Disposition.WAIT, SIGN_IN),
        ("AccessDeniedException", 403, Disposition.WAIT, SIGN_IN),
        ("ValidationException", 400, Disposition.WAIT, SIGN_IN),
        ("ExpiredTokenException", 400, Disposition.WAIT, "renew the AWS credentials"),
        ("InternalErrorException", 500, Disposition.RETRY, ""),
        ("TooManyRequestsException", 429, Disposition.RETRY, ""),
    ],
)
def test_a_failed_request_for_credentials_has_advice_about_credentials(
    code: str, status: int, disposition: Disposition, advice: str
) -> None:
    """It is never about permissions of RUM, and never splits or throttles a batch."""
    response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    outcome = outcome_of(ClientError(response, "AssumeRole"))
    assert (outcome.disposition, outcome.advice, outcome.cause) == (disposition, advice, f"{code}: m")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NoCredentialsError(), "give the process AWS credentials"),
        (botocore.exceptions.CredentialRetrievalError(provider="p", error_msg="m"), "give the process AWS credentials"),
        (botocore.exceptions.ProfileNotFound(profile="p"), "check AWS_PROFILE"),
        (botocore.exceptions.SSOTokenLoadError(profile_name="p", error_msg="m"), "run: aws sso login"),
        (botocore.exceptions.NoRegionError(), "set OTEL_EXPORTER_AWS_RUM_REGION or AWS_REGION"),
        (RecursionError(), "let gevent or eventlet patch before other imports"),
    ],
)
def test_an_exception_has_its_advice(error: Exception, advice: str) -> None:
    """The log line has the fix."""
    assert outcome_of(error).advice.startswith(advice)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDeniedException", "allow rum:PutRumEvents on "),
        ("MissingAuthenticationTokenException", "give the process AWS credentials"),
        ("UnrecognizedClientException", "check the AWS credentials of the process"),
        ("InvalidSignatureException", "check the AWS credentials of the process"),
        ("ExpiredToken", "renew the AWS credentials"),
        ("ResourceNotFoundException", "check app monitor id and region"),
    ],
)
def test_an_error_of_rum_has_its_advice(code: str, advice: str) -> None:
    """Its error code decides, and not its status."""
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    assert outcome_of(ClientError(response, "PutRumEvents")).advice.startswith(advice)


def test_page_of_another_server_is_not_the_message() -> None:
    """The body is the message of botocore's error, and log lines would have HTML."""
    metadata = {"HTTPStatusCode": 404, "HTTPHeaders": {"content-type": "text/html; charset=utf-8"}}
    response = {"Error": {"Code": "404", "Message": "<!doctype html> Not Found"}, "ResponseMetadata": metadata}
    assert outcome_of(ClientError(response, "PutRumEvents")).cause == "404: a web page"


NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7.0),
        ((NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 90.0),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        (None, None),
    ],
)
def test_retry_after_is_parsed_as_seconds_or_as_a_date(header: str | None, expected: float | None) -> None:
    """RFC 9110 allows both. Anything else is ignored."""
    assert expected == retry_after_seconds(header, lambda: NOW)
