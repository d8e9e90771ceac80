"""Secrets in texts that are logged, raised or printed."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ProxyConnectionError

from otel_rum_exporter import Config, ConfigError
from otel_rum_exporter._log import log_line
from otel_rum_exporter._secrets import without_secrets
from otel_rum_exporter.rum.errors import outcome_of
from tests.spans import APP_MONITOR_ID

PASSWORD = "hunter2@home"
URL = f"http://ann:{PASSWORD}@rum.example:8080"
TOKEN = "IQoJb3JpZ2luX2VjEGoaCXVzLWVhc3Qt" * 8 + "/A+b=="


@pytest.mark.parametrize(
    "text",
    [
        f"cannot reach {URL}/appmonitors",
        f'"{URL}"',
        "https://ann:x?SECRET@rum.example",
        "'ann:SECRET@localhost'",
        "//ann:SECRET@rum",
        "http:/ann:SECRET@rum",
        'Failed to connect to proxy URL: "http://socks5://bob:SECRET@proxy.example"',
        "https://rum.example/?a=1&token=SECRET&b",
        "x-amz-security-token:SECRET",
        '"X-Amz-Security-Token": "SECRET"',
        "X-Amz-Signature=SECRET&x=1",
        "Authorization: Bearer SECRET",
        "Authorization: AWS4-HMAC-SHA256 Credential=SECRET/20261128/us-east-1/rum/aws4_request",
        "aws_secret_access_key = SECRET",
        "password='SECRET'",
        "headers={'X-Amz-Security-Token': b'SECRET'}",
        f"the token {TOKEN} is not valid",
        "user ann.SECRET@example.com is unknown",
        "key AKIASECRETSECRET1234",
    ],
)
def test_a_secret_in_a_text_is_removed(text: str) -> None:
    """Whatever surrounds it."""
    shown = without_secrets(text)
    assert not [secret for secret in ("SECRET", "hunter2", TOKEN[:20]) if secret in shown]


@pytest.mark.parametrize(
    "text",
    [
        'Could not connect to the endpoint URL: "http://127.0.0.1:9/appmonitors/11111111-1111-4111-8111-111111111111/"',
        "set OTEL_EXPORTER_AWS_RUM_SIGNING=none where a resource policy allows it",
        "arn:aws:iam::123456789012:role/service-role/application-monitoring-role",
        "/var/lib/application_2/spool_of_the_first_service/segment_0001",
        "Unable to locate credentials",
        "event 11111111-1111-4111-8111-111111111111 of type com.amazon.rum.js_error_event",
    ],
)
def test_a_text_without_secrets_stays(text: str) -> None:
    """It names what must be fixed."""
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000,
        "a.a+" * 2500,
        "ab:" * 3000,
        "http://" + "a@" * 5000,
        "a:a." * 2500,
        "?key" * 2500,
        "password=" * 1000,
    ],
)
def test_removal_takes_linear_time(text: str) -> None:
    """A server chooses the text."""
    began = time.process_time()
    without_secrets(text)
    assert time.process_time() - began < 1.0


def test_texts_of_rum_and_botocore_are_quoted_without_secrets() -> None:
    """In log lines and in `doctor`."""
    response = {"Error": {"Code": "SignatureDoesNotMatch", "Message": f"host:x\nx-amz-security-token:{TOKEN}\n"}}
    errors = [
        ClientError(response, "PutRumEvents"),
        EndpointConnectionError(endpoint_url=URL),
        ProxyConnectionError(proxy_url=URL),
    ]
    for error in errors:
        cause = outcome_of(error).cause
        assert "hunter2" not in cause
        assert TOKEN[:20] not in cause
    assert "rum.example:8080" in outcome_of(errors[1]).cause


def test_the_password_of_an_endpoint_is_in_no_error_repr_or_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """It is used for requests only."""
    config = Config.read({"app_monitor_id": APP_MONITOR_ID, "endpoint": URL}, {})
    assert config.endpoint == URL
    assert "hunter2" not in repr(config)
    assert "rum.example:8080" in repr(config)
    with pytest.raises(ConfigError) as raised:
        Config.read({"app_monitor_id": APP_MONITOR_ID, "endpoint": f"{URL} x"}, {})
    assert "hunter2" not in f"{raised.value}{raised.value.faults}{raised.value!r}"
    log_line(30, "%s and %s", URL, ValueError(URL))
    assert "rum.example" in caplog.text
    assert "hunter2" not in caplog.text
