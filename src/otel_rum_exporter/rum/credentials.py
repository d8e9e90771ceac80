"""Who signs the requests: AWS's own chain of credentials, or a guest of a Cognito identity pool.

Nothing is asked when a session is made; the first signature asks, in the thread that sends, and so does the first
signature 15 minutes before the credentials end.
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
"""Of each call, of which a guest makes two or three: as a rule a second one helps where a connection broke."""

GUEST = "cognito-guest"
"""What botocore calls a method of finding credentials."""

_ROLE_SESSION_NAME = "otel-rum-exporter"


def session_of(config: Config) -> Any:
    """Return a boto3 session that has region and credentials of a configuration; nothing goes over the network."""
    import boto3
    import botocore.session

    logging.getLogger("botocore.credentials").addFilter(_is_news)
    core = botocore.session.get_session()
    if config.identity_pool_id:
        guest = Guest(core, config.identity_pool_id, config.guest_role_arn)
        core.register_component("credential_provider", guest)
    return boto3.session.Session(botocore_session=core, region_name=config.region)


def _is_news(record: logging.LogRecord) -> bool:
    """Say whether a line of botocore's is for the log: a renewal that failed is told by the exporter, once a minute."""
    return record.exc_info is None or not otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY)


class Guest:
    """A guest of an identity pool, as AWS's web client is one; stands where botocore asks its chain.

    The identity stays the same for as long as the session, and as Cognito knows it.
    https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html
    """

    def __init__(self, core: Any, identity_pool_id: str, role_arn: str | None) -> None:
        self._core = core
        self._identity_pool_id = identity_pool_id
        self._role_arn = role_arn
        self._identity_id: str | None = None

    def load_credentials(self) -> Any:
        """Return credentials that are fetched when they are first used, and again before they end."""
        from botocore.credentials import DeferredRefreshableCredentials

        return DeferredRefreshableCredentials(self._fetch, GUEST, time_fetcher=lambda: datetime.now(timezone.utc))

    def _fetch(self) -> dict[str, str]:
        cognito = self._client("cognito-identity")
        if self._identity_id is None:
            self._identity_id = cognito.get_id(IdentityPoolId=self._identity_pool_id)["IdentityId"]
        try:
            return self._basic(cognito) if self._role_arn else self._enhanced(cognito)
        except cognito.exceptions.ResourceNotFoundException:
            # Somebody deleted the identity; the next attempt begins with another.
            self._identity_id = None
            raise

    def _enhanced(self, cognito: Any) -> dict[str, str]:
        """Take the role that the pool has for its guests."""
        found = cognito.get_credentials_for_identity(IdentityId=self._identity_id)["Credentials"]
        return _refreshed(found, secret_key=found["SecretKey"])

    def _basic(self, cognito: Any) -> dict[str, str]:
        """Take the role of the settings, with a token that says who asks."""
        token = cognito.get_open_id_token(IdentityId=self._identity_id)["Token"]
        found = self._client("sts").assume_role_with_web_identity(
            RoleArn=self._role_arn, RoleSessionName=_ROLE_SESSION_NAME, WebIdentityToken=token
        )["Credentials"]
        return _refreshed(found, secret_key=found["SecretAccessKey"])

    def _client(self, service: str) -> Any:
        """Return a client in the region of the pool."""
        return client_of(self._core.create_client, service, self._identity_pool_id.partition(":")[0], is_signed=False)


def client_of(
    create: Callable[..., Any], service: str, region: str | None, *, is_signed: bool = True, endpoint: str | None = None
) -> Any:
    """Make a client for a few small calls, with `client` of a boto3 session or `create_client` of a botocore one."""
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


def _refreshed(found: dict[str, Any], *, secret_key: str) -> dict[str, str]:
    return {
        "access_key": found["AccessKeyId"],
        "secret_key": secret_key,
        "token": found["SessionToken"],
        "expiry_time": found["Expiration"].isoformat(),
    }
