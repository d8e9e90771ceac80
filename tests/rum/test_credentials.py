"""Credentials of AWS's chain, of Cognito guests, of roles, and none, with moto and the local RUM over HTTP."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.config import Config, ConfigError
from otel_rum_exporter.local import LocalRum
from otel_rum_exporter.rum import credentials
from otel_rum_exporter.rum.client import Transport
from otel_rum_exporter.rum.credentials import GuestCredentials, create_session
from otel_rum_exporter.rum.errors import Disposition
from tests.aws import ACCOUNT, REGION, Aws
from tests.rum.batches import batch
from tests.spans import make_config, make_span

ROLE = f"arn:aws:iam::{ACCOUNT}:role/guests"


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the AWS settings of this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Serve Cognito and STS, and set AWS's variables for their endpoints."""
    with Aws().serving() as served:
        for service in ("COGNITO_IDENTITY", "STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", served.url)
        yield served


def guest_transport(rum: LocalRum, aws: Aws, **settings: object) -> Transport:
    """Return a transport with guest credentials."""
    pool = aws.identity_pool()
    return Transport(make_config(endpoint=rum.url, region=REGION, identity_pool_id=pool, **settings))


def test_guest_credentials_use_the_enhanced_flow(rum: LocalRum, aws: Aws) -> None:
    """Two calls with the first batch, none with the second."""
    transport = guest_transport(rum, aws)
    assert aws.operations == []
    assert [transport.send(batch()).disposition for _ in range(2)] == [Disposition.DELIVERED] * 2
    assert aws.operations == ["GetId", "GetCredentialsForIdentity"]
    assert all(got.signed for got in rum.batches)


def test_guest_credentials_with_a_role_use_the_basic_flow(rum: LocalRum, aws: Aws) -> None:
    """The role of the settings is assumed with a token of the identity."""
    assert guest_transport(rum, aws, guest_role_arn=ROLE).send(batch()).disposition is Disposition.DELIVERED
    assert aws.operations == ["GetId", "GetOpenIdToken", "AssumeRoleWithWebIdentity"]
    assert rum.batches[0].signed


def test_guest_credentials_take_precedence_over_the_environment(
    rum: LocalRum, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An identity pool is set on purpose."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    guest_transport(rum, aws).send(batch())
    assert aws.operations == ["GetId", "GetCredentialsForIdentity"]


@pytest.mark.parametrize("role", [None, ROLE])
def test_credentials_are_renewed_before_they_expire_with_the_same_identity(
    rum: LocalRum, aws: Aws, role: str | None
) -> None:
    """Credentials that expire within minutes are renewed. The identity is fetched once."""
    transport = guest_transport(rum, aws, guest_role_arn=role)
    aws.lifetime = timedelta(minutes=5)
    transport.send(batch())
    renewal = aws.operations[1:]
    aws.lifetime = timedelta(hours=1)
    assert [transport.send(batch()).disposition for _ in range(3)] == [Disposition.DELIVERED] * 3
    assert aws.operations == ["GetId", *renewal, *renewal]


def test_the_old_credentials_are_used_after_a_failed_early_renewal(rum: LocalRum, aws: Aws) -> None:
    """They are valid for some more minutes."""
    transport = guest_transport(rum, aws)
    aws.lifetime = timedelta(minutes=14)
    transport.send(batch())
    aws.fail(400, "NotAuthorizedException")
    assert transport.send(batch()).disposition is Disposition.DELIVERED
    assert aws.operations[-1] == "GetCredentialsForIdentity"


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalErrorException"), (429, "TooManyRequestsException"), (503, "")]
)
def test_a_transient_error_of_cognito_is_retried(rum: LocalRum, aws: Aws, status: int, code: str) -> None:
    """Each call has two attempts. After that the batch is retried."""
    transport = guest_transport(rum, aws)
    aws.fail(status, code)
    assert transport.send(batch()).disposition is Disposition.DELIVERED
    assert aws.operations == ["GetId", "GetId", "GetCredentialsForIdentity"]

    transport = guest_transport(rum, aws)
    aws.fail(status, code, times=credentials.ATTEMPTS)
    assert transport.send(batch()).disposition is Disposition.RETRY
    assert transport.send(batch()).disposition is Disposition.DELIVERED


@pytest.mark.parametrize(
    ("code", "status"),
    [("NotAuthorizedException", 400), ("InvalidIdentityPoolConfigurationException", 400), ("AccessDenied", 403)],
)
def test_a_rejection_by_cognito_never_splits_the_batch(rum: LocalRum, aws: Aws, code: str, status: int) -> None:
    """A status 400 of Cognito is not RUM's: the events are kept."""
    transport = guest_transport(rum, aws)
    aws.fail(status, code)
    outcome = transport.send(batch())
    assert (outcome.disposition, outcome.reason) == (Disposition.WAIT, code)
    assert "IDENTITY_POOL_ID" in outcome.advice


def test_botocore_logs_no_failed_renewals(rum: LocalRum, aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    """It would log a traceback with each attempt. The exporter logs them."""
    transport = guest_transport(rum, aws)
    aws.fail(400, "NotAuthorizedException", times=3)
    for _ in range(3):
        transport.send(batch())
    assert [record for record in caplog.records if record.name.startswith("botocore")] == []


def test_a_service_without_response_delays_a_batch_only_shortly(
    rum: LocalRum, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call has a timeout. The batch is kept."""
    transport = guest_transport(rum, aws)
    monkeypatch.setattr(credentials, "READ_TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", f"http://127.0.0.1:{silent.getsockname()[1]}")
        outcome = transport.send(batch())
    assert (outcome.disposition, outcome.reason) == (Disposition.RETRY, "ReadTimeoutError")


def test_a_deleted_identity_is_replaced(aws: Aws) -> None:
    """The owner of the pool may delete identities."""
    pool = aws.identity_pool()
    session = create_session(make_config(region=REGION, identity_pool_id=pool))
    signer = session.get_credentials()
    guest: GuestCredentials = session._session.get_component("credential_provider")
    guest._identity_id = "eu-west-1:00000000-1111-4222-8333-444444444444"
    aws.fail(400, "ResourceNotFoundException")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        signer.get_frozen_credentials()
    assert signer.get_frozen_credentials().access_key
    assert aws.operations == ["GetCredentialsForIdentity", "GetId", "GetCredentialsForIdentity"]


def test_a_role_of_the_profile_is_assumed(
    rum: LocalRum, aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The credential chain is boto3's, with profile, source profile and role."""
    (tmp_path / "config").write_text(
        f"[profile rum]\nrole_arn = {ROLE}\nsource_profile = base\nregion = {REGION}\n"
        "[profile base]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = example\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "rum")
    transport = Transport(make_config(endpoint=rum.url))
    aws.fail(400, "ValidationError")
    assert transport.send(batch()).disposition is Disposition.WAIT
    assert transport.send(batch()).disposition is Disposition.DELIVERED
    assert aws.operations == ["AssumeRole"] * 2
    assert rum.batches[0].signed


def test_unsigned_requests_fetch_no_credentials(
    rum: LocalRum, exporter: Callable[..., RumSpanExporter], aws: Aws
) -> None:
    """A resource policy needs no credentials, even if an identity pool is set."""
    one = exporter(signing="none", alias="front", identity_pool_id=aws.identity_pool())
    one.export([make_span()])
    assert one.force_flush(20_000)
    assert [(got.signed, got.alias) for got in rum.batches] == [(False, "front")]
    assert aws.operations == []


def test_requests_for_credentials_are_not_traced(rum: LocalRum, aws: Aws) -> None:
    """Exporting their spans would need credentials, which would cause further spans."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    instrumentors: tuple[Any, ...] = (BotocoreInstrumentor(), URLLib3Instrumentor())  # type: ignore[no-untyped-call]
    transport = guest_transport(rum, aws, guest_role_arn=ROLE)
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        assert transport.send(batch()).disposition is Disposition.DELIVERED
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
    assert len(aws.operations) == 3
    assert memory.get_finished_spans() == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_fetches_its_own_credentials(
    rum: LocalRum, exporter: Callable[..., RumSpanExporter], aws: Aws
) -> None:
    """It uses no connections or locks of its parent."""
    one = exporter(signing="sigv4", region=REGION, identity_pool_id=aws.identity_pool())
    one.export([make_span()])
    assert one.force_flush(20_000)
    child = os.fork()
    if child == 0:
        one.export([make_span()])
        os._exit(0 if one.force_flush(20_000) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [got.signed for got in rum.batches] == [True, True]
    assert aws.operations == ["GetId", "GetCredentialsForIdentity"] * 2


def test_secrets_are_in_no_repr_and_no_log(rum: LocalRum, aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    """Also after an error."""
    config = make_config(endpoint=rum.url, region=REGION, identity_pool_id=aws.identity_pool(), guest_role_arn=ROLE)
    session = create_session(config)
    frozen = session.get_credentials().get_frozen_credentials()
    caplog.set_level(logging.INFO)
    transport = Transport(config)
    transport.send(batch())
    aws.fail(400, "NotAuthorizedException")
    shown = repr((config, session, session.get_credentials(), transport, transport.__dict__)) + caplog.text
    assert frozen.secret_key
    for secret in (frozen.secret_key, frozen.token):
        assert secret not in shown


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"identity_pool_id": "guests"}, "identity_pool_id='guests' is not the id of an identity pool"),
        ({"guest_role_arn": "guests"}, "guest_role_arn='guests' is not the ARN of a role"),
        ({"guest_role_arn": ROLE}, "guest_role_arn is set without "),
    ],
)
def test_wrong_settings_of_guest_credentials_raise_config_error(settings: dict[str, str], fault: str) -> None:
    """The message has the fix."""
    with pytest.raises(ConfigError, match=fault):
        Config.read({"app_monitor_id": "00000000-aaaa-4bbb-8ccc-000000000001", **settings}, {})
