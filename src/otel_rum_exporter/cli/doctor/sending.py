"""The last check: send one event as the exporter does."""

from __future__ import annotations

import time
import uuid

import orjson

from ..._version import VERSION
from ...config import variable
from ...rum.batch import AppMonitor, Batch, BatchKey
from ...rum.client import Transport
from ...rum.credentials import GUEST_METHOD
from ...rum.encoded_events import EncodedEvents
from ...rum.errors import Disposition
from ...rum.event import RumEvent
from ...rum.ids import NIL_UUID
from .app_monitor import ACCESS_DENIED
from .context import Context
from .policy import PUT_RUM_EVENTS, attach, resource_policy_for
from .result import NOT_RUM, WAIT_FIRST, Result, Skip, failed, ok

EVENT_TYPE = "otel_rum_doctor"


def test_event(context: Context) -> Result:
    """Send one custom event in a session of its own."""
    config = context.config
    if not context.is_endpoint_rum:
        raise Skip(NOT_RUM)
    if config.app_monitor_id is None:
        raise Skip("no app monitor is set")
    if context.is_signed and context.session.get_credentials() is None:
        raise Skip("there are no credentials to sign with")
    monitor = AppMonitor(config.app_monitor_id, config.app_monitor_name, None, config.alias)
    outcome = Transport(config).send(_batch(monitor, config.domain or accepted_domain(context)))
    if outcome.disposition is Disposition.DELIVERED:
        return ok(f"RUM accepted one {EVENT_TYPE} event")
    if outcome.reason in ACCESS_DENIED or outcome.reason == "403":
        return failed(outcome.cause, _fix_of_permission(context))
    return failed(outcome.cause, outcome.advice or WAIT_FIRST)


def _fix_of_permission(context: Context) -> str:
    arn = context.arn
    if not context.is_signed:
        policy = resource_policy_for(arn, context.config.alias)
        return f"give the app monitor the resource policy {policy}\nor set {variable('signing')}=sigv4"
    if context.session.get_credentials().method == GUEST_METHOD and context.caller_arn is None:
        return f"in the guest role of the identity pool, {attach(None, PUT_RUM_EVENTS, str(arn))}"
    correct = f"correct {variable('region')} and {variable('app_monitor_id')}"
    return f"{attach(context.caller_arn, PUT_RUM_EVENTS, str(arn))}\nor {correct}"


def accepted_domain(context: Context) -> str:
    """Return a domain of which the app monitor accepts events."""
    return str((context.monitor or {}).get("Domain", "")).removeprefix("*.").strip("*") or "localhost"


def _batch(monitor: AppMonitor, domain: str) -> Batch:
    metadata = orjson.dumps({"version": "1.0.0", "domain": domain}).decode()
    details = orjson.dumps({"version": VERSION}).decode()
    event = RumEvent.of(str(uuid.uuid4()), time.time_ns(), EVENT_TYPE, details, "{}", metadata)
    return Batch(BatchKey(monitor, str(uuid.uuid4()), NIL_UUID), (EncodedEvents.of([event]),))
