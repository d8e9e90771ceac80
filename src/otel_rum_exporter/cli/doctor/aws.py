"""Checks of the way to AWS: endpoint, credentials, identity, clock."""

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
from .context import Subject
from .result import Finding, Unknown, failed, of_error, ok, warning

PROBE_TIMEOUT_MILLIS = 5000

MAX_SKEW_SECONDS = 300
"""AWS refuses signatures that are older or newer.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

NOTICED_SKEW_SECONDS = 60


def endpoint(subject: Subject) -> Finding:
    """Send an unsigned request without events, which the endpoint takes or refuses."""
    if subject.region is None and subject.config.endpoint is None:
        raise Unknown("there is no region to take the endpoint of")
    config = replace(subject.config, signing="none", timeout_millis=PROBE_TIMEOUT_MILLIS)
    client = build_client(config)
    began = time.monotonic()
    try:
        answer = subject.ask(
            client.put_rum_events,
            Id=config.app_monitor_id or NIL_UUID,
            BatchId=NIL_UUID,
            AppMonitorDetails={},
            UserDetails={},
            RumEvents=[],
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        answer = getattr(error, "response", None)
        if answer is None:
            return of_error(error)
    where = scrub(config.endpoint) if config.endpoint else f"RUM in {subject.region}"
    code = answer.get("Error", {}).get("Code", "")
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    if (status in {404, 405} and code != "ResourceNotFoundException") or 300 <= status < 400:
        return failed(
            f"{where} answers {status} {code}, and is not RUM's data plane",
            f"correct {subject.named('endpoint')}",
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return warning(f"{where} answers {status} {code}", "nothing, unless it lasts")
    return ok(f"{where} answers, in {(time.monotonic() - began) * 1000:.0f} ms")


def credentials(subject: Subject) -> Finding:
    """Find what signs."""
    if not subject.is_signed:
        raise Unknown(f"{variable('signing')}=none, so nothing is signed")
    found = subject.session.get_credentials()
    if found is None:
        return failed("there are no AWS credentials", f"{_GIVE}\n{_GUEST}\n{_UNSIGNED}")
    frozen = found.get_frozen_credentials()
    kind = "a guest of the identity pool" if found.method == GUEST_METHOD else f"found by {found.method}"
    return ok(f"access key ...{frozen.access_key[-4:]}, {kind}")


_GIVE = "give the process AWS credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_GUEST = f"or let guests of a Cognito identity pool send: {variable('identity_pool_id')}"
_UNSIGNED = f"or set {variable('signing')}=none where the app monitor has a resource policy for it"


def identity(subject: Subject) -> Finding:
    """Ask STS who signs, which needs no permission."""
    if not subject.is_signed:
        raise Unknown("nothing is signed")
    if subject.session.get_credentials() is None:
        raise Unknown("there are no credentials")
    own_sts = any(subject.environment.get(name) for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"))
    if subject.is_local and not own_sts:
        raise Unknown("the endpoint is on this computer, so AWS is not asked")
    sts = create_client(subject.session.client, "sts", subject.region)
    try:
        caller = subject.ask(sts.get_caller_identity)
    except Exception as error:
        if outcome_of(error).reason == "UnknownOperationException":
            raise Unknown("the endpoint does not stand in for STS") from error
        return of_error(error, is_needed=False)
    subject.caller_arn = caller["Arn"]
    return ok(f"{caller['Arn']}")


def clock(subject: Subject) -> Finding:
    """Compare the clock with those of who answered."""
    if not subject.skews_seconds:
        raise Unknown("nobody has told the time")
    skew = min(subject.skews_seconds, key=abs)
    told = f"this clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead'}"
    if abs(skew) < NOTICED_SKEW_SECONDS:
        return ok("it agrees with the endpoint's")
    fix = "set the clock, and keep it set: timedatectl set-ntp true"
    if abs(skew) < MAX_SKEW_SECONDS or not subject.is_signed:
        return warning(f"{told}, and so are all events", fix)
    return failed(f"{told}; AWS refuses signatures that are {MAX_SKEW_SECONDS // 60} minutes off", fix)
