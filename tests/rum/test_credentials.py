"""Who signs: AWS's chain, guests of Cognito, roles and nobody, over real HTTP to moto and to the stand-in."""

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
from otel_rum_exporter.rum.credentials import Guest, session_of
from otel_rum_exporter.rum.errors import Verdict
from tests.aws import ACCOUNT, REGION, Aws
from tests.rum.test_client import batch
from tests.spans import make_config, make_span

ROLE = f"arn:aws:iam::{ACCOUNT}:role/guests"


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own AWS settings out."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Serve Cognito and STS, and name them as AWS's own variables do."""
    with Aws().serving() as served:
        for service in ("COGNITO_IDENTITY", "STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", served.url)
        yield served


def guest_transport(rum: LocalRum, aws: Aws, **settings: object) -> Transport:
    """Make a transport that signs as a guest."""
    pool = aws.identity_pool()
    return Transport(make_config(endpoint=rum.url, region=REGION, identity_pool_id=pool, **settings))


def test_a_guest_signs_in_the_enhanced_flow(rum: LocalRum, aws: Aws) -> None:
    """Two calls, at the first batch and not before; the second batch makes none."""
    transport = guest_transport(rum, aws)
    assert aws.asked == []
    assert [transport.send(batch()).verdict for _ in range(2)] == [Verdict.DELIVERED] * 2
    assert aws.asked == ["GetId", "GetCredentialsForIdentity"]
    assert all(got.signed for got in rum.batches)


def test_a_guest_with_a_role_signs_in_the_basic_flow(rum: LocalRum, aws: Aws) -> None:
    """The token of the identity is changed for the role that the settings name."""
    assert guest_transport(rum, aws, guest_role_arn=ROLE).send(batch()).verdict is Verdict.DELIVERED
    assert aws.asked == ["GetId", "GetOpenIdToken", "AssumeRoleWithWebIdentity"]
    assert rum.batches[0].signed


def test_a_guest_goes_before_credentials_of_the_environment(
    rum: LocalRum, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who names a pool means it, and a server's own rights stay out of it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    guest_transport(rum, aws).send(batch())
    assert aws.asked == ["GetId", "GetCredentialsForIdentity"]


@pytest.mark.parametrize("role", [None, ROLE])
def test_credentials_are_renewed_before_they_end_by_the_same_identity(
    rum: LocalRum, aws: Aws, role: str | None
) -> None:
    """An hour is long enough; what ends within minutes is renewed, and the identity asked for once."""
    transport = guest_transport(rum, aws, guest_role_arn=role)
    aws.lifetime = timedelta(minutes=5)
    transport.send(batch())
    renewal = aws.asked[1:]
    aws.lifetime = timedelta(hours=1)
    assert [transport.send(batch()).verdict for _ in range(3)] == [Verdict.DELIVERED] * 3
    assert aws.asked == ["GetId", *renewal, *renewal]


def test_a_renewal_that_fails_early_leaves_the_old_credentials_in_use(rum: LocalRum, aws: Aws) -> None:
    """There are minutes left to try again in."""
    transport = guest_transport(rum, aws)
    aws.lifetime = timedelta(minutes=14)
    transport.send(batch())
    aws.fail(400, "NotAuthorizedException")
    assert transport.send(batch()).verdict is Verdict.DELIVERED
    assert aws.asked[-1] == "GetCredentialsForIdentity"


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalErrorException"), (429, "TooManyRequestsException"), (503, "")]
)
def test_a_transient_failure_keeps_the_batch_and_passes(rum: LocalRum, aws: Aws, status: int, code: str) -> None:
    """Each call is made twice; when that does not help, the batch is to be sent again, and then it is."""
    transport = guest_transport(rum, aws)
    aws.fail(status, code)
    assert transport.send(batch()).verdict is Verdict.DELIVERED
    assert aws.asked == ["GetId", "GetId", "GetCredentialsForIdentity"]

    transport = guest_transport(rum, aws)
    aws.fail(status, code, times=credentials.ATTEMPTS)
    assert transport.send(batch()).verdict is Verdict.RETRY
    assert transport.send(batch()).verdict is Verdict.DELIVERED


@pytest.mark.parametrize(
    ("code", "status"),
    [("NotAuthorizedException", 400), ("InvalidIdentityPoolConfigurationException", 400), ("AccessDenied", 403)],
)
def test_a_refusal_waits_for_somebody_and_never_blames_the_batch(
    rum: LocalRum, aws: Aws, code: str, status: int
) -> None:
    """A 400 of Cognito is none of RUM's: the events are kept."""
    transport = guest_transport(rum, aws)
    aws.fail(status, code)
    outcome = transport.send(batch())
    assert (outcome.verdict, outcome.reason) == (Verdict.WAIT, code)
    assert "IDENTITY_POOL_ID" in outcome.advice


def test_a_failure_is_told_by_the_exporter_and_not_by_botocore_as_well(
    rum: LocalRum, aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    """Botocore would write a traceback at each attempt."""
    transport = guest_transport(rum, aws)
    aws.fail(400, "NotAuthorizedException", times=3)
    for _ in range(3):
        transport.send(batch())
    assert [record for record in caplog.records if record.name.startswith("botocore")] == []


def test_a_silent_service_holds_up_no_batch_for_long(rum: LocalRum, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call has time-outs of its own; the batch is kept."""
    transport = guest_transport(rum, aws)
    monkeypatch.setattr(credentials, "READ_TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", f"http://127.0.0.1:{silent.getsockname()[1]}")
        outcome = transport.send(batch())
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "ReadTimeoutError")


def test_a_deleted_identity_is_followed_by_another(aws: Aws) -> None:
    """Cognito forgets identities on request of the pool's owner."""
    pool = aws.identity_pool()
    session = session_of(make_config(region=REGION, identity_pool_id=pool))
    signer = session.get_credentials()
    guest: Guest = session._session.get_component("credential_provider")
    guest._identity_id = "eu-west-1:00000000-1111-4222-8333-444444444444"
    aws.fail(400, "ResourceNotFoundException")
    with pytest.raises(Exception, match="ResourceNotFoundException"):
        signer.get_frozen_credentials()
    assert signer.get_frozen_credentials().access_key
    assert aws.asked == ["GetCredentialsForIdentity", "GetId", "GetCredentialsForIdentity"]


def test_a_role_of_the_profile_is_assumed(
    rum: LocalRum, aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The AWS chain is boto3's own, profile, source profile and role included."""
    (tmp_path / "config").write_text(
        f"[profile rum]\nrole_arn = {ROLE}\nsource_profile = base\nregion = {REGION}\n"
        "[profile base]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = example\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "rum")
    transport = Transport(make_config(endpoint=rum.url))
    aws.fail(400, "ValidationError")
    assert transport.send(batch()).verdict is Verdict.WAIT
    assert transport.send(batch()).verdict is Verdict.DELIVERED
    assert aws.asked == ["AssumeRole"] * 2
    assert rum.batches[0].signed


def test_unsigned_with_an_alias_asks_nobody(rum: LocalRum, exporter: Callable[..., RumSpanExporter], aws: Aws) -> None:
    """A resource policy needs no credentials, and a pool that is set is left alone."""
    one = exporter(signing="none", alias="front", identity_pool_id=aws.identity_pool())
    one.export([make_span()])
    assert one.force_flush(20_000)
    assert [(got.signed, got.alias) for got in rum.batches] == [(False, "front")]
    assert aws.asked == []


def test_credentials_are_fetched_without_being_traced(rum: LocalRum, aws: Aws) -> None:
    """Spans of our own calls would be exported, which needs credentials, which makes spans."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    instrumentors: tuple[Any, ...] = (BotocoreInstrumentor(), URLLib3Instrumentor())  # type: ignore[no-untyped-call]
    transport = guest_transport(rum, aws, guest_role_arn=ROLE)
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        assert transport.send(batch()).verdict is Verdict.DELIVERED
    finally:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()
    assert len(aws.asked) == 3
    assert memory.get_finished_spans() == ()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_a_guest_of_its_own(
    rum: LocalRum, exporter: Callable[..., RumSpanExporter], aws: Aws
) -> None:
    """Neither connections nor locks of its parent are used."""
    one = exporter(signing="sigv4", region=REGION, identity_pool_id=aws.identity_pool())
    one.export([make_span()])
    assert one.force_flush(20_000)
    child = os.fork()
    if child == 0:
        one.export([make_span()])
        os._exit(0 if one.force_flush(20_000) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [got.signed for got in rum.batches] == [True, True]
    assert aws.asked == ["GetId", "GetCredentialsForIdentity"] * 2


def test_secrets_stand_neither_in_a_repr_nor_in_the_log(
    rum: LocalRum, aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    """What signs is shown to nobody, also when something fails."""
    config = make_config(endpoint=rum.url, region=REGION, identity_pool_id=aws.identity_pool(), guest_role_arn=ROLE)
    session = session_of(config)
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
        ({"guest_role_arn": ROLE}, "GUEST_ROLE_ARN is set without "),
    ],
)
def test_wrong_settings_of_guests_are_told(settings: dict[str, str], fault: str) -> None:
    """Each with its fix."""
    with pytest.raises(ConfigError, match=fault):
        Config.read({"app_monitor_id": "00000000-aaaa-4bbb-8ccc-000000000001", **settings}, {})
