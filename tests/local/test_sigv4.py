"""Signatures: those of AWS's signers are accepted, others get AWS's errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import ClientError

from otel_rum_exporter.local import Credentials, LocalRum
from otel_rum_exporter.local.sigv4 import SentRequest, SignatureError, verify

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-session-token"
NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
CREDENTIALS = Credentials(KEY, SECRET)
Make = Callable[..., Any]


def _signed(
    url: str = "http://127.0.0.1:8787/appmonitors/a/",
    body: bytes = b"{}",
    *,
    service: str = "rum",
    token: str | None = None,
    at: datetime = NOW,
    headers: dict[str, str] | None = None,
    sign: Callable[..., Any] = botocore.auth.SigV4Auth,
) -> SentRequest:
    """Sign a request with botocore, with its clock at `at`."""
    address = urlsplit(url)
    request = AWSRequest(
        "POST", url, {"Host": address.netloc, "Content-Type": "application/json"} | (headers or {}), body
    )
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=at.replace(tzinfo=None)):
        sign(BotocoreCredentials(KEY, SECRET, token), service, "eu-west-1").add_auth(request)
    wire = [(name.lower(), value) for name, value in request.headers.items()]
    return SentRequest("POST", address.path, urlsplit(request.url).query, wire, body)


def _changed(request: SentRequest, name: str, change: Callable[[str], str]) -> SentRequest:
    return replace(request, headers=[(key, change(value) if key == name else value) for key, value in request.headers])


def _error(request: SentRequest, credentials: Credentials = CREDENTIALS, now: datetime = NOW) -> tuple[str, str]:
    with pytest.raises(SignatureError) as caught:
        verify(request, credentials, now.timestamp())
    return caught.value.error_type, caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8787/appmonitors/a/",
        "http://localhost/appmonitors/a",
        "http://localhost/prefix/a%20b/%C3%A9/",
        "http://localhost/a//b/../c/",
        "http://localhost/appmonitors?maxResults=5&nextToken=a%2Fb%20c&empty=",
        "http://localhost/",
    ],
)
def test_signature_of_botocore_is_accepted(url: str) -> None:
    """Path, query, body and headers have the same canonical form."""
    verify(_signed(url, b"\x1f\x8b\x00 bytes"), CREDENTIALS, NOW.timestamp())


def test_white_space_in_signed_headers_is_normalized() -> None:
    """It does not change the signature."""
    verify(_signed(headers={"X-Custom": "  a   b "}), CREDENTIALS, NOW.timestamp())


def test_wrong_session_token_is_refused() -> None:
    """A missing one too."""
    with_token = Credentials(KEY, SECRET, TOKEN)
    verify(_signed(token=TOKEN), with_token, NOW.timestamp())
    for wrong in (_signed(), _signed(token="another")):
        assert _error(wrong, with_token)[0] == "UnrecognizedClientException"
    assert _error(_signed(token=TOKEN), CREDENTIALS)[0] == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("change", "error_type"),
    [
        (lambda one: replace(one, body=b"{ }"), "InvalidSignatureException"),
        (lambda one: replace(one, method="PUT"), "InvalidSignatureException"),
        (lambda one: replace(one, raw_path="/appmonitors/b/"), "InvalidSignatureException"),
        (lambda one: replace(one, query="a=b"), "InvalidSignatureException"),
        (lambda one: _changed(one, "host", lambda _: "evil.example"), "InvalidSignatureException"),
        (lambda one: _changed(one, "authorization", lambda _: ""), "MissingAuthenticationTokenException"),
        (lambda one: _changed(one, "authorization", lambda _: "AWS4-HMAC-SHA256 x"), "IncompleteSignatureException"),
        (lambda one: _changed(one, "authorization", lambda it: it[:-1]), "IncompleteSignatureException"),
        (
            lambda one: _changed(one, "authorization", lambda it: it.replace("/rum/", "/")),
            "IncompleteSignatureException",
        ),
        (lambda one: _changed(one, "authorization", lambda it: f"Basic {it}"), "IncompleteSignatureException"),
        (
            lambda one: _changed(one, "authorization", lambda it: it.replace("host;", "")),
            "InvalidSignatureException",
        ),
        (
            lambda one: _changed(one, "authorization", lambda it: it.replace(KEY, "AKIDOTHER")),
            "UnrecognizedClientException",
        ),
        (lambda one: _changed(one, "x-amz-date", lambda _: "yesterday"), "IncompleteSignatureException"),
        (lambda one: _changed(one, "x-amz-date", lambda _: "20261125T120000Z"), "InvalidSignatureException"),
    ],
)
def test_changed_request_is_refused(change: Callable[[SentRequest], SentRequest], error_type: str) -> None:
    """With AWS's error."""
    assert _error(change(_signed()))[0] == error_type


def test_presigned_url_is_accepted_until_it_expires() -> None:
    """The browser client signs the URL of a beacon, which has no headers."""
    presigner = partial(botocore.auth.SigV4QueryAuth, expires=60)
    credentials = Credentials(KEY, SECRET, TOKEN)
    request = _signed(body=b"", token=TOKEN, sign=presigner)
    assert request.header("authorization") == ""
    verify(request, credentials, NOW.timestamp() + 59)
    assert _error(request, credentials, NOW + timedelta(seconds=61))[1].startswith("Signature expired")
    longer = replace(request, query=request.query.replace("Expires=60", "Expires=6000"))
    assert _error(longer, credentials)[0] == "InvalidSignatureException"
    assert _error(replace(request, query=request.query[:-3]), credentials)[0] == "IncompleteSignatureException"
    assert _error(request, CREDENTIALS)[0] == "UnrecognizedClientException"


def test_wrong_secret_is_refused_and_secrets_never_appear() -> None:
    """Neither in the message nor in a repr."""
    wrong = Credentials(KEY, "another secret", TOKEN)
    error_type, message = _error(_signed(token=TOKEN), wrong)
    assert error_type == "InvalidSignatureException"
    assert message.startswith("The request signature we calculated does not match")
    assert "another secret" not in message + repr(wrong)
    assert TOKEN not in message + repr(wrong)


def test_signature_for_another_service_is_refused() -> None:
    """A signature for S3 is not valid for RUM."""
    assert _error(_signed(service="s3"))[1] == "Credential should be scoped to correct service: 'rum'."


@pytest.mark.parametrize(
    ("seconds", "message"),
    [(-301, "Signature expired: 20261124T115459Z is now earlier"), (301, "Signature not yet current")],
)
def test_clock_skew_of_five_minutes_is_accepted(seconds: int, message: str) -> None:
    """In both directions; the message has the direction."""
    signed_at = datetime.fromtimestamp(NOW.timestamp() + seconds, timezone.utc)
    assert _error(_signed(at=signed_at))[1].startswith(message)
    nearly = datetime.fromtimestamp(NOW.timestamp() + seconds * 0.99, timezone.utc)
    verify(_signed(at=nearly), CREDENTIALS, NOW.timestamp())


@pytest.fixture(scope="module")
def server(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run a server with credentials."""
    with LocalRum(credentials=Credentials(KEY, SECRET, TOKEN)) as rum:
        yield rum


@pytest.fixture
def client(server: LocalRum) -> Iterator[Callable[..., Any]]:
    """Make boto3 clients for that server."""
    made = []

    def make(secret: str = SECRET, **config: Any) -> Any:
        made.append(
            boto3.client(
                "rum",
                region_name="eu-central-1",
                endpoint_url=server.url,
                aws_access_key_id=KEY,
                aws_secret_access_key=secret,
                aws_session_token=TOKEN,
                config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, **config),
            )
        )
        return made[-1]

    server.clear()
    yield make
    for one in made:
        one.close()


def test_boto3_with_the_right_secret_is_accepted(server: LocalRum, client: Make, body: Make, app_monitor: str) -> None:
    """For sending and reading."""
    right = client()
    right.put_rum_events(Id=app_monitor, **body())
    assert [batch.signed for batch in server.batches] == [True]
    (summary,) = right.list_app_monitors()["AppMonitorSummaries"]
    data = right.get_app_monitor_data(Name=summary["Name"], TimeRange={"After": 0})
    assert len(data["Events"]) == 1


@pytest.mark.parametrize("operation", ["put_rum_events", "list_app_monitors"])
def test_boto3_with_a_wrong_secret_is_refused(
    server: LocalRum, client: Make, body: Make, app_monitor: str, operation: str
) -> None:
    """With AWS's error, for sending and reading."""
    arguments = {"Id": app_monitor, **body()} if operation == "put_rum_events" else {}
    with pytest.raises(ClientError) as caught:
        getattr(client("wrong"), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert server.batches == ()


@pytest.mark.parametrize("operation", ["put_rum_events", "list_app_monitors"])
def test_unsigned_request_without_a_policy_is_refused(
    client: Make, body: Make, app_monitor: str, operation: str
) -> None:
    """As in AWS, where an app monitor has no resource policy at first."""
    from botocore import UNSIGNED

    arguments = {"Id": app_monitor, **body()} if operation == "put_rum_events" else {}
    with pytest.raises(ClientError) as caught:
        getattr(client(signature_version=UNSIGNED), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == "MissingAuthenticationTokenException"


def test_boto3_reports_a_wrong_clock(client: Make, body: Make, app_monitor: str) -> None:
    """The time in a real signature is checked."""
    late = datetime.fromtimestamp(time.time() - 600, timezone.utc).replace(tzinfo=None)
    with (
        mock.patch.object(botocore.auth, "get_current_datetime", return_value=late),
        pytest.raises(ClientError) as caught,
    ):
        client().put_rum_events(Id=app_monitor, **body())
    assert caught.value.response["Error"]["Message"].startswith("Signature expired")
