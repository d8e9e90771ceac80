"""Checks of endpoint, credentials, identity and clock."""

from __future__ import annotations

import socket

import pytest

from otel_rum_exporter.cli.doctor import Result, Status
from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum
from tests.aws import ACCOUNT, REGION, Aws
from tests.cli.doctor.diagnosis import KEY_ID, MONITOR_ID, SHOP, TOKEN, Diagnose, failures
from tests.cli.doctor.fake_regions import FakeRegions, web_server


def test_expired_credentials_fail_with_the_advice_to_renew_them(diagnose: Diagnose, shop: LocalRum, aws: Aws) -> None:
    """STS detects them without any permission."""
    aws.fail(403, "ExpiredToken")
    shop.faults = [Fault(status=403, error_type="ExpiredTokenException")]
    results = diagnose(shop.url, AWS_SESSION_TOKEN=TOKEN)
    assert results["identity"].message == "ExpiredToken: planned"
    assert results["identity"].fix == results["test event"].fix == "renew the AWS credentials"


@pytest.mark.parametrize(("seconds", "expected"), [(-3600, "ahead"), (3600, "behind")])
def test_wrong_clock_fails_with_difference_and_direction(diagnose: Diagnose, seconds: float, expected: str) -> None:
    """AWS rejects signatures with another time."""
    regions = FakeRegions({REGION: {"Id": MONITOR_ID, "Name": "shop"}}, clock_ahead_seconds=seconds)
    with regions.serving():
        results = diagnose(regions.url, AWS_ENDPOINT_URL_STS=None, AWS_ACCESS_KEY_ID=KEY_ID)
    assert results["clock"].status is Status.FAILED
    assert results["clock"].message.endswith(f"s {expected}; AWS rejects signatures that are 5 minutes off")
    assert "timedatectl" in results["clock"].fix


def test_clock_without_a_response_is_not_checked(diagnose: Diagnose) -> None:
    """No response, no date."""
    results = diagnose("", AWS_REGION=None, AWS_ENDPOINT_URL_RUM=None, AWS_ENDPOINT_URL_STS=None)
    assert results["clock"].status is Status.SKIPPED
    assert results["clock"].message == "not checked, no server response to compare with"


def test_endpoint_that_refuses_connections_fails_once(diagnose: Diagnose) -> None:
    """The test event fails for the same reason, and is skipped."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        results = diagnose(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert failures(results) == {"endpoint"}
    assert results["app monitor"].status is Status.WARNING
    assert results["test event"].message == "for the same reason as endpoint"
    assert results["endpoint"].message.startswith("EndpointConnectionError: ")
    assert results["endpoint"].fix.startswith("start `otel-rum local` on a free port, and set AWS_ENDPOINT_URL_RUM")


def test_captive_portal_fails_as_a_web_page(diagnose: Diagnose, shop: LocalRum) -> None:
    """Its response is a 200 with a page."""
    shop.faults = [Fault(status=200, content=CAPTIVE_PORTAL)]
    results = diagnose(shop.url)
    assert failures(results) == {"endpoint"}
    assert "responds with a web page" in results["endpoint"].message


def test_other_web_server_on_this_computer_gets_one_request(diagnose: Diagnose) -> None:
    """The advice is about its port, not about the network, and its page is not printed."""
    requested: list[str] = []
    with web_server(404, requested) as url:
        results = diagnose(url)
    assert failures(results) == {"endpoint"}
    assert results["endpoint"] == Result(
        Status.FAILED,
        f"{url} responds with a web page: it is another web server, not RUM's data plane",
        "start `otel-rum local` on a free port, and set AWS_ENDPOINT_URL_RUM to the URL that it prints",
    )
    other = Result(Status.SKIPPED, "the endpoint is not RUM's data plane")
    assert results["app monitor"] == results["test event"] == other
    assert requested == [f"/appmonitors/{MONITOR_ID}/"]


def test_proxy_that_is_a_captive_portal_fails_as_a_web_page(diagnose: Diagnose) -> None:
    """Requests to other computers go through the proxy."""
    with web_server() as url:
        results = diagnose("http://rum.example", http_proxy=url, no_proxy="127.0.0.1")
    assert failures(results) == {"endpoint"}
    assert results["test event"] == Result(Status.SKIPPED, "the endpoint is not RUM's data plane")
    assert results["endpoint"].message.startswith("the response is a web page")
    assert "HTTPS_PROXY" in results["endpoint"].fix


def test_proxy_that_refuses_connections_fails(diagnose: Diagnose) -> None:
    """The fix names the variables of proxies."""
    results = diagnose("http://rum.example", http_proxy="http://127.0.0.1:9", no_proxy="127.0.0.1")
    assert results["endpoint"].message.startswith("ProxyConnectionError: ")
    assert "HTTP_PROXY" in results["endpoint"].fix


def test_guest_without_permission_fails_with_the_policy_for_its_role(
    diagnose: Diagnose, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guest role is the one of the settings."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", aws.url)
    role = f"arn:aws:iam::{ACCOUNT}:role/guests"
    with LocalRum(app_monitors=[SHOP]) as rum:
        rum.faults = [Fault(status=403, error_type="AccessDeniedException")]
        guest = {f"{PREFIX}IDENTITY_POOL_ID": aws.identity_pool(), f"{PREFIX}GUEST_ROLE_ARN": role}
        results = diagnose(rum.url, **guest)
    assert results["credentials"].message.endswith(", a guest of the identity pool")
    assert results["test event"].fix.startswith(f"attach to {role} the policy ")


def test_identity_pool_that_rejects_guests_fails(
    diagnose: Diagnose, aws: Aws, shop: LocalRum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fix names the setting of the pool."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY", aws.url)
    pool_id = aws.identity_pool()
    aws.fail(400, "NotAuthorizedException", times=10)
    results = diagnose(shop.url, **{f"{PREFIX}IDENTITY_POOL_ID": pool_id})
    assert results["credentials"].status is Status.FAILED
    assert results["credentials"].message == "NotAuthorizedException: planned"
    assert "IDENTITY_POOL_ID" in results["credentials"].fix
