"""What answers and exceptions mean: the tables, and that botocore knows no more than they do."""

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
    """A botocore that models another error turns this red."""
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
def test_an_exception_means_what_its_class_or_nearest_base_says(error: Exception, expected: Disposition) -> None:
    """Unknown ones are tried again: the data is worth more than a request."""
    assert expected is outcome_of(error).disposition


@pytest.mark.parametrize(
    "kind",
    [kind for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass) if issubclass(kind, BotoCoreError)],
)
def test_no_exception_of_botocore_drops_events(kind: type[Exception]) -> None:
    """What is on the way is tried again, what people must mend waits; only parameters are looked into."""
    row = next(base.__name__ for base in kind.__mro__ if base.__name__ in EXCEPTIONS)
    assert row != "Exception"
    is_network = any(base.__name__ in {"HTTPClientError", "ConnectionError"} for base in kind.__mro__)
    expected = {Disposition.RETRY} if is_network else {Disposition.RETRY, Disposition.WAIT}
    assert EXCEPTIONS[row][0] in (expected if row != "ParamValidationError" else {Disposition.SPLIT})


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
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, expected: float | None) -> None:
    """RFC 9110 allows both; nonsense is ignored."""
    assert expected == retry_after_seconds(header, lambda: NOW)
