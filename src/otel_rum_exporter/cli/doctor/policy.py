"""Policies: the statement that grants what is missing, and whether a resource policy lets an alias in.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-resource-policies.html
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PUT = "rum:PutRumEvents"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an app monitor is; what is not known stands there as a word in capitals."""

    partition: str
    region: str
    account: str
    name: str

    @property
    def arn(self) -> str:
        """The app monitor's ARN, which has its name, not its id."""
        return f"arn:{self.partition}:rum:{self.region}:{self.account}:appmonitor/{self.name}"


def statement(action: str, resource: str, **more: object) -> str:
    """Return the policy that grants an action, as JSON on one line."""
    granted = {"Effect": "Allow", **more, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [granted]})


def resource_statement(place: Place, alias: str | None) -> str:
    """Return the resource policy that lets unsigned requests in, with an alias where there is one."""
    condition = {"Condition": {"StringEquals": {"rum:alias": [alias]}}} if alias else {}
    return statement(PUT, place.arn, Principal="*", **condition)


def attach(caller_arn: str | None, action: str, resource: str) -> str:
    """Say which policy to attach to whom."""
    return f"attach to {grantee(caller_arn)} the policy {statement(action, resource)}"


def grantee(caller_arn: str | None) -> str:
    """Return the user or role behind the ARN of a caller: a session of a role has no policies, its role has."""
    if caller_arn is None:
        return "the user or role that signs"
    head, _, tail = caller_arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.partition('/')[0]}" if tail else caller_arn


def admits_everyone(document: str) -> bool:
    """Say whether a resource policy lets unsigned requests in."""
    return any(True for _ in _open_statements(document))


def asked_aliases(document: str) -> list[str]:
    """Return the aliases that a resource policy asks unsigned requests for; none where it asks for none."""
    aliases: list[str] = []
    for one in _open_statements(document):
        asked = [
            value
            for condition in one.get("Condition", {}).values()
            for key, value in condition.items()
            if key.lower() == "rum:alias"
        ]
        if not asked:
            return []
        aliases.extend(alias for value in asked for alias in _list(value))
    return aliases


def _open_statements(document: str) -> Iterator[dict[str, Any]]:
    for one in _list(json.loads(document).get("Statement", [])):
        principal = one.get("Principal")
        everyone = "*" in _list(principal.get("AWS", []) if isinstance(principal, dict) else principal)
        actions = [action.lower() for action in _list(one.get("Action", []))]
        if one.get("Effect") == "Allow" and everyone and any(fnmatch.fnmatch(PUT.lower(), each) for each in actions):
            yield one


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
