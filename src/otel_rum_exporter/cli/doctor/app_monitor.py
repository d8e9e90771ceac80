"""Checks of the app monitor: whether it exists, and what it takes."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Mapping
from typing import Any

from ...config import variable
from ...rum.errors import outcome_of
from .context import Subject
from .policy import admits_everyone, asked_aliases, attach, resource_statement
from .result import Finding, Unknown, failed, of_error, ok, warning

MAX_TOLD = 5
MAX_PAGES = 20
ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def monitor(subject: Subject) -> Finding:
    """Find the app monitor by its id."""
    if (subject.is_signed or not subject.is_local) and subject.session.get_credentials() is None:
        raise Unknown("there are no credentials to look with")
    monitor_id, given = subject.config.app_monitor_id, subject.raw("app_monitor_id")
    try:
        if monitor_id is None and isinstance(given, str):
            return _named(subject, given.strip())
        return _identified(subject, monitor_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return _not_told(subject, error)


def _identified(subject: Subject, monitor_id: str | None) -> Finding:
    client = subject.rum()
    found = list(_summaries(subject, client))
    name = next((one["Name"] for one in found if one["Id"] == monitor_id), None)
    if name is None:
        told = ", ".join(f"{one['Id']} ({one['Name']})" for one in found[:MAX_TOLD])
        known = f"set {variable('app_monitor_id')} to one of those there: {told}" if told else "create one there"
        if monitor_id is None:
            return failed("no app monitor is named", known)
        elsewhere = _elsewhere(subject, monitor_id)
        if elsewhere:
            fix = f"set {subject.named('region')}={elsewhere}"
            return failed(f"app monitor {monitor_id} is not in {subject.where}, but in {elsewhere}", fix)
        return failed(
            f"this account has no app monitor {monitor_id} in {subject.where}", f"{known}; or correct the region"
        )
    subject.monitor = subject.ask(client.get_app_monitor, Name=name)["AppMonitor"]
    state = subject.monitor.get("State", "ACTIVE")
    if state != "ACTIVE":
        return warning(f"{name} is {state}", "wait until it is ACTIVE")
    given = subject.config.app_monitor_name
    if given and given != name:
        return warning(f"{monitor_id} is named {name!r}, not {given!r}", f"set {variable('app_monitor_name')}={name}")
    return ok(f"{monitor_id} is {name} in {subject.where}")


def _named(subject: Subject, name: str) -> Finding:
    """Return what to say where something that is no id was given as the id."""
    found = subject.ask(subject.rum().get_app_monitor, Name=name)["AppMonitor"]
    subject.monitor = found
    place = subject.named("app_monitor_id")
    return failed(f"{name!r} is the name of an app monitor, and {place} takes its id", f"set {place}={found['Id']}")


def _summaries(subject: Subject, client: Any) -> Iterator[Mapping[str, Any]]:
    token: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        page = subject.ask(client.list_app_monitors, **token)
        yield from page.get("AppMonitorSummaries", ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _elsewhere(subject: Subject, monitor_id: str) -> str | None:
    """Return the other region that the app monitor is in, if it is in any that can be asked."""
    regions = [one for one in subject.session.get_available_regions("rum") if one != subject.region]
    clients = {one: subject.rum(one) for one in regions}

    def has(region: str) -> bool:
        try:
            return any(one["Id"] == monitor_id for one in _summaries(subject, clients[region]))
        except Exception:  # noqa: BLE001 - a region that is not switched on, or that nobody may ask
            return False

    with concurrent.futures.ThreadPoolExecutor(len(regions)) as threads:
        return next(
            (region for region, is_there in zip(regions, threads.map(has, regions), strict=True) if is_there), None
        )


def _not_told(subject: Subject, error: Exception) -> Finding:
    reason = outcome_of(error).reason
    if reason == "UnknownOperationException":
        raise Unknown("the endpoint does not tell of app monitors") from error
    if reason == "ResourceNotFoundException":
        return failed("there is no app monitor of this name", f"set {variable('app_monitor_id')} to its id")
    if reason in ACCESS_DENIED:
        allow = attach(subject.caller_arn, "rum:ListAppMonitors", "*")
        also = attach(subject.caller_arn, "rum:GetAppMonitor", subject.place.arn)
        return warning(
            "it may not be looked at, which sending does not need", f"to have it checked, {allow}\nand {also}"
        )
    return of_error(error, is_needed=False)


def custom_events(subject: Subject) -> Finding:
    """See whether the app monitor takes custom events."""
    known = _known(subject)
    if known.get("CustomEvents", {}).get("Status") == "ENABLED":
        return ok("the app monitor takes them")
    if not subject.config.custom_events:
        return ok("the app monitor takes none, and none are sent")
    return failed(
        "the app monitor drops them without a word",
        f"aws rum update-app-monitor {_named_by(subject)} --custom-events Status=ENABLED\n"
        f"or set {variable('custom_events')}=false",
    )


def xray(subject: Subject) -> Finding:
    """Compare the app monitor's X-Ray with the setting."""
    is_enabled = bool(_known(subject).get("AppMonitorConfiguration", {}).get("EnableXRay"))
    if subject.config.xray_events and not is_enabled:
        return warning(
            "xray_trace_event is sent, but the app monitor has X-Ray switched off",
            f"switch it on in the app monitor, or set {variable('xray_events')}=false",
        )
    return ok(f"on in the app monitor: {is_enabled}; sent: {subject.config.xray_events}".lower())


def resource_policy(subject: Subject) -> Finding:
    """See whether unsigned requests are let in, where they are sent."""
    known = _known(subject)
    if subject.is_signed:
        raise Unknown("requests are signed, so that the signer's own policies decide")
    alias = subject.config.alias
    wanted = resource_statement(subject.place, alias)
    attach_it = f"aws rum put-resource-policy {_named_by(subject)} --policy-document '{wanted}'"
    try:
        document = subject.ask(subject.rum().get_resource_policy, Name=known["Name"])["PolicyDocument"]
    except Exception as error:
        reason = outcome_of(error).reason
        if reason == "PolicyNotFoundException" and subject.is_local:
            raise Unknown("there is none, and the endpoint on this computer decides for itself") from error
        if reason == "PolicyNotFoundException":
            return failed("the app monitor has none, so that unsigned requests are refused", attach_it)
        if reason in ACCESS_DENIED:
            allow = attach(subject.caller_arn, "rum:GetResourcePolicy", subject.place.arn)
            return warning("it may not be looked at", f"to have it checked, {allow}")
        if reason == "UnknownOperationException":
            raise Unknown("the endpoint does not tell of policies") from error
        return of_error(error, is_needed=False)
    if not admits_everyone(document):
        return failed("it does not let unsigned requests in", attach_it)
    asked = asked_aliases(document)
    if asked and alias not in asked:
        return failed(
            f"it asks for the alias {' or '.join(asked)}, and {repr(alias) if alias else 'none'} is sent",
            f"set {variable('alias')}={asked[0]}",
        )
    return ok("it lets unsigned requests in")


def _named_by(subject: Subject) -> str:
    """Return the options by which the AWS command line finds the app monitor."""
    return f"--region {subject.place.region} --name {subject.place.name}"


def _known(subject: Subject) -> Mapping[str, Any]:
    if subject.monitor is None:
        raise Unknown("the app monitor could not be looked at")
    return subject.monitor
