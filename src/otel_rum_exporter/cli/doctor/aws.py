"""Checks of the connection to AWS: endpoint, credentials, identity, clock."""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus

from ...config import variable
from ...mapping.urls import scrub
from ...rum.client import build_client
from ...rum.credentials import GUEST_METHOD, create_client
from ...rum.errors import outcome_of
from ...rum.ids import NIL_UUID
from .context import Context
from .result import WAIT_FIRST, Result, Skip, WebPageError, failed, ok, result_of, warning

PROBE_TIMEOUT_MILLIS = 5000

MAX_SKEW_SECONDS = 300
"""AWS rejects signatures with a larger difference of time.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

WARNING_SKEW_SECONDS = 60


def endpoint(context: Context) -> Result:
    """Send an unsigned request without events. Any response of RUM passes, even a rejection."""
    if context.region is None and context.config.endpoint is None:
        raise Skip("there is no region, and so no endpoint")
    config = replace(context.config, signing="none", timeout_millis=PROBE_TIMEOUT_MILLIS)
    client = build_client(config)
    began = time.monotonic()
    try:
        response = context.request(
            client.put_rum_events,
            Id=config.app_monitor_id or NIL_UUID,
            BatchId=NIL_UUID,
            AppMonitorDetails={},
            UserDetails={},
            RumEvents=[],
        )
    except WebPageError as page:
        context.is_endpoint_rum = False
        return _another_server(context, "a web page") if context.is_local else result_of(page)
    except Exception as error:  # noqa: BLE001 - every exception is a result
        response = getattr(error, "response", None)
        if response is None:
            is_off = context.is_local and type(error).__name__ == "EndpointConnectionError"
            return replace(result_of(error), fix=_fix_of_local(context)) if is_off else result_of(error)
    where = _where(context)
    code = response.get("Error", {}).get("Code", "")
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    if (status in {404, 405} and code != "ResourceNotFoundException") or 300 <= status < 400:
        context.is_endpoint_rum = False
        return _another_server(context, str(status))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return warning(f"{where} responds with {status} {code}", WAIT_FIRST)
    return ok(f"{where} responds in {(time.monotonic() - began) * 1000:.0f} ms")


def _where(context: Context) -> str:
    return scrub(context.config.endpoint) if context.config.endpoint else f"RUM in {context.region}"


def _another_server(context: Context, response: str) -> Result:
    fix = _fix_of_local(context) if context.is_local else f"correct {context.source_of('endpoint')}"
    return failed(f"{_where(context)} responds with {response}: it is another web server, not RUM's data plane", fix)


def _fix_of_local(context: Context) -> str:
    return f"start `otel-rum local` on a free port, and set {context.source_of('endpoint')} to the URL that it prints"


def credentials(context: Context) -> Result:
    """Check whether there are credentials, and print their source."""
    if not context.is_signed:
        raise Skip(f"{variable('signing')}=none: requests are not signed")
    found = context.session.get_credentials()
    if found is None:
        return failed("there are no AWS credentials", f"{_GIVE}\n{_GUEST}\n{_UNSIGNED}")
    frozen = found.get_frozen_credentials()
    source = "a guest of the identity pool" if found.method == GUEST_METHOD else f"found by {found.method}"
    return ok(f"access key ...{frozen.access_key[-4:]}, {source}")


_GIVE = "give the process AWS credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_GUEST = f"or send as a guest of a Cognito identity pool: {variable('identity_pool_id')}"
_UNSIGNED = f"or set {variable('signing')}=none if the app monitor has a resource policy for unsigned requests"


def identity(context: Context) -> Result:
    """Request the identity of the credentials from STS, which needs no permission."""
    if not context.is_signed:
        raise Skip("requests are not signed")
    if context.session.get_credentials() is None:
        raise Skip("there are no credentials")
    has_own_sts = any(context.environment.get(name) for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"))
    if context.is_local and not has_own_sts:
        raise Skip("the endpoint is on this computer, so no request is sent to AWS")
    sts = create_client(context.session.client, "sts", context.region)
    try:
        caller = context.request(sts.get_caller_identity)
    except Exception as error:
        if outcome_of(error).reason == "UnknownOperationException":
            raise Skip("the endpoint does not support STS") from error
        return result_of(error, is_needed=False)
    context.caller_arn = caller["Arn"]
    return ok(f"{caller['Arn']}")


def clock(context: Context) -> Result:
    """Compare the clock with the dates of the responses so far."""
    if not context.skews_seconds:
        raise Skip("not checked, no server response to compare with")
    skew = min(context.skews_seconds, key=abs)
    difference = f"this clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead'}"
    if abs(skew) < WARNING_SKEW_SECONDS:
        return ok("in sync with the endpoint")
    fix = "set the clock, and keep it in sync: timedatectl set-ntp true"
    if abs(skew) < MAX_SKEW_SECONDS or not context.is_signed:
        return warning(f"{difference}, and the times of all events are wrong by that", fix)
    return failed(f"{difference}; AWS rejects signatures that are {MAX_SKEW_SECONDS // 60} minutes off", fix)
