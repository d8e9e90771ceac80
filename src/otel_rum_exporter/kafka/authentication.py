"""Tokens for MSK, signed with the credentials of AWS.

https://docs.aws.amazon.com/msk/latest/developerguide/configure-clients-for-iam-access-control.html
"""

from __future__ import annotations

from collections.abc import Callable

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider


def msk_token(region: str) -> Callable[[str], tuple[str, float]]:
    """Return the function that librdkafka calls for a new token. It returns the token and its end, since the epoch."""

    def token(_: str) -> tuple[str, float]:
        value, expires_millis = MSKAuthTokenProvider.generate_auth_token(region)
        return value, expires_millis / 1000

    return token
