"""Checks of the app monitor: whether it exists, and what it accepts."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...config import variable
from ...rum.errors import outcome_of
from .context import Context
from .policy import allows_unsigned, attach, required_aliases, resource_policy_for
from .result import NOT_RUM, Result, Skip, Status, failed, ok, result_of, warning

MAX_LISTED = 5
MAX_PAGES = 20
ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def monitor(context: Context) -> Result:
    """Find the app monitor by its id, and store it in the context."""
    if context.is_local and not context.is_endpoint_rum:
        raise Skip(NOT_RUM)
    if (context.is_signed or not context.is_local) and context.session.get_credentials() is None:
        raise Skip("there are no credentials to read it with")
    monitor_id, given = context.config.app_monitor_id, context.raw("app_monitor_id")
    try:
        if monitor_id is None and isinstance(given, str):
            return _find_by_name(context, given.strip())
        return _find_by_id(context, monitor_id)
    except Exception as error:  # noqa: BLE001 - every exception is a result
        return _result_of_failed_request(context, error)


def _find_by_id(context: Context, monitor_id: str | None) -> Result:
    client = context.rum()
    found = list(_summaries(context, client))
    name = next((summary["Name"] for summary in found if summary["Id"] == monitor_id), None)
    if name is None:
        choose = _choice(found)
        if monitor_id is None:
            return failed("no app monitor is set", choose)
        other = _other_region(context, monitor_id)
        if other:
            fix = f"set {context.source_of('region')}={other}"
            return failed(f"app monitor {monitor_id} is not in {context.region_in_words}, but in {other}", fix)
        return failed(
            f"this account has no app monitor {monitor_id} in {context.region_in_words}",
            f"{choose}; or correct the region",
        )
    context.monitor = context.request(client.get_app_monitor, Name=name)["AppMonitor"]
    state = context.monitor.get("State", "ACTIVE")
    if state != "ACTIVE":
        return warning(f"{name} is {state}", "wait until it is ACTIVE")
    given = context.config.app_monitor_name
    if given and given != name:
        return warning(f"{monitor_id} is named {name!r}, not {given!r}", f"set {variable('app_monitor_name')}={name}")
    return ok(f"{monitor_id} is {name} in {context.region_in_words}")


def _find_by_name(context: Context, name: str) -> Result:
    """Return the result if the id setting is no id: with its id if it is a name, else with the ids to choose from."""
    client = context.rum()
    source = context.source_of("app_monitor_id")
    try:
        found = context.request(client.get_app_monitor, Name=name)["AppMonitor"]
    except Exception as error:
        if outcome_of(error).reason != "ResourceNotFoundException":
            raise
        message = f"{source}={name!r} is no id, and no app monitor in {context.region_in_words} has this name"
        return Result(Status.SKIPPED, message, _choice(list(_summaries(context, client))))
    context.monitor = found
    return failed(f"{name!r} is the name of an app monitor, but {source} needs its id", f"set {source}={found['Id']}")


def _choice(found: Sequence[Mapping[str, Any]]) -> str:
    listed = ", ".join(f"{summary['Id']} ({summary['Name']})" for summary in found[:MAX_LISTED])
    return f"set {variable('app_monitor_id')} to one of: {listed}" if listed else "create an app monitor there"


def _summaries(context: Context, client: Any) -> Iterator[Mapping[str, Any]]:
    token: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        page = context.request(client.list_app_monitors, **token)
        yield from page.get("AppMonitorSummaries", ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _other_region(context: Context, monitor_id: str) -> str | None:
    """Return the other region that contains the app monitor, if one does."""
    regions = [region for region in context.session.get_available_regions("rum") if region != context.region]
    clients = {region: context.rum(region) for region in regions}

    def has(region: str) -> bool:
        try:
            return any(summary["Id"] == monitor_id for summary in _summaries(context, clients[region]))
        except Exception:  # noqa: BLE001 - the account may not use this region, or may not read it
            return False

    with concurrent.futures.ThreadPoolExecutor(len(regions)) as threads:
        return next(
            (region for region, is_there in zip(regions, threads.map(has, regions), strict=True) if is_there), None
        )


def _result_of_failed_request(context: Context, error: Exception) -> Result:
    reason = outcome_of(error).reason
    if reason == "UnknownOperationException":
        raise Skip("the endpoint cannot list app monitors") from error
    if reason in ACCESS_DENIED:
        allow = attach(context.caller_arn, "rum:ListAppMonitors", "*")
        also = attach(context.caller_arn, "rum:GetAppMonitor", str(context.arn))
        return warning(
            "there is no permission to read it; sending does not need one", f"to check it, {allow}\nand {also}"
        )
    return result_of(error, is_needed=False)


def custom_events(context: Context) -> Result:
    """Check whether the app monitor accepts custom events, if they are sent."""
    known = _monitor_found(context)
    if known.get("CustomEvents", {}).get("Status") == "ENABLED":
        return ok("enabled in the app monitor")
    if context.config.custom_events == "none":
        return ok("disabled in the app monitor, and not sent")
    return failed(
        "disabled in the app monitor: RUM drops them silently",
        f"aws rum update-app-monitor {_cli_options(context)} --custom-events Status=ENABLED\n"
        f"or set {variable('custom_events')}=none",
    )


def xray(context: Context) -> Result:
    """Compare the app monitor's X-Ray with the setting."""
    is_enabled = bool(_monitor_found(context).get("AppMonitorConfiguration", {}).get("EnableXRay"))
    if context.config.xray_events and not is_enabled:
        return warning(
            "xray_trace_event is sent, but X-Ray is disabled in the app monitor",
            f"enable it in the app monitor, or set {variable('xray_events')}=false",
        )
    accepted = "accepts" if is_enabled else "accepts no"
    sent = "sends them" if context.config.xray_events else "sends none"
    return ok(f"the app monitor {accepted} X-Ray events; this exporter {sent}")


def resource_policy(context: Context) -> Result:
    """Check whether the app monitor allows unsigned requests, if they are sent."""
    known = _monitor_found(context)
    if context.is_signed:
        raise Skip("requests are signed, so the policies of the user or role apply")
    alias = context.config.alias
    wanted = resource_policy_for(context.arn, alias)
    put_policy = f"aws rum put-resource-policy {_cli_options(context)} --policy-document '{wanted}'"
    try:
        document = context.request(context.rum().get_resource_policy, Name=known["Name"])["PolicyDocument"]
    except Exception as error:
        reason = outcome_of(error).reason
        if reason == "PolicyNotFoundException" and context.is_local:
            raise Skip("there is none, and an endpoint on this computer needs none") from error
        if reason == "PolicyNotFoundException":
            return failed("the app monitor has none, so RUM rejects unsigned requests", put_policy)
        if reason in ACCESS_DENIED:
            allow = attach(context.caller_arn, "rum:GetResourcePolicy", str(context.arn))
            return warning("there is no permission to read it", f"to check it, {allow}")
        if reason == "UnknownOperationException":
            raise Skip("the endpoint does not support resource policies") from error
        return result_of(error, is_needed=False)
    if not allows_unsigned(document):
        return failed("it does not allow unsigned requests", put_policy)
    aliases = required_aliases(document)
    if aliases and alias not in aliases:
        return failed(
            f"it requires the alias {' or '.join(aliases)}, but {repr(alias) if alias else 'none'} is sent",
            f"set {variable('alias')}={aliases[0]}",
        )
    return ok("it allows unsigned requests")


def _cli_options(context: Context) -> str:
    """Return the options of the AWS command line that select the app monitor."""
    return f"--region {context.arn.region} --name {context.arn.name}"


def _monitor_found(context: Context) -> Mapping[str, Any]:
    if context.monitor is None:
        raise Skip("the app monitor could not be read")
    return context.monitor
