"""One request and one outcome, with boto3's client and a server."""

from __future__ import annotations

import copy
import io
import json
import logging
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import botocore
import botocore.httpsession
import pytest
from botocore.config import Config as BotoConfig

from otel_rum_exporter import __version__
from otel_rum_exporter.local import Credentials, Fault, LocalRum
from otel_rum_exporter.rum.botocore_hooks import MIN_COMPRESSED_BYTES
from otel_rum_exporter.rum.client import Transport
from otel_rum_exporter.rum.errors import Disposition
from tests.rum.batches import SESSION_ID, batch
from tests.spans import APP_MONITOR_ID, START_NS, make_config

NIL = "00000000-0000-0000-0000-000000000000"
SHARED = json.dumps({"version": "1.0.0", "domain": "shop.example"})


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the AWS settings of this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def transport(rum: LocalRum, client: Any = None, **settings: object) -> Transport:
    """Return a transport to the local RUM."""
    return Transport(make_config(**{"endpoint": rum.url, "signing": "none", **settings}), client)


def test_a_batch_is_received_unchanged(rum: LocalRum) -> None:
    """Ids, times to the microsecond, monitor, user, alias and metadata."""
    sent = batch('{"a":"é"}', alias="front")
    assert transport(rum).send(sent).disposition is Disposition.DELIVERED
    (got,) = rum.batches
    assert (got.app_monitor_id, got.batch_id, got.alias) == (APP_MONITOR_ID, sent.id, "front")
    assert got.app_monitor == {"id": APP_MONITOR_ID, "name": "monitor", "version": "1.2"}
    assert (got.session_id, got.user_id) == (SESSION_ID, NIL)
    assert got.session_metadata == {"version": "1.0.0", "domain": "shop.example"}
    (event,) = got.events
    assert (event.id, event.details) == (sent.events[0].id, {"a": "é"})
    assert event.timestamp == pytest.approx(START_NS / 1e9 + 0.123456, abs=1e-5)
    assert event.metadata == {"version": "1.0.0", "domain": "shop.example", "pageId": "/"}
    assert not got.signed
    assert (rum.refused, rum.dropped, rum.removed) == ((), (), ())


def test_the_user_agent_names_the_exporter_and_its_version(rum: LocalRum) -> None:
    """OTel requires it of exporters."""
    transport(rum).send(batch())
    assert f"otel-rum-exporter/{__version__}" in rum.batches[0].headers["user-agent"]


def test_a_large_body_is_compressed_and_a_small_one_is_not(rum: LocalRum) -> None:
    """Gzip from 2 KB on, and never with compression=none."""
    big = batch(json.dumps({"text": "x" * MIN_COMPRESSED_BYTES}))
    transport(rum).send(big)
    transport(rum).send(batch())
    transport(rum, compression="none").send(big)
    assert [got.headers.get("content-encoding") for got in rum.batches] == ["gzip", None, None]


def test_a_request_is_signed_for_service_and_region(rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore signs the compressed body, with credentials of its default chain."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    big = batch(json.dumps({"text": "x" * MIN_COMPRESSED_BYTES}))
    assert transport(rum, signing="sigv4", region="eu-west-1").send(big).disposition is Disposition.DELIVERED
    assert rum.batches[0].signed


def test_debug_lines_of_botocore_have_no_session_token(
    rum: LocalRum, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was in the canonical request, and in the headers of the request."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEEXAMPLE12")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "short/token+1")
    with caplog.at_level(logging.DEBUG):
        one = transport(rum, signing="sigv4", region="eu-west-1")
        assert one.send(batch()).disposition is Disposition.DELIVERED
        one.close()
    assert rum.batches[0].signed
    assert "X-Amz-Security-Token" in caplog.text
    assert "short/token+1" not in caplog.text
    assert "ASIAEXAMPLE" not in caplog.text


def test_debug_lines_and_tracebacks_of_botocore_have_no_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was in the parameters of the endpoint, and in the tracebacks of failed connections."""
    monkeypatch.setenv("HTTP_PROXY", "socks5://bob:hunter2@127.0.0.1:9")
    config = make_config(endpoint="http://ann:hunter2@rum.test", signing="none", region="eu-west-1")
    with caplog.at_level(logging.DEBUG), closing(Transport(config)) as one:
        assert one.send(batch()).disposition is Disposition.RETRY
    formatted = caplog.text + "".join(record.exc_text or "" for record in caplog.records)
    assert "Traceback" in formatted
    assert "hunter2" not in formatted


def test_without_session_metadata_in_the_model_each_event_has_all_metadata(rum: LocalRum, tmp_path: Path) -> None:
    """Botocore before 1.44.5 rejects the parameter SessionMetadata."""
    client = old_client(rum, tmp_path)
    with pytest.raises(botocore.exceptions.ParamValidationError, match="SessionMetadata"):
        client.put_rum_events(
            Id=APP_MONITOR_ID, BatchId=NIL, AppMonitorDetails={}, UserDetails={}, RumEvents=[], SessionMetadata="{}"
        )
    assert transport(rum, client).send(batch()).disposition is Disposition.DELIVERED
    (got,) = rum.batches
    assert got.session_metadata == {}
    assert got.events[0].metadata == {"version": "1.0.0", "domain": "shop.example", "pageId": "/"}
    assert not rum.refused


def old_client(rum: LocalRum, folder: Path) -> Any:
    """Return a boto3 client with the model of an older botocore."""
    session = boto3.session.Session(region_name="us-east-1")
    loader = session._session.get_component("data_loader")
    model = copy.deepcopy(loader.load_service_model("rum", "service-2"))
    model["shapes"]["PutRumEventsRequest"]["members"].pop("SessionMetadata", None)
    directory = folder / "rum" / "2018-05-10"
    directory.mkdir(parents=True)
    (directory / "service-2.json").write_text(json.dumps(model))
    other = botocore.session.get_session()
    other.set_config_variable("data_path", str(folder))
    return boto3.session.Session(botocore_session=other, region_name="us-east-1").client(
        "rum",
        endpoint_url=rum.url,
        config=BotoConfig(signature_version=botocore.UNSIGNED, inject_host_prefix=False),
    )


def test_a_client_passed_in_is_used_unchanged(rum: LocalRum) -> None:
    """A stub with one method is enough. It gets the parameters of boto3's method."""
    calls: list[dict[str, Any]] = []

    class Stub:
        def put_rum_events(self, **parameters: Any) -> None:
            calls.append(parameters)

    assert transport(rum, Stub()).send(batch()).disposition is Disposition.DELIVERED
    assert calls[0]["Id"] == APP_MONITOR_ID
    assert not rum.requests


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "ThrottlingException", Disposition.THROTTLED),
        (500, "InternalServerException", Disposition.RETRY),
        (503, "ServiceUnavailable", Disposition.RETRY),
        (403, "AccessDeniedException", Disposition.WAIT),
        (403, "SomethingElse", Disposition.WAIT),
        (404, "ResourceNotFoundException", Disposition.WAIT),
        (400, "ValidationException", Disposition.SPLIT),
        (413, "RequestEntityTooLargeException", Disposition.SPLIT),
    ],
)
def test_an_error_has_the_disposition_of_the_table_after_one_request(
    rum: LocalRum, status: int, code: str, expected: Disposition
) -> None:
    """Botocore does not retry. The outcome has the server's Retry-After."""
    rum.answer(status, error_type=code, retry_after_seconds=7, message="reason")
    outcome = transport(rum).send(batch())
    assert (outcome.disposition, outcome.reason, outcome.retry_after_seconds) == (expected, code, 7.0)
    assert "reason" in outcome.message
    assert len(rum.requests) == 1


@pytest.mark.parametrize(("header", "expected"), [("Wed, 01 Jan 2020 00:00:00 GMT", 0.0), ("soon", None)])
def test_throttling_with_a_retry_after_that_botocore_cannot_parse_is_throttling(
    rum: LocalRum, header: str, expected: float | None
) -> None:
    """Botocore's model requires a whole number, and raises for anything else."""
    rum.faults = [Fault(status=429, retry_after=header)]
    outcome = transport(rum).send(batch())
    assert (outcome.disposition, outcome.reason) == (Disposition.THROTTLED, "ThrottlingException")
    assert outcome.retry_after_seconds == expected


def test_missing_server_region_and_credentials_are_outcomes() -> None:
    """Nothing is raised into the application, and each outcome has a fix."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    refused = Transport(make_config(endpoint=url, signing="none")).send(batch())
    assert (refused.disposition, refused.reason) == (Disposition.RETRY, "EndpointConnectionError")
    no_region = Transport(make_config()).send(batch())
    assert (no_region.disposition, no_region.reason) == (Disposition.WAIT, "NoRegionError")
    assert "OTEL_EXPORTER_AWS_RUM_REGION" in no_region.advice
    no_credentials = Transport(make_config(endpoint=url, region="eu-west-1")).send(batch())
    assert (no_credentials.disposition, no_credentials.reason) == (Disposition.WAIT, "NoCredentialsError")
    assert "OTEL_EXPORTER_AWS_RUM_SIGNING" in no_credentials.advice


def test_renewed_credentials_are_used_without_a_restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """boto3 reads credentials once per client, so a new client is built after an error."""
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    with LocalRum(credentials=Credentials("AKIDSECOND", "example")) as rum:
        one = transport(rum, signing="sigv4", region="eu-west-1")
        assert one.send(batch()).reason == "NoCredentialsError"
        file.write_text("[default]\naws_access_key_id = AKIDFIRST\naws_secret_access_key = example\n")
        refused = one.send(batch())
        assert (refused.disposition, refused.reason) == (Disposition.WAIT, "UnrecognizedClientException")
        file.write_text("[default]\naws_access_key_id = AKIDSECOND\naws_secret_access_key = example\n")
        assert one.send(batch()).disposition is Disposition.DELIVERED


def test_a_client_with_stale_credentials_is_closed(rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one replaces it, and its connections would stay open until it is collected."""
    closed: list[object] = []
    close = botocore.httpsession.URLLib3Session.close

    def recorded(session: Any) -> None:
        closed.append(session)
        close(session)

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "close", recorded)
    rum.answer(403, error_type="ExpiredTokenException")
    one = transport(rum)
    assert one.send(batch()).reason == "ExpiredTokenException"
    assert len(closed) == 1
    assert one.send(batch()).disposition is Disposition.DELIVERED
    one.close()
    assert len(closed) == 2


def test_the_default_endpoint_is_the_data_plane_of_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is botocore's, with its host prefix. Telemetry may name another region."""
    urls: list[str] = []

    def intercept(_: object, request: Any) -> Any:
        urls.append(request.url)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, io.BytesIO())

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", intercept)
    one = Transport(make_config(region="eu-central-1"))
    one.send(batch())
    sent = batch()
    app_monitor = sent.key.app_monitor._replace(region="us-west-2")
    one.send(sent._replace(key=sent.key._replace(app_monitor=app_monitor)))
    assert urls == [
        f"https://dataplane.rum.{region}.amazonaws.com/appmonitors/{APP_MONITOR_ID}/"
        for region in ("eu-central-1", "us-west-2")
    ]
