"""PutRumEvents over HTTP: answers and stored records."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_rum_exporter.local import LocalRum
from tests.local import http_client

Make = Callable[..., Any]

GZIP = {"Content-Encoding": "gzip"}


def test_request_of_boto3_is_accepted(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """The batch has the content of the request."""
    request = body()
    boto.put_rum_events(Id=app_monitor, **request)
    (batch,) = rum.batches
    assert batch.app_monitor_id == app_monitor
    assert batch.batch_id == request["BatchId"]
    assert batch.events == rum.events("checkout")
    assert batch.raw["RumEvents"][0]["details"] == request["RumEvents"][0]["details"]
    assert batch.headers["content-type"] == "application/json"
    assert not batch.signed


def test_boto3_raises_the_exception_of_rum(boto: Any, body: Make, event: Make, app_monitor: str) -> None:
    """The message has the path of the invalid member."""
    bad = body(event("com.amazon.rum.http_event", {"version": "1.0.0"}))
    with pytest.raises(boto.exceptions.ValidationException) as caught:
        boto.put_rum_events(Id=app_monitor, **bad)
    assert caught.value.response["Error"]["Message"] == "RumEvents[0].details.request is required"


def test_success_is_an_empty_200_with_a_request_id(post: Make, body: Make) -> None:
    """RUM's answer has no body."""
    reply = post(body())
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")
    assert len(reply.headers["x-amzn-requestid"]) == 36


def test_path_without_final_slash_is_accepted(post: Make, body: Make, rum: LocalRum, app_monitor: str) -> None:
    """AWS's web client sends to this path."""
    assert post(body(), path=f"/appmonitors/{app_monitor}").status == 200
    assert len(rum.batches) == 1


def test_refused_request_is_recorded_with_its_answer(post: Make, body: Make, rum: LocalRum) -> None:
    """The record equals the answer."""
    reply = post(body(BatchId="1"))
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "ValidationException")
    (refused_request,) = rum.refused
    assert (refused_request.status, refused_request.error_type, refused_request.message) == (
        400,
        "ValidationException",
        reply.message,
    )
    assert rum.batches == ()


def test_oversized_event_is_dropped_with_a_200(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """The other events are kept."""
    reply = post(body(event(details={"text": "x" * 7000}), event("small")))
    assert (reply.status, reply.body) == (200, b"")
    assert [one.type for one in rum.events] == ["small"]
    assert [one.event.type for one in rum.dropped] == ["checkout"]


def test_removed_attribute_is_recorded(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """The event is kept without it."""
    assert post(body(event(metadata={"a.b": 1}))).status == 200
    assert [one.key for one in rum.removed] == ["a.b"]
    assert "a.b" not in rum.events[0].metadata


def test_gzipped_body_is_accepted(post: Make, body: Make, rum: LocalRum) -> None:
    """`body_bytes` is the compressed size."""
    sent = gzip.compress(json.dumps(body()).encode())
    assert post(sent, GZIP).status == 200
    assert rum.batches[0].body_bytes == len(sent)


@pytest.mark.parametrize(
    "sent",
    [b"", b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"more"],
    ids=["empty", "plain", "cut", "longer"],
)
def test_invalid_gzip_is_answered_with_400(post: Make, sent: bytes) -> None:
    """The body cannot be decompressed."""
    reply = post(sent, GZIP)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "SerializationException")
    assert reply.message.startswith("the body is not gzip")


def test_other_encoding_is_answered_with_415(post: Make, body: Make) -> None:
    """RUM's clients send gzip or no encoding."""
    reply = post(body(), {"Content-Encoding": "br"})
    assert reply.status == 415
    assert reply.message == 'Content-Encoding "br" is not supported; use gzip'


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"\xff", b"[" * 100_000, b"NaN", b"\xef\xbb\xbf{}", b"9" * 5000],
    ids=["empty", "cut", "latin", "deep", "nan", "bom", "digits"],
)
def test_invalid_json_is_answered_with_400(post: Make, sent: bytes) -> None:
    """Also bytes that Python's parser would accept."""
    reply = post(sent)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "SerializationException")


@pytest.mark.parametrize("compressed", [False, True])
def test_body_above_the_limit_is_answered_with_413(*, compressed: bool, body: Make, app_monitor: str) -> None:
    """The limit applies before and after decompression."""
    with LocalRum(max_body_bytes=1000) as rum:
        sent = json.dumps(body(Alias="x" * 1000)).encode()
        content, headers = (gzip.compress(sent), GZIP) if compressed else (sent, {})
        reply = http_client.call(rum, "POST", f"/appmonitors/{app_monitor}/", content, headers)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")


def test_client_can_read_the_413_for_a_very_large_body(boto: Any, body: Make, event: Make, app_monitor: str) -> None:
    """The server reads and ignores the rest of the body."""
    huge = body(event(details={"text": "x" * 11 * 1024 * 1024}))
    with pytest.raises(ClientError) as caught:
        boto.put_rum_events(Id=app_monitor, **huge)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize("path", ["/", "/v1/traces", "/appmonitors", "/appmonitors/a/b"])
def test_unknown_operation_is_answered_with_404(post: Make, body: Make, rum: LocalRum, path: str) -> None:
    """It is recorded as refused."""
    reply = post(body(), path=path)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert reply.message == f"POST {path} is not an operation of RUM's data plane. To fix: POST to /appmonitors/ID"
    assert [refused_request.path for refused_request in rum.refused] == [path]


def test_unknown_get_request_is_not_recorded(call: Make, rum: LocalRum) -> None:
    """A missing icon is not telemetry."""
    assert call("GET", "/favicon.ico").status == 404
    assert (rum.refused, rum.requests) == ((), ())


def test_credentials_are_never_stored(rum: LocalRum, body: Make, app_monitor: str) -> None:
    """Only `signed` shows that there was a signature."""
    client = boto3.client(
        "rum",
        region_name="eu-west-1",
        endpoint_url=rum.url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        aws_session_token="token",
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}),
    )
    client.put_rum_events(Id=app_monitor, **body())
    client.close()
    records: list[Any] = [*rum.batches, *rum.requests]
    for record in records:
        assert record.signed
        assert not {"authorization", "x-amz-security-token"} & record.headers.keys()
        assert "AKIDEXAMPLE" not in repr(record)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ["BatchId", "AppMonitorDetails", "UserDetails", "RumEvents", "Alias", "SessionMetadata"]
EVENT_MEMBERS = ["id", "timestamp", "type", "metadata", "details"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()), zipped=st.booleans())
def test_random_bytes_get_no_5xx(*, post: Make, content: bytes, zipped: bool) -> None:
    """Invalid input is an error of the client."""
    assert post(content, GZIP if zipped else {}).status < 500


@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(st.sampled_from(MEMBERS), JSON_VALUES, max_size=1),
    members_of_event=st.dictionaries(
        st.sampled_from(EVENT_MEMBERS), JSON_VALUES | JSON_VALUES.map(json.dumps), max_size=1
    ),
    details=st.dictionaries(st.text(), JSON_VALUES, max_size=3),
    metadata=st.dictionaries(st.text(), JSON_VALUES, max_size=3),
)
def test_random_members_get_no_5xx(
    post: Make,
    call: Make,
    body: Make,
    event: Make,
    members: dict[str, Any],
    members_of_event: dict[str, Any],
    details: dict[str, Any],
    metadata: dict[str, Any],
) -> None:
    """The console still works afterwards."""
    made = event(details=json.dumps(details), metadata=json.dumps(metadata)) | members_of_event
    assert post(body(made, **members)).status < 500
    assert call("GET", "/").status == call("GET", "/api/events").status == 200
