"""Checks of the app monitor, its permissions and its resource policy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_rum_exporter.cli.doctor import Context, Result, Status
from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.local import AppMonitor, Fault, LocalRum
from tests.aws import ACCOUNT, REGION
from tests.cli.doctor.diagnosis import ARN, MONITOR_ID, Diagnose, failures
from tests.cli.doctor.fake_regions import FakeRegions


def statement(fix: str) -> Any:
    """Return the statement of the policy in a line of a fix."""
    (found,) = json.loads(fix.partition(" policy ")[2])["Statement"]
    return found


def test_app_monitor_of_another_region_fails_with_that_region(diagnose: Diagnose) -> None:
    """An id does not contain its region, so the check reads the other regions."""
    with FakeRegions({"eu-central-1": {"Id": MONITOR_ID, "Name": "shop"}}).serving() as regions:
        results = diagnose(regions.url)
    assert results["app monitor"] == Result(
        Status.FAILED,
        f"app monitor {MONITOR_ID} is not in {REGION}, but in eu-central-1",
        "set AWS_REGION=eu-central-1",
    )
    assert "test event" in failures(results)


def test_app_monitor_setting_that_is_neither_id_nor_name_fails_once(diagnose: Diagnose, shop: LocalRum) -> None:
    """The setting is wrong in itself. The check of the app monitor adds the other fact, and the ids to choose from."""
    results = diagnose(shop.url, **{f"{PREFIX}APP_MONITOR_ID": "my-shop"})
    assert failures(results) == {"settings"}
    assert results["app monitor"] == Result(
        Status.SKIPPED,
        f"{PREFIX}APP_MONITOR_ID='my-shop' is no id, and no app monitor in {REGION} has this name",
        f"set {PREFIX}APP_MONITOR_ID to one of: {MONITOR_ID} (shop)",
    )


def test_app_monitor_without_permission_to_read_it_is_a_warning(diagnose: Diagnose) -> None:
    """Sending does not need the permission. The fix contains the policies for the check."""
    with FakeRegions({REGION: {"Id": MONITOR_ID, "Name": "shop"}}, is_readable=False).serving() as regions:
        results = diagnose(regions.url, **{f"{PREFIX}APP_MONITOR_NAME": "shop"})
    assert not failures(results)
    assert results["app monitor"].status is Status.WARNING
    first, second = results["app monitor"].fix.splitlines()
    assert statement(first)["Action"] == "rum:ListAppMonitors"
    assert statement(second) == {"Effect": "Allow", "Action": "rum:GetAppMonitor", "Resource": ARN}
    assert results["custom events"].status is Status.SKIPPED


def test_send_permission_that_is_missing_fails_with_the_policy(diagnose: Diagnose, shop: LocalRum) -> None:
    """The fix contains the ARN of the app monitor, and the user to attach the policy to."""
    shop.faults = [Fault(status=403, error_type="AccessDeniedException", message="not authorized")]
    results = diagnose(shop.url)
    assert failures(results) == {"test event"}
    assert results["test event"].message == "AccessDeniedException: not authorized"
    fix = results["test event"].fix.splitlines()[0]
    assert fix.startswith(f"attach to arn:aws:sts::{ACCOUNT}:user/moto the policy ")
    assert statement(fix) == {"Effect": "Allow", "Action": "rum:PutRumEvents", "Resource": ARN}


def test_disabled_custom_events_fail_only_if_they_are_sent(diagnose: Diagnose) -> None:
    """RUM drops them silently."""
    monitor = AppMonitor(id=MONITOR_ID, name="shop", custom_events=False)
    with LocalRum(app_monitors=[monitor]) as rum:
        results = diagnose(rum.url)
        assert failures(results) == {"custom events"}
        assert results["custom events"].fix.splitlines() == [
            f"aws rum update-app-monitor --region {REGION} --name shop --custom-events Status=ENABLED",
            f"or set {PREFIX}CUSTOM_EVENTS=none",
        ]
        assert not failures(diagnose(rum.url, **{f"{PREFIX}CUSTOM_EVENTS": "none"}))


def test_xray_events_for_an_app_monitor_without_xray_are_a_warning(diagnose: Diagnose) -> None:
    """RUM would not show them."""
    with LocalRum(app_monitors=[AppMonitor(id=MONITOR_ID, name="shop", xray=False)]) as rum:
        results = diagnose(rum.url, **{f"{PREFIX}XRAY_EVENTS": "true"})
    assert results["X-Ray"].status is Status.WARNING
    assert f"{PREFIX}XRAY_EVENTS=false" in results["X-Ray"].fix


def test_xray_result_says_what_is_accepted_and_what_is_sent(diagnose: Diagnose, shop: LocalRum) -> None:
    """The exporter sends none by default."""
    message = "the app monitor accepts X-Ray events; this exporter sends none"
    assert diagnose(shop.url)["X-Ray"] == Result(Status.OK, message)


@pytest.mark.parametrize(("alias", "message"), [(None, "none is sent"), ("back", "'back' is sent")])
def test_alias_that_the_resource_policy_does_not_allow_fails(
    diagnose: Diagnose, alias: str | None, message: str
) -> None:
    """The fix contains the alias of the policy."""
    with LocalRum(app_monitors=[AppMonitor(id=MONITOR_ID, name="shop", aliases=("front",))]) as rum:
        results = diagnose(rum.url, **{f"{PREFIX}SIGNING": "none", f"{PREFIX}ALIAS": alias})
        assert failures(results) == {"resource policy", "test event"}
        assert message in results["resource policy"].message
        assert "ALIAS=front" in results["resource policy"].fix
        assert not failures(diagnose(rum.url, **{f"{PREFIX}SIGNING": "none", f"{PREFIX}ALIAS": "front"}))


def test_unsigned_test_event_that_is_rejected_fails_with_the_resource_policy(
    diagnose: Diagnose, shop: LocalRum
) -> None:
    """The policy contains the alias that is sent."""
    shop.faults = [Fault(status=403, error_type="AccessDeniedException")]
    results = diagnose(shop.url, **{f"{PREFIX}SIGNING": "none", f"{PREFIX}ALIAS": "front"})
    fix = results["test event"].fix.splitlines()[0]
    assert statement(fix)["Condition"] == {"StringEquals": {"rum:alias": ["front"]}}


def test_missing_resource_policy_fails_with_the_command_that_creates_it(
    diagnose: Diagnose, shop: LocalRum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RUM rejects unsigned requests without a policy; only a local endpoint does not."""
    monkeypatch.setattr(Context, "is_local", False)
    results = diagnose(shop.url, **{f"{PREFIX}SIGNING": "none", f"{PREFIX}ALIAS": "front"})
    assert results["resource policy"].status is Status.FAILED
    command, _, document = results["resource policy"].fix.partition(" --policy-document ")
    assert command == f"aws rum put-resource-policy --region {REGION} --name shop"
    assert json.loads(document.strip("'"))["Statement"][0]["Condition"] == {"StringEquals": {"rum:alias": ["front"]}}
