"""The table of settings: `Config`, for code, environment variables and declarative YAML.

The keyword of a setting is also its YAML key, and in upper case, after `OTEL_EXPORTER_AWS_RUM_`, its environment
variable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ._attributes import RESOURCE_APP_MONITOR_ID
from ._config_fields import (
    Names,
    Reading,
    Setting,
    amount,
    function_or,
    http_url,
    identity_pool_id,
    metadata_names,
    names_list,
    one_of,
    readings_of,
    role_arn,
    row,
    rows_of,
    share,
    truth,
    unknown_name,
    uuid,
    whole,
)
from ._secrets import without_secrets

if TYPE_CHECKING:
    from typing_extensions import Self

PageViews: TypeAlias = "Literal['auto', 'all', 'none'] | Callable[[Any], bool | None]"

Redaction: TypeAlias = "Literal['strict', 'standard', 'off'] | Callable[[str, Any], Any]"

SESSION_SILENCE_NS = 30 * 60 * 1_000_000_000
"""A session ends after 30 minutes without an event, as in AWS's web client (`sessionLengthSeconds`)."""

PREFIX = "OTEL_EXPORTER_AWS_RUM_"


class ConfigError(ValueError):
    """All faults of a configuration. `faults` has one message for each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(map(without_secrets, faults))
        super().__init__("; ".join(self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, validated. Make it with `Config.read`."""

    app_monitor_id: str | None = row(
        None,
        f"Id (UUID) of the app monitor. The resource attribute `{RESOURCE_APP_MONITOR_ID}` of a span overrides it.",
        uuid,
        shown="required",
    )
    app_monitor_name: str | None = row(None, "Name of the app monitor, sent with the events.", shown="none")
    region: str | None = row(
        None,
        "AWS region of the app monitor.",
        shown="the AWS profile's",
        fallbacks=("AWS_REGION", "AWS_DEFAULT_REGION"),
    )
    endpoint: str | None = row(
        None,
        "URL of another data plane, such as the local RUM, a proxy or a VPC endpoint.",
        http_url,
        shown="AWS's for the region",
        fallbacks=("AWS_ENDPOINT_URL_RUM", "AWS_ENDPOINT_URL"),
    )
    alias: str | None = row(
        None,
        "Alias that the app monitor's resource policy requires. The resource attribute `aws.rum.appmonitor.alias` of a "
        "span overrides it.",
        shown="none",
    )
    domain: str | None = row(
        None, "Domain in the metadata of events, unless the span has one.", shown="the service name"
    )
    signing: Literal["sigv4", "none"] = row(
        "sigv4",
        "`sigv4` signs with the AWS credential chain; `none` is for a resource policy or the local RUM.",
        one_of("sigv4", "none"),
    )
    identity_pool_id: str | None = row(
        None,
        "Id of a Cognito identity pool, whose guests sign instead of the AWS credential chain.",
        identity_pool_id,
        shown="none",
    )
    guest_role_arn: str | None = row(
        None,
        "ARN of the role that guests assume in Cognito's basic flow; without it the enhanced flow is used.",
        role_arn,
        shown="the pool's for guests",
    )
    compression: Literal["gzip", "none"] = row(
        "gzip", "Compression of request bodies: `gzip` or `none`.", one_of("gzip", "none")
    )
    timeout_millis: int = row(
        10_000, "Maximum time that one export, flush or shutdown waits, in milliseconds.", whole(1, 10_000)
    )
    max_events_per_request: int = row(100, "Maximum number of events in one PutRumEvents request.", whole(1, 100))
    max_requests_per_second: int = row(
        50, "Maximum number of requests per second, at most the quota of the account; 0 sets no limit.", whole(0, 50)
    )
    max_memory_bytes: int = row(
        64 * 1024 * 1024,
        "Maximum size of the events that are queued in memory; the oldest are dropped first.",
        whole(1024 * 1024, 64 * 1024 * 1024),
    )
    spool_directory: str | None = row(
        None,
        "Directory that keeps events until they are delivered, also after a crash or restart; processes may share it.",
        shown="none: in memory",
    )
    spool_max_bytes: int = row(
        512 * 1024 * 1024,
        "Maximum size of the spool directory; the oldest events are dropped first.",
        whole(1024 * 1024, 512 * 1024 * 1024),
    )
    spool_max_age_seconds: int = row(172_800, "Maximum age of events in the spool, in seconds.", whole(1, 172_800))
    http_events: Literal["failed", "all", "none"] = row(
        "failed",
        "HTTP requests that become an `http_event`: `failed`, `all` or `none`.",
        one_of("failed", "all", "none"),
    )
    custom_events: Literal["application", "all", "none"] = row(
        "application",
        "Spans that become custom events (enable them in the app monitor): `application` takes the application's own "
        "spans, requests served and jobs, `all` also the steps and calls of libraries, `none` takes none.",
        one_of("application", "all", "none"),
    )
    cost_warning_usd_per_day: float = row(
        10.0,
        "Projected cost per day, in USD at list price, above which a warning is logged once an hour; 0 logs none.",
        amount,
    )
    page_views: PageViews = row(  # noqa: RUF009 - the default is immutable, though ruff cannot see it
        "auto",
        "Served requests that are page views: `auto` guesses, `all` takes each successful GET; with `none` neither "
        "requests nor screens are. In code also a function of a span; if it returns None, the exporter guesses.",
        function_or(one_of("auto", "all", "none")),
    )
    excluded_names: tuple[str, ...] = row(
        (),
        "Names of spans, log records or scopes to filter out, separated by commas; `*` matches any text.",
        names_list,
        shown="none",
    )
    metadata_attributes: tuple[str, ...] = row(
        (),
        "Names of attributes to send as custom metadata, separated by commas; at most 9.",
        metadata_names,
        shown="none",
    )
    xray_events: bool = row(
        False,
        "Send an `xray_trace_event` for each outgoing HTTP request; leave it off if the spans reach X-Ray anyway.",
        truth,
    )
    session_sample_rate: float = row(
        1.0, "Share of sessions to send, from 0 to 1; a session is sent completely or not at all.", share
    )
    max_events_per_second: float | None = row(
        None,
        "Budget of events per second; above it, new sessions are sampled. Without it, they are sampled after RUM took "
        "fewer events than arrived for a minute; 0 switches sampling off. See [cost](cost.md#a-budget-of-events).",
        amount,
        shown="what RUM takes",
    )
    keep_errors: bool = row(
        False,
        "Send the errors of sessions that the sample rate or the budget leaves out: exceptions and failed requests.",
        truth,
    )
    session_start: Literal["auto", "minted", "never"] = row(
        "auto",
        "Sessions that get a `session_start_event`: with `auto` those that this process created or the application "
        "named, with `minted` only those that this process created, with `never` no session.",
        one_of("auto", "minted", "never"),
    )
    url_query_parameters: tuple[str, ...] = row(
        (), "Names of query parameters to keep in URLs, separated by commas.", names_list, shown="none"
    )
    redaction: Redaction = row(  # noqa: RUF009 - the default is immutable, though ruff cannot see it
        "standard",
        "What is removed before events are sent: `standard`, `strict` (only texts of known names) or `off`. In code "
        "also a function of name and value that returns what to send of the rest. See [privacy](privacy.md).",
        function_or(one_of("strict", "standard", "off")),
    )
    enduser_id: bool = row(
        False,
        "Use `enduser.id` as the user if there is no other; RUM receives a hash unless it is a UUID.",
        truth,
    )
    id_hash_key: str | None = row(
        None,
        "Secret key for the hash of session and user ids that are not UUIDs; use the same in every process.",
        shown="the app monitor's id",
        secret=True,
    )

    def __repr__(self) -> str:
        shown = (f"{item.name}={getattr(self, item.name)!r}" for item in dataclasses.fields(self) if item.repr)
        return without_secrets(f"{type(self).__name__}({', '.join(shown)})")

    @classmethod
    def read(cls, given: Mapping[str, object], environment: Mapping[str, str], named: Names = str) -> Self:
        """Return the settings from `given`, else from the environment, else the defaults.

        None and empty variables count as not given. `named` returns the name of a given setting in errors.

        Raises:
            ConfigError: with the name, the value and the fix of each wrong setting.
        """
        settings = table()
        found = readings(given, environment, named)
        faults = [
            *(unknown_name(name, settings) for name in given if name not in settings),
            *(reading.fault for reading in found.values() if reading.fault),
            *_missing(found, environment, named),
        ]
        if faults:
            raise ConfigError([*faults, *unknown_variables(environment)])
        return cls(**{name: reading.value for name, reading in found.items()})


def table() -> dict[str, Setting]:
    """Return the settings by keyword, in the order of the documentation."""
    return rows_of(Config)


def readings(given: Mapping[str, object], environment: Mapping[str, str], named: Names = str) -> dict[str, Reading]:
    """Read each setting from its argument, else from its variables, else from its default."""
    return readings_of(Config, given, environment, PREFIX, named)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a message for each variable with our prefix that is not a setting, with the most similar setting."""
    settings = {variable(name): setting for name, setting in table().items()}
    return [
        unknown_name(name, settings) for name in sorted(environment) if name.startswith(PREFIX) and name not in settings
    ]


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def _missing(found: Mapping[str, Reading], environment: Mapping[str, str], named: Names) -> Iterator[str]:
    """Yield a message for each required setting that is missing."""
    if found["app_monitor_id"].place is None and not _resource_names_monitor(environment):
        name = named("app_monitor_id")
        yield (
            f"{variable('app_monitor_id')} is not set, so there is no app monitor to send spans to; set it to the app "
            f"monitor's ID{'' if name.startswith(PREFIX) else f', or give {name}'}"
        )
    if (role := found["guest_role_arn"].place) and found["identity_pool_id"].place is None:
        yield f"{role} is set without {variable('identity_pool_id')}, whose guests assume it"


def _resource_names_monitor(environment: Mapping[str, str]) -> bool:
    return f"{RESOURCE_APP_MONITOR_ID}=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
