"""IAM policies: the statement that grants a missing permission, and the reading of resource policies.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-resource-policies.html
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PUT_RUM_EVENTS = "rum:PutRumEvents"


@dataclass(frozen=True, slots=True)
class AppMonitorArn:
    """The ARN of an app monitor. An unknown part is a placeholder in capitals, such as ACCOUNT."""

    partition: str
    region: str
    account: str
    name: str

    def __str__(self) -> str:
        """Return the ARN. It contains the app monitor's name, not its id."""
        return f"arn:{self.partition}:rum:{self.region}:{self.account}:appmonitor/{self.name}"


def policy(action: str, resource: str, **more: object) -> str:
    """Return the policy that allows an action, as JSON on one line."""
    statement = {"Effect": "Allow", **more, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def resource_policy_for(arn: AppMonitorArn, alias: str | None) -> str:
    """Return the resource policy that allows unsigned requests, only with the alias if there is one."""
    condition = {"Condition": {"StringEquals": {"rum:alias": [alias]}}} if alias else {}
    return policy(PUT_RUM_EVENTS, str(arn), Principal="*", **condition)


def attach(caller_arn: str | None, action: str, resource: str) -> str:
    """Return the instruction to attach a policy to the caller."""
    return f"attach to {grantee(caller_arn)} the policy {policy(action, resource)}"


def grantee(caller_arn: str | None) -> str:
    """Return the user or role of a caller. Policies are attached to a role, not to a session of it."""
    if caller_arn is None:
        return "the user or role that signs"
    head, _, tail = caller_arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.partition('/')[0]}" if tail else caller_arn


def allows_unsigned(document: str) -> bool:
    """Return whether a resource policy allows unsigned requests."""
    return any(True for _ in _public_statements(document))


def required_aliases(document: str) -> list[str]:
    """Return the aliases of which a resource policy requires one; empty if it requires none."""
    aliases: list[str] = []
    for statement in _public_statements(document):
        required = [
            value
            for condition in statement.get("Condition", {}).values()
            for key, value in condition.items()
            if key.lower() == "rum:alias"
        ]
        if not required:
            return []
        aliases.extend(alias for value in required for alias in _list(value))
    return aliases


def _public_statements(document: str) -> Iterator[dict[str, Any]]:
    for statement in _list(json.loads(document).get("Statement", [])):
        principal = statement.get("Principal")
        is_public = "*" in _list(principal.get("AWS", []) if isinstance(principal, dict) else principal)
        patterns = [action.lower() for action in _list(statement.get("Action", []))]
        allows_put = any(fnmatch.fnmatch(PUT_RUM_EVENTS.lower(), pattern) for pattern in patterns)
        if statement.get("Effect") == "Allow" and is_public and allows_put:
            yield statement


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
