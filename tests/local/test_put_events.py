"""PutRumEvents over HTTP: what is answered, and what is kept."""

import gzip
import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_rum_exporter.local import LocalRum

Make = Callable[..., Any]

GZIP = {"Content-Encoding": "gzip"}


def test_boto3_can_deliver(rum: LocalRum, boto: Any, body: Make, app_monitor: str) -> None:
    """What AWS's own SDK sends is accepted and kept."""
    request = body()
    boto.put_rum_events(Id=app_monitor, **request)
    (batch,) = rum.batches
    assert batch.app_monitor_id == app_monitor
    assert batch.batch_id == request["BatchId"]
    assert batch.events == rum.events("checkout")
    assert batch.raw["RumEvents"][0]["details"] == request["RumEvents"][0]["details"]
    assert batch.headers["content-type"] == "application/json"
    assert not batch.signed


def test_boto3_reads_the_refusal(boto: Any, body: Make, event: Make, app_monitor: str) -> None:
    """A violation reaches the caller of boto3 as RUM's exception, with the path of the member."""
    bad = body(event("com.amazon.rum.http_event", {"version": "1.0.0"}))
    with pytest.raises(boto.exceptions.ValidationException) as caught:
        boto.put_rum_events(Id=app_monitor, **bad)
    assert caught.value.response["Error"]["Message"] == "RumEvents[0].details.request is required"


def test_success_is_an_empty_200_with_a_request_id(post: Make, body: Make) -> None:
    """RUM's answer has no body."""
    reply = post(body())
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")
    assert len(reply.headers["x-amzn-requestid"]) == 36


def test_the_path_without_a_slash_is_the_same(post: Make, body: Make, rum: LocalRum, app_monitor: str) -> None:
    """AWS's web client posts without the slash at the end."""
    assert post(body(), path=f"/appmonitors/{app_monitor}").status == 200
    assert len(rum.batches) == 1


def test_a_refused_request_is_recorded(post: Make, body: Make, rum: LocalRum) -> None:
    """The answer and the record say the same."""
    reply = post(body(BatchId="1"))
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "ValidationException")
    (refused_request,) = rum.refused
    assert (refused_request.status, refused_request.error_type, refused_request.message) == (
        400,
        "ValidationException",
        reply.message,
    )
    assert rum.batches == ()


def test_an_event_too_large_is_dropped_without_a_word(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """The answer stays 200, as RUM's does, and the other events are kept."""
    reply = post(body(event(details={"text": "x" * 7000}), event("small")))
    assert (reply.status, reply.body) == (200, b"")
    assert [one.type for one in rum.events] == ["small"]
    assert [one.event.type for one in rum.dropped] == ["checkout"]


def test_a_removed_attribute_is_recorded(post: Make, body: Make, event: Make, rum: LocalRum) -> None:
    """The event is kept without the attribute RUM would remove."""
    assert post(body(event(metadata={"a.b": 1}))).status == 200
    assert [one.key for one in rum.removed] == ["a.b"]
    assert "a.b" not in rum.events[0].metadata


def test_a_gzipped_body_is_read(post: Make, body: Make, rum: LocalRum) -> None:
    """`body_bytes` tells the length on the wire."""
    sent = gzip.compress(json.dumps(body()).encode())
    assert post(sent, GZIP).status == 200
    assert rum.batches[0].body_bytes == len(sent)


@pytest.mark.parametrize(
    "sent",
    [b"", b"not gzip", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"more"],
    ids=["empty", "plain", "cut", "longer"],
)
def test_a_bad_gzip_stream_is_refused(post: Make, sent: bytes) -> None:
    """What cannot be decompressed is the sender's mistake."""
    reply = post(sent, GZIP)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "SerializationException")
    assert reply.message.startswith("the body is not gzip")


def test_another_encoding_is_refused(post: Make, body: Make) -> None:
    """RUM's clients send gzip or nothing."""
    reply = post(body(), {"Content-Encoding": "br"})
    assert reply.status == 415
    assert reply.message == 'Content-Encoding "br" is not supported, gzip is'


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"\xff", b"[" * 100_000, b"NaN", b"\xef\xbb\xbf{}", b"9" * 5000],
    ids=["empty", "cut", "latin", "deep", "nan", "bom", "digits"],
)
def test_what_is_not_json_is_refused(post: Make, sent: bytes) -> None:
    """Bytes that no JSON reader should take get a 400."""
    reply = post(sent)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (400, "SerializationException")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_body_above_the_limit_is_refused(*, compressed: bool, body: Make) -> None:
    """The limit holds for the bytes sent and again after decompression."""
    with LocalRum(max_body_bytes=1000) as rum:
        sent = json.dumps(body(Alias="x" * 1000)).encode()
        reply = _post(rum, gzip.compress(sent) if compressed else sent, GZIP if compressed else {})
    assert reply == (413, "RequestEntityTooLargeException")


def test_a_body_far_above_the_limit_is_answered_while_it_is_sent(
    boto: Any, body: Make, event: Make, app_monitor: str
) -> None:
    """The client gets to read the 413 although the server has stopped keeping what it sends."""
    huge = body(event(details={"text": "x" * 11 * 1024 * 1024}))
    with pytest.raises(ClientError) as caught:
        boto.put_rum_events(Id=app_monitor, **huge)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize("path", ["/", "/v1/traces", "/appmonitors", "/appmonitors/a/b"])
def test_another_operation_is_unknown(post: Make, body: Make, rum: LocalRum, path: str) -> None:
    """A wrong path is told as such and recorded."""
    reply = post(body(), path=path)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert reply.message == f"POST {path} is not an operation of RUM's data plane"
    assert [refused_request.path for refused_request in rum.refused] == [path]


def test_what_browsers_ask_for_beside_the_page_is_not_recorded(call: Make, rum: LocalRum) -> None:
    """An icon that is not there is no refused telemetry."""
    assert call("GET", "/favicon.ico").status == 404
    assert (rum.refused, rum.requests) == ((), ())


def test_credentials_are_never_kept(rum: LocalRum, body: Make, app_monitor: str) -> None:
    """Of a signature only its presence is kept."""
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
def test_no_bytes_get_a_server_error(*, post: Make, content: bytes, zipped: bool) -> None:
    """Whatever is posted, the fault is the sender's or there is none."""
    assert post(content, GZIP if zipped else {}).status < 500


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(st.sampled_from(MEMBERS), JSON_VALUES, max_size=1),
    members_of_event=st.dictionaries(
        st.sampled_from(EVENT_MEMBERS), JSON_VALUES | JSON_VALUES.map(json.dumps), max_size=1
    ),
    details=st.dictionaries(st.text(), JSON_VALUES, max_size=3),
    metadata=st.dictionaries(st.text(), JSON_VALUES, max_size=3),
)
def test_no_nearly_valid_request_gets_a_server_error(
    post: Make,
    call: Make,
    body: Make,
    event: Make,
    members: dict[str, Any],
    members_of_event: dict[str, Any],
    details: dict[str, Any],
    metadata: dict[str, Any],
) -> None:
    """One odd member in a valid request breaks neither the answer nor the pages that show it."""
    made = event(details=json.dumps(details), metadata=json.dumps(metadata)) | members_of_event
    assert post(body(made, **members)).status < 500
    assert call("GET", "/").status == call("GET", "/api/events").status == 200


def _post(rum: LocalRum, sent: bytes, headers: dict[str, str]) -> tuple[int, str | None]:
    address = urlsplit(rum.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request("POST", "/appmonitors/11111111-1111-4111-8111-111111111111/", sent, headers)
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["x-amzn-ErrorType"]
    finally:
        connection.close()
