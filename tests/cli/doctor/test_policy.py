"""Policies, written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_rum_exporter.cli.doctor.policy import (
    PUT_RUM_EVENTS,
    AppMonitorArn,
    allows_unsigned,
    grantee,
    policy,
    required_aliases,
    resource_policy_for,
)

ARN = AppMonitorArn("aws-us-gov", "us-gov-west-1", "123456789012", "shop")


def document(*statements: dict[str, Any]) -> str:
    """Return a policy; a statement allows everyone to send, except for the members given."""
    public = {"Effect": "Allow", "Principal": "*", "Action": PUT_RUM_EVENTS}
    return json.dumps({"Statement": [{**public, **statement} for statement in statements]})


def test_arn_has_partition_region_account_and_name() -> None:
    """It does not contain the id."""
    assert str(ARN) == "arn:aws-us-gov:rum:us-gov-west-1:123456789012:appmonitor/shop"
    assert str(ARN) in policy(PUT_RUM_EVENTS, str(ARN))


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, "the user or role that signs"),
        ("arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:user/ada"),
        ("arn:aws:sts::123456789012:assumed-role/web/i-0abc", "arn:aws:iam::123456789012:role/web"),
    ],
)
def test_grantee_of_a_role_session_is_the_role(caller: str | None, expected: str) -> None:
    """A policy cannot be attached to a session."""
    assert grantee(caller) == expected


@pytest.mark.parametrize(
    ("resource_policy", "is_public", "aliases"),
    [
        (document({}), True, []),
        (document({"Principal": {"AWS": "*"}, "Action": ["rum:*"]}), True, []),
        (document({"Condition": {"StringEquals": {"rum:alias": ["a", "b"]}}}), True, ["a", "b"]),
        (document({"Condition": {"StringEquals": {"rum:alias": "a"}}}, {}), True, []),
        (document({"Effect": "Deny"}), False, []),
        (document({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}), False, []),
        (document({"Action": "rum:GetAppMonitor"}), False, []),
        (resource_policy_for(ARN, None), True, []),
        (resource_policy_for(ARN, "a"), True, ["a"]),
    ],
)
def test_resource_policy_allows_unsigned_requests_or_requires_an_alias(
    resource_policy: str,
    is_public: bool,  # noqa: FBT001 - the value of a row
    aliases: list[str],
) -> None:
    """In the forms of AWS's examples, and in the form of this package."""
    assert (allows_unsigned(resource_policy), required_aliases(resource_policy)) == (is_public, aliases)
