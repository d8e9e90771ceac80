"""Credentials for signed requests: AWS's default chain, or guest credentials of a Cognito identity pool.

Creating a session makes no request. The first signature fetches credentials, in the thread that sends. They are fetched
again from 15 minutes before they expire.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from ..config import Config

CONNECT_TIMEOUT_SECONDS = 2.0
READ_TIMEOUT_SECONDS = 5.0
ATTEMPTS = 2
"""Attempts for each of the two or three calls. A second attempt helps after a broken connection."""

GUEST_METHOD = "cognito-guest"
"""Name of this method of finding credentials, for botocore."""

_ROLE_SESSION_NAME = "otel-rum-exporter"


def create_session(config: Config) -> Any:
    """Return a boto3 session with the region and credentials of a configuration, without a request."""
    import boto3
    import botocore.session

    logging.getLogger("botocore.credentials").addFilter(_is_not_renewal_failure)
    core = botocore.session.get_session()
    if config.identity_pool_id:
        provider = GuestCredentials(core, config.identity_pool_id, config.guest_role_arn)
        core.register_component("credential_provider", provider)
    return boto3.session.Session(botocore_session=core, region_name=config.region)


def _is_not_renewal_failure(record: logging.LogRecord) -> bool:
    """Filter out botocore's lines on failed renewals during a request, which the exporter logs once a minute."""
    return record.exc_info is None or not otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY)


class GuestCredentials:
    """Guest credentials of an identity pool, as AWS's web client uses them. Replaces botocore's credential chain.

    Keeps one Cognito identity until the session ends, or Cognito no longer has the identity.
    https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html
    """

    def __init__(self, core: Any, identity_pool_id: str, role_arn: str | None) -> None:
        self._core = core
        self._identity_pool_id = identity_pool_id
        self._role_arn = role_arn
        self._identity_id: str | None = None

    def load_credentials(self) -> Any:
        """Return credentials that are fetched on first use, and again before they expire."""
        from botocore.credentials import DeferredRefreshableCredentials

        return DeferredRefreshableCredentials(
            self._fetch, GUEST_METHOD, time_fetcher=lambda: datetime.now(timezone.utc)
        )

    def _fetch(self) -> dict[str, str]:
        cognito = self._client("cognito-identity")
        if self._identity_id is None:
            self._identity_id = cognito.get_id(IdentityPoolId=self._identity_pool_id)["IdentityId"]
        try:
            return self._basic(cognito) if self._role_arn else self._enhanced(cognito)
        except cognito.exceptions.ResourceNotFoundException:
            # The identity was deleted. The next attempt gets a new one.
            self._identity_id = None
            raise

    def _enhanced(self, cognito: Any) -> dict[str, str]:
        """Return credentials for the pool's guest role."""
        response = cognito.get_credentials_for_identity(IdentityId=self._identity_id)["Credentials"]
        return _refreshed(response, secret_key=response["SecretKey"])

    def _basic(self, cognito: Any) -> dict[str, str]:
        """Return credentials for the role of the settings, with a token of the identity."""
        token = cognito.get_open_id_token(IdentityId=self._identity_id)["Token"]
        response = self._client("sts").assume_role_with_web_identity(
            RoleArn=self._role_arn, RoleSessionName=_ROLE_SESSION_NAME, WebIdentityToken=token
        )["Credentials"]
        return _refreshed(response, secret_key=response["SecretAccessKey"])

    def _client(self, service: str) -> Any:
        """Return a client in the region of the pool."""
        return create_client(
            self._core.create_client, service, self._identity_pool_id.partition(":")[0], is_signed=False
        )


def create_client(
    create: Callable[..., Any], service: str, region: str | None, *, is_signed: bool = True, endpoint: str | None = None
) -> Any:
    """Create a client for small calls, with `client` of a boto3 session or `create_client` of a botocore session."""
    import botocore
    from botocore.config import Config as BotoConfig

    return create(
        service,
        region_name=region,
        endpoint_url=endpoint,
        config=BotoConfig(
            signature_version=None if is_signed else botocore.UNSIGNED,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        ),
    )


def _refreshed(response: dict[str, Any], *, secret_key: str) -> dict[str, str]:
    return {
        "access_key": response["AccessKeyId"],
        "secret_key": secret_key,
        "token": response["SessionToken"],
        "expiry_time": response["Expiration"].isoformat(),
    }
