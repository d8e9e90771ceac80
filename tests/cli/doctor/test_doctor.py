"""Each planted misconfiguration is named, with what mends it: against the stand-in, moto's STS and a fake RUM."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.cli.doctor import CHECKS, Check, Finding, Status, Subject, checks, diagnose
from otel_rum_exporter.cli.doctor.checks import SENDING
from otel_rum_exporter.local import CAPTIVE_PORTAL, AppMonitor, Credentials, Fault, LocalRum
from tests.aws import ACCOUNT, REGION, Aws
from tests.cli.doctor.regions import Regions, portal

MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000001"
OTHER_ID = "00000000-aaaa-4bbb-8ccc-000000000002"
SHOP = AppMonitor(id=MONITOR_ID, name="shop")
KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE1234", "example-secret-of-tests", "example-token-of-tests"
OWN = "OTEL_EXPORTER_AWS_RUM_"
ARN = f"arn:aws:rum:{REGION}:{ACCOUNT}:appmonitor/shop"

Found = dict[str, Finding]
Examine = Callable[..., Found]


pytestmark = pytest.mark.usefixtures("_alone")


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own settings out."""
    for name in [name for name in os.environ if name.upper().startswith(("OTEL_", "AWS_")) or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Serve STS."""
    with Aws().serving() as served:
        yield served


@pytest.fixture
def examine(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Examine a process that sends signed requests from a sound environment, but for the variables given."""

    def run(url: str, **variables: str | None) -> Found:
        sound = {
            f"{OWN}APP_MONITOR_ID": MONITOR_ID,
            "OTEL_TRACES_EXPORTER": "aws_rum",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL_RUM": url,
            "AWS_ENDPOINT_URL_STS": aws.url,
        }
        for name, value in (sound | variables).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return {check.name: finding for check, finding in diagnose(Subject({}, os.environ))}

    return run


@pytest.fixture
def shop() -> Iterator[LocalRum]:
    """Serve RUM with one app monitor, which asks for signatures."""
    with LocalRum(app_monitors=[SHOP], credentials=Credentials(KEY_ID, SECRET)) as rum:
        yield rum


def failures(found: Found) -> set[str]:
    """Return the names of the checks that failed."""
    return {name for name, finding in found.items() if finding.status is Status.FAILED}


def test_all_is_well_where_nothing_is_planted(examine: Examine, shop: LocalRum) -> None:
    """Every check that applies is made, and the test event arrives."""
    found = examine(shop.url)
    assert {name: finding.status.value for name, finding in found.items()} == {
        **dict.fromkeys((check.name for check in CHECKS), "ok"),
        "resource policy": "skipped",
    }
    assert found["credentials"].told == "access key ...1234, found by env"
    assert found["identity"].told == f"arn:aws:sts::{ACCOUNT}:user/moto"
    assert [event.type for event in shop.events] == ["otel_rum_doctor"]
    assert not shop.dropped


PLANTED: dict[str, tuple[dict[str, str | None], set[str], str, str]] = {
    "a wrong id": (
        {f"{OWN}APP_MONITOR_ID": OTHER_ID},
        {"app monitor", "test event"},
        f"no app monitor {OTHER_ID} in {REGION}",
        f"{MONITOR_ID} (shop)",
    ),
    "the name for the id": (
        {f"{OWN}APP_MONITOR_ID": "shop"},
        {"settings", "app monitor"},
        f"'shop' is the name of an app monitor, and {OWN}APP_MONITOR_ID takes its id",
        f"set {OWN}APP_MONITOR_ID={MONITOR_ID}",
    ),
    "no id": (
        {f"{OWN}APP_MONITOR_ID": None},
        {"settings", "app monitor"},
        "no app monitor is named",
        f"set {OWN}APP_MONITOR_ID to one of those there: {MONITOR_ID} (shop)",
    ),
    "no credentials": (
        {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
        {"credentials"},
        "there are no AWS credentials",
        f"or set {OWN}SIGNING=none",
    ),
    "half of the credentials": (
        {"AWS_SECRET_ACCESS_KEY": None},
        {"credentials"},
        "AWS_SECRET_ACCESS_KEY",
        "give the process AWS credentials",
    ),
    "a profile that is not there": (
        {"AWS_PROFILE": "nobody"},
        {"region"},
        "The config profile (nobody) could not be found",
        "check AWS_PROFILE",
    ),
    "wrong credentials": (
        {"AWS_SECRET_ACCESS_KEY": "another"},
        {"app monitor"},
        "InvalidSignatureException",
        "give the process AWS credentials",
    ),
    "a misspelt variable": (
        {f"{OWN}ENPOINT": "http://127.0.0.1:1"},
        {"variables"},
        f"'{OWN}ENPOINT' is not a setting; did you mean '{OWN}ENDPOINT'?",
        "rename or unset",
    ),
    "telemetry switched off": (
        {"OTEL_SDK_DISABLED": "true"},
        {"exporter"},
        "OTEL_SDK_DISABLED=true switches all telemetry off",
        "unset OTEL_SDK_DISABLED",
    ),
    "an endpoint that is not RUM's": (
        {f"{OWN}ENDPOINT": "{rum}/elsewhere"},
        {"endpoint", "test event"},
        "is not RUM's data plane",
        f"correct {OWN}ENDPOINT",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_in_the_environment_is_named(examine: Examine, shop: LocalRum, planted: str) -> None:
    """With all checks that it fails, the cause quoted, and what mends it."""
    variables, expected, told, fix = PLANTED[planted]
    given = {name: value and value.format(rum=shop.url) for name, value in variables.items()}
    found = examine(shop.url, **given)
    assert failures(found) == expected
    assert any(told in found[name].told for name in expected), found
    assert any(fix in found[name].fix for name in expected), found


def test_an_app_monitor_of_another_region_is_found_there(examine: Examine) -> None:
    """Ids say nothing of regions, so the others are asked."""
    with Regions({"eu-central-1": {"Id": MONITOR_ID, "Name": "shop"}}).serving() as regions:
        found = examine(regions.url)
    assert found["app monitor"].told == f"app monitor {MONITOR_ID} is not in {REGION}, but in eu-central-1"
    assert found["app monitor"].fix == "set AWS_REGION=eu-central-1"
    assert "test event" in failures(found)


def test_a_region_that_does_not_exist_is_named(examine: Examine, shop: LocalRum) -> None:
    """With the likely one; a stand-in does not mind."""
    found = examine(shop.url, AWS_REGION="eu-wset-1")
    assert found["region"].status is Status.WARNING
    assert (found["region"].told, found["region"].fix) == (
        "'eu-wset-1', from AWS_REGION, is no region that boto3 knows RUM in",
        "did you mean eu-west-1?",
    )


def test_no_region_is_named(examine: Examine) -> None:
    """Nothing is asked without one."""
    found = examine("", AWS_REGION=None, AWS_ENDPOINT_URL_RUM=None, AWS_ENDPOINT_URL_STS=None)
    assert found["region"] == Finding(
        Status.FAILED, "no region is set", f"set {OWN}REGION or AWS_REGION to the region of the app monitor"
    )
    assert found["endpoint"].status is Status.SKIPPED


def test_expired_credentials_are_named(examine: Examine, shop: LocalRum, aws: Aws) -> None:
    """STS tells, in whatever region and for whatever rights."""
    aws.fail(403, "ExpiredToken")
    shop.faults = [Fault(status=403, error_type="ExpiredTokenException")]
    found = examine(shop.url, AWS_SESSION_TOKEN=TOKEN)
    assert (found["identity"].told, found["identity"].fix) == ("ExpiredToken: planned", "renew the AWS credentials")
    assert found["test event"].fix == "renew the AWS credentials"


def test_missing_permission_is_answered_with_the_policy(examine: Examine, shop: LocalRum) -> None:
    """It has the ARN of the app monitor, name and account included, and whom to attach it to."""
    shop.faults = [Fault(status=403, error_type="AccessDeniedException", message="not authorized")]
    found = examine(shop.url)
    assert failures(found) == {"test event"}
    assert found["test event"].told == "AccessDeniedException: not authorized"
    head, _, policy = found["test event"].fix.splitlines()[0].partition(" the policy ")
    assert head == f"attach to arn:aws:sts::{ACCOUNT}:user/moto"
    assert json.loads(policy)["Statement"] == [{"Effect": "Allow", "Action": "rum:PutRumEvents", "Resource": ARN}]


def test_custom_events_that_are_disabled_are_named(examine: Examine) -> None:
    """RUM drops them without a word; not sending them is the other way out."""
    monitor = AppMonitor(id=MONITOR_ID, name="shop", custom_events=False)
    with LocalRum(app_monitors=[monitor]) as rum:
        found = examine(rum.url)
        assert failures(found) == {"custom events"}
        assert found["custom events"].fix.splitlines() == [
            f"aws rum update-app-monitor --region {REGION} --name shop --custom-events Status=ENABLED",
            f"or set {OWN}CUSTOM_EVENTS=false",
        ]
        assert not failures(examine(rum.url, **{f"{OWN}CUSTOM_EVENTS": "false"}))


def test_xray_events_for_an_app_monitor_without_xray_are_named(examine: Examine) -> None:
    """They would not be shown."""
    with LocalRum(app_monitors=[AppMonitor(id=MONITOR_ID, name="shop", xray=False)]) as rum:
        found = examine(rum.url, **{f"{OWN}XRAY_EVENTS": "true"})
    assert found["X-Ray"].status is Status.WARNING
    assert f"{OWN}XRAY_EVENTS=false" in found["X-Ray"].fix


@pytest.mark.parametrize(("seconds", "expected"), [(-3600, "ahead"), (3600, "behind")])
def test_a_clock_that_is_wrong_is_named(examine: Examine, seconds: float, expected: str) -> None:
    """By how much, and which way; AWS refuses what is signed at another time."""
    regions = Regions({REGION: {"Id": MONITOR_ID, "Name": "shop"}}, clock_ahead_seconds=seconds)
    with regions.serving():
        found = examine(regions.url, AWS_ENDPOINT_URL_STS=None, AWS_ACCESS_KEY_ID=KEY_ID)
    assert found["clock"].status is Status.FAILED
    assert found["clock"].told.endswith(f"s {expected}; AWS refuses signatures that are 5 minutes off")
    assert "timedatectl" in found["clock"].fix


def test_an_endpoint_that_is_not_there_is_named(examine: Examine) -> None:
    """The connection is refused, as by a service that is down."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        found = examine(url)
    assert failures(found) == {"endpoint"}
    assert found["app monitor"].status is Status.WARNING
    assert found["test event"].told == "for the same reason as endpoint"
    assert found["endpoint"].told.startswith("EndpointConnectionError: ")
    assert found["endpoint"].fix == "check region, endpoint and network"


def test_a_captive_portal_is_named(examine: Examine, shop: LocalRum) -> None:
    """It answers 200, with a page."""
    shop.faults = [Fault(status=200, content=CAPTIVE_PORTAL)]
    found = examine(shop.url)
    assert failures(found) >= {"endpoint", "test event"}
    assert found["endpoint"].told.startswith("a web page answered in place of AWS")


def test_a_proxy_that_is_a_portal_or_is_not_there_is_named(examine: Examine) -> None:
    """Requests to elsewhere go through it, as botocore's do."""
    far = "http://rum.example"
    with portal() as url:
        found = examine(far, http_proxy=url, no_proxy="127.0.0.1")
    assert failures(found) == {"endpoint", "test event"}
    assert found["endpoint"].told.startswith("a web page answered in place of AWS")
    assert "HTTPS_PROXY" in found["endpoint"].fix
    found = examine(far, http_proxy="http://127.0.0.1:9", no_proxy="127.0.0.1")
    assert found["endpoint"].told.startswith("ProxyConnectionError: ")
    assert "HTTP_PROXY" in found["endpoint"].fix


def test_a_package_that_a_variable_needs_is_named(
    examine: Examine, shop: LocalRum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""

    def version(package: str) -> str:
        if package == "opentelemetry-configuration":
            raise metadata.PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    found = examine(shop.url, OTEL_CONFIG_FILE="rum.yaml")
    assert failures(found) == {"packages"}
    assert found["packages"].fix == "pip install opentelemetry-configuration"


@pytest.mark.parametrize(
    ("monitor", "alias", "told", "fix"),
    [
        (AppMonitor(id=MONITOR_ID, name="shop", aliases=("front",)), None, "none is sent", "ALIAS=front"),
        (AppMonitor(id=MONITOR_ID, name="shop", aliases=("front",)), "back", "'back' is sent", "ALIAS=front"),
    ],
)
def test_an_alias_that_the_resource_policy_does_not_take_is_named(
    examine: Examine, monitor: AppMonitor, alias: str | None, told: str, fix: str
) -> None:
    """The right one is in the policy."""
    with LocalRum(app_monitors=[monitor]) as rum:
        found = examine(rum.url, **{f"{OWN}SIGNING": "none", f"{OWN}ALIAS": alias})
        assert failures(found) == {"resource policy", "test event"}
        assert told in found["resource policy"].told
        assert fix in found["resource policy"].fix
        assert not failures(examine(rum.url, **{f"{OWN}SIGNING": "none", f"{OWN}ALIAS": "front"}))


def test_unsigned_requests_without_a_policy_are_answered_with_one(examine: Examine, shop: LocalRum) -> None:
    """The policy has the alias that is sent."""
    shop.faults = [Fault(status=403, error_type="AccessDeniedException")]
    found = examine(shop.url, **{f"{OWN}SIGNING": "none", f"{OWN}ALIAS": "front"})
    policy = found["test event"].fix.splitlines()[0].partition(" policy ")[2]
    assert json.loads(policy)["Statement"][0]["Condition"] == {"StringEquals": {"rum:alias": ["front"]}}


def test_the_stand_in_as_it_is_started_is_well(examine: Examine) -> None:
    """What `otel-rum local` prints is sound: an app monitor by first use, no signatures, no AWS."""
    nobody = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_REGION": None}
    with LocalRum() as rum:
        found = examine(rum.url, AWS_ENDPOINT_URL_STS=None, **nobody, **{f"{OWN}SIGNING": "none"})
        assert (rum.refused, rum.dropped) == ((), ())
    assert not failures(found)
    assert found["test event"].status is Status.OK
    assert found["identity"].status is found["credentials"].status is Status.SKIPPED


def test_an_app_monitor_that_may_not_be_looked_at_is_no_failure(examine: Examine) -> None:
    """Sending does not need it; what lets the doctor look is told."""
    with Regions({REGION: {"Id": MONITOR_ID, "Name": "shop"}}, is_readable=False).serving() as regions:
        found = examine(regions.url, **{f"{OWN}APP_MONITOR_NAME": "shop"})
    assert not failures(found)
    assert found["app monitor"].status is Status.WARNING
    first, second = found["app monitor"].fix.splitlines()
    assert json.loads(first.partition(" policy ")[2])["Statement"][0]["Action"] == "rum:ListAppMonitors"
    assert json.loads(second.partition(" policy ")[2])["Statement"] == [
        {"Effect": "Allow", "Action": "rum:GetAppMonitor", "Resource": ARN}
    ]
    assert found["custom events"].status is Status.SKIPPED


def test_a_missing_resource_policy_is_answered_with_the_command_that_makes_it(
    examine: Examine, shop: LocalRum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away from this computer unsigned requests are refused without one."""
    monkeypatch.setattr(Subject, "is_local", False)
    found = examine(shop.url, **{f"{OWN}SIGNING": "none", f"{OWN}ALIAS": "front"})
    assert found["resource policy"].status is Status.FAILED
    command, _, document = found["resource policy"].fix.partition(" --policy-document ")
    assert command == f"aws rum put-resource-policy --region {REGION} --name shop"
    assert json.loads(document.strip("'"))["Statement"][0]["Condition"] == {"StringEquals": {"rum:alias": ["front"]}}


def test_a_guest_is_examined_like_anybody(examine: Examine, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its role is told where it lacks the right, and a pool that does not answer is named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", aws.url)
    pool = {f"{OWN}IDENTITY_POOL_ID": aws.identity_pool()}
    role = {f"{OWN}GUEST_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/guests"}
    with LocalRum(app_monitors=[SHOP]) as rum:
        rum.faults = [Fault(status=403, error_type="AccessDeniedException")]
        found = examine(rum.url, **pool, **role)
        assert found["credentials"].told.endswith(", a guest of the identity pool")
        assert found["test event"].fix.startswith(f"attach to arn:aws:iam::{ACCOUNT}:role/guests the policy ")
        aws.fail(400, "NotAuthorizedException", times=10)
        found = examine(rum.url, **pool)
    assert (found["credentials"].status, found["credentials"].told) == (
        Status.FAILED,
        "NotAuthorizedException: planned",
    )
    assert "IDENTITY_POOL_ID" in found["credentials"].fix


def test_a_check_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one is made."""
    monkeypatch.setattr(checks, "LIMIT_SECONDS", 0.05)
    for_ever = threading.Event()

    def stuck(_: Subject) -> Finding:
        for_ever.wait()
        raise AssertionError

    slow = Check("slow", "", stuck)
    try:
        found = list(diagnose(Subject({}, {}), [slow, CHECKS[0]]))
    finally:
        for_ever.set()
    assert [finding.told.startswith("no answer within") for _, finding in found] == [True, False]


def test_no_secret_is_told(examine: Examine, shop: LocalRum, aws: Aws) -> None:
    """Also where something fails: of a key, its last four characters."""
    variables: Mapping[str, Any] = {"AWS_SESSION_TOKEN": TOKEN, f"{OWN}ID_HASH_KEY": SECRET}
    aws.fail(403, "InvalidClientTokenId")
    told = str(examine(shop.url, **variables))
    assert "...1234" in told
    for secret in (SECRET, TOKEN, KEY_ID):
        assert secret not in told


def test_the_test_event_is_the_last_row() -> None:
    """Leaving it out leaves the others."""
    assert CHECKS[-1] is SENDING
