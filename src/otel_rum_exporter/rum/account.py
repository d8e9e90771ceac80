"""The AWS account of a process, as far as its environment shows it: without a request, a file or botocore."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NamedTuple

from .._pattern import lazy_pattern

_KEY_ID = lazy_pattern(r"A[KS]IA([Q-Z2-7][A-Z2-7]{15})")
"""Ids of keys made since 2019 contain the account: https://medium.com/@TalBeerySec/a-short-note-on-aws-key-id-f88cc4317489"""

_ROLE_ARN = lazy_pattern(r"arn:[\w-]+:iam::(\d{12}):role/.+")
_ACCOUNTS = 10**12


class Credentials(NamedTuple):
    """The account or the profile of a process's credentials. None if it is unknown."""

    account: str | None
    profile: str | None


def credentials_in(environment: Mapping[str, str]) -> Credentials:
    """Return the account or the profile of the credentials in an environment, in the order of botocore's chain."""
    key_id = environment.get("AWS_ACCESS_KEY_ID")
    if key_id:
        return Credentials(environment.get("AWS_ACCOUNT_ID") or _account_of_key(key_id), None)
    is_web_identity = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    role = _ROLE_ARN.fullmatch(environment.get("AWS_ROLE_ARN", "")) if is_web_identity else None
    profile = environment.get("AWS_DEFAULT_PROFILE") or environment.get("AWS_PROFILE")
    return Credentials(role and role[1], profile)


def _account_of_key(key_id: str) -> str | None:
    found = _KEY_ID.fullmatch(key_id)
    if found is None:
        return None
    bits = int.from_bytes(base64.b32decode(found[1]), "big")
    account = bits >> 39 & (1 << 40) - 1  # the first of 80 bits is always set, the last 39 differ between keys
    return f"{account:012}" if account < _ACCOUNTS else None
