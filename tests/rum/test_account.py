"""The AWS account of a process, read from its environment without a request."""

from __future__ import annotations

import pytest

from otel_rum_exporter.rum.account import credentials_in

NEW_KEY, OLD_KEY = "ASIAY34FZKBOKMUTVV7A", "AKIAIOSFODNN7EXAMPLE"
ROLE = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/web", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, {}),
        ({"AWS_ACCESS_KEY_ID": NEW_KEY}, {"account": "609629065308"}),
        ({"AWS_ACCESS_KEY_ID": "ASIAQNZGKIQY56JQ7WML"}, {"account": "029608264753"}),
        ({"AWS_ACCESS_KEY_ID": OLD_KEY}, {}),
        ({"AWS_ACCESS_KEY_ID": OLD_KEY, "AWS_ACCOUNT_ID": "210987654321"}, {"account": "210987654321"}),
        ({"AWS_ACCESS_KEY_ID": "test"}, {}),
        ({"AWS_ACCESS_KEY_ID": f"{NEW_KEY}\n"}, {}),
        ({"AWS_ACCESS_KEY_ID": "AKIA7777777777777777"}, {}),
        ({"AWS_ACCESS_KEY_ID": ""}, {}),
        (ROLE, {"account": "123456789012"}),
        ({"AWS_ROLE_ARN": ROLE["AWS_ROLE_ARN"]}, {}),
        ({**ROLE, "AWS_ROLE_ARN": "no ARN"}, {}),
        ({"AWS_PROFILE": "shop"}, {"profile": "shop"}),
        ({"AWS_DEFAULT_PROFILE": "first", "AWS_PROFILE": "shop"}, {"profile": "first"}),
        ({**ROLE, "AWS_PROFILE": "shop"}, {"account": "123456789012", "profile": "shop"}),
        ({**ROLE, "AWS_PROFILE": "shop", "AWS_ACCESS_KEY_ID": NEW_KEY}, {"account": "609629065308"}),
        ({"AWS_ACCOUNT_ID": "210987654321"}, {}),
    ],
)
def test_the_account_is_that_of_the_credentials_that_botocore_takes(
    environment: dict[str, str], found: dict[str, str]
) -> None:
    """Keys come first, as in botocore's chain. The account of keys made before 2019 or of another form is unknown."""
    account, profile = credentials_in(environment)
    assert {name: value for name, value in (("account", account), ("profile", profile)) if value} == found
