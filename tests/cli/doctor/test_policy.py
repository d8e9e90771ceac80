"""Policies, written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_rum_exporter.cli.doctor.policy import (
    Place,
    admits_everyone,
    asked_aliases,
    grantee,
    resource_statement,
    statement,
)

PUT = "rum:PutRumEvents"
PLACE = Place("aws-us-gov", "us-gov-west-1", "123456789012", "shop")


def policy(*statements: dict[str, Any]) -> str:
    """Return a document of statements that allow the action to everyone, unless told otherwise."""
    return json.dumps(
        {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": PUT, **one} for one in statements]}
    )


def test_the_arn_has_partition_region_account_and_name() -> None:
    """The id is not in it."""
    assert PLACE.arn == "arn:aws-us-gov:rum:us-gov-west-1:123456789012:appmonitor/shop"
    assert PLACE.arn in statement(PUT, PLACE.arn)


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, "the user or role that signs"),
        ("arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:user/ada"),
        ("arn:aws:sts::123456789012:assumed-role/web/i-0abc", "arn:aws:iam::123456789012:role/web"),
    ],
)
def test_a_session_of_a_role_is_given_rights_by_its_role(caller: str | None, expected: str) -> None:
    """Sessions have no policies of their own to attach to."""
    assert grantee(caller) == expected


@pytest.mark.parametrize(
    ("document", "is_open", "aliases"),
    [
        (policy({}), True, []),
        (policy({"Principal": {"AWS": "*"}, "Action": ["rum:*"]}), True, []),
        (policy({"Condition": {"StringEquals": {"rum:alias": ["a", "b"]}}}), True, ["a", "b"]),
        (policy({"Condition": {"StringEquals": {"rum:alias": "a"}}}, {}), True, []),
        (policy({"Effect": "Deny"}), False, []),
        (policy({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}), False, []),
        (policy({"Action": "rum:GetAppMonitor"}), False, []),
        (resource_statement(PLACE, None), True, []),
        (resource_statement(PLACE, "a"), True, ["a"]),
    ],
)
def test_a_resource_policy_is_open_or_asks_for_aliases(document: str, is_open: bool, aliases: list[str]) -> None:  # noqa: FBT001
    """As AWS's own examples are written, and as we write them."""
    assert (admits_everyone(document), asked_aliases(document)) == (is_open, aliases)
