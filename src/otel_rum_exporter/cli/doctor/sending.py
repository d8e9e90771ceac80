"""The check that proves it all: one event, sent as the exporter sends."""

from __future__ import annotations

import time
import uuid

import orjson

from ..._version import VERSION
from ...config import variable
from ...rum.batch import AppMonitor, Batch, BatchKey
from ...rum.client import Transport
from ...rum.credentials import GUEST_METHOD
from ...rum.errors import Disposition
from ...rum.event import RumEvent
from ...rum.ids import NIL_UUID
from .app_monitor import ACCESS_DENIED
from .context import Subject
from .policy import PUT, attach, resource_statement
from .result import Finding, Unknown, failed, ok

EVENT_TYPE = "otel_rum_doctor"


def test_event(subject: Subject) -> Finding:
    """Send one custom event, in a session of its own."""
    config = subject.config
    if config.app_monitor_id is None:
        raise Unknown("there is no app monitor to send it to")
    if subject.is_signed and subject.session.get_credentials() is None:
        raise Unknown("there are no credentials to sign it with")
    monitor = AppMonitor(config.app_monitor_id, config.app_monitor_name, None, config.alias)
    outcome = Transport(config).send(_batch(monitor, config.domain or _domain(subject)))
    if outcome.disposition is Disposition.DELIVERED:
        return ok(f"one {EVENT_TYPE} was taken")
    if outcome.reason in ACCESS_DENIED or outcome.reason == "403":
        return failed(outcome.cause, _permit(subject))
    return failed(outcome.cause, outcome.advice or "nothing, unless it lasts")


def _permit(subject: Subject) -> str:
    """Say how RUM comes to take what is sent."""
    place = subject.place
    if not subject.is_signed:
        policy = resource_statement(place, subject.config.alias)
        return f"give the app monitor the resource policy {policy}\nor set {variable('signing')}=sigv4"
    if subject.session.get_credentials().method == GUEST_METHOD and subject.caller_arn is None:
        return f"in the role of the identity pool's guests, {attach(None, PUT, place.arn)}"
    correct = f"correct {variable('region')} and {variable('app_monitor_id')}"
    return f"{attach(subject.caller_arn, PUT, place.arn)}\nor {correct}"


def _domain(subject: Subject) -> str:
    """Return a domain that the app monitor takes events of."""
    return str((subject.monitor or {}).get("Domain", "")).removeprefix("*.").strip("*") or "localhost"


def _batch(monitor: AppMonitor, domain: str) -> Batch:
    metadata = orjson.dumps({"version": "1.0.0", "domain": domain}).decode()
    details = orjson.dumps({"version": VERSION}).decode()
    event = RumEvent(str(uuid.uuid4()), time.time_ns(), EVENT_TYPE, details, "{}", metadata)
    return Batch(BatchKey(monitor, str(uuid.uuid4()), NIL_UUID), (event,))
