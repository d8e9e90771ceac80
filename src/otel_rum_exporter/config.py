"""The settings, once: `Config` is their table, read by code, environment and declarative YAML alike.

A setting's keyword is its YAML key, and its environment variable is `OTEL_EXPORTER_AWS_RUM_` before the
keyword in upper case. Reading has no effect outside the returned value: environment and arguments come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from ._attributes import RESOURCE_APP_MONITOR_ID
from ._config_fields import (
    Reading,
    Setting,
    function_or,
    http_url,
    identity_pool_id,
    markdown_of,
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

if TYPE_CHECKING:
    from typing_extensions import Self

PageViews: TypeAlias = "Literal['auto', 'all', 'none'] | Callable[[Any], bool | None]"

SESSION_SILENCE_NS = 30 * 60 * 1_000_000_000
"""A session ends after 30 minutes without an event, as in AWS's web client (`sessionLengthSeconds`)."""

PREFIX = "OTEL_EXPORTER_AWS_RUM_"


class ConfigError(ValueError):
    """Tell every fault of a configuration at once, one a line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, validated. Build it with `Config.read`."""

    app_monitor_id: str | None = row(
        None,
        f"Id (UUID) of the app monitor. The resource attribute `{RESOURCE_APP_MONITOR_ID}` of a span goes first.",
        uuid,
        shown="required",
    )
    app_monitor_name: str | None = row(None, "Name of the app monitor, sent along when given.", shown="none")
    region: str | None = row(
        None,
        "AWS region of the app monitor.",
        shown="the AWS profile's",
        fallbacks=("AWS_REGION", "AWS_DEFAULT_REGION"),
    )
    endpoint: str | None = row(
        None,
        "URL of another data plane: the local stand-in, a proxy, a VPC endpoint.",
        http_url,
        shown="AWS's for the region",
        fallbacks=("AWS_ENDPOINT_URL_RUM", "AWS_ENDPOINT_URL"),
    )
    alias: str | None = row(
        None,
        "Alias that the app monitor's resource policy asks for; `aws.rum.appmonitor.alias` goes first.",
        shown="none",
    )
    domain: str | None = row(None, "Domain in the metadata of events where no span tells it.", shown="the service name")
    signing: Literal["sigv4", "none"] = row(
        "sigv4",
        "`sigv4` signs with the normal AWS credential chain; `none` for a resource policy or the stand-in.",
        one_of("sigv4", "none"),
    )
    identity_pool_id: str | None = row(
        None,
        "Id of a Cognito identity pool: a guest of it signs, in place of the AWS credential chain.",
        identity_pool_id,
        shown="none",
    )
    guest_role_arn: str | None = row(
        None,
        "ARN of the role that the guest takes in Cognito's basic flow; without it the flow is the enhanced one.",
        role_arn,
        shown="the pool's for guests",
    )
    compression: Literal["gzip", "none"] = row(
        "gzip", "Compression of request bodies: `gzip` or `none`.", one_of("gzip", "none")
    )
    timeout_millis: int = row(
        10_000, "The longest that one export, flush or shutdown may wait, in milliseconds.", whole(1, 10_000)
    )
    max_events_per_request: int = row(100, "Most events in one PutRumEvents request.", whole(1, 100))
    max_requests_per_second: int = row(50, "Request rate, at most the account's quota; 0 sets no limit.", whole(0, 50))
    max_memory_bytes: int = row(
        64 * 1024 * 1024,
        "Most bytes of events kept in memory while they cannot be sent; the oldest leave first.",
        whole(1024 * 1024, 64 * 1024 * 1024),
    )
    spool_directory: str | None = row(
        None,
        "Directory that keeps events until RUM has taken them, through crashes and restarts; processes may share it.",
        shown="none: in memory",
    )
    spool_max_bytes: int = row(
        512 * 1024 * 1024,
        "Most bytes in that directory; the oldest events leave first.",
        whole(1024 * 1024, 512 * 1024 * 1024),
    )
    spool_max_age_seconds: int = row(172_800, "The longest that an event stays there, in seconds.", whole(1, 172_800))
    http_events: Literal["failed", "all", "none"] = row(
        "failed",
        "Which HTTP requests become `http_event`: `failed`, `all` or `none`.",
        one_of("failed", "all", "none"),
    )
    custom_events: bool = row(
        True, "Send spans that fit no built-in RUM event as custom events (enable them in the app monitor).", truth
    )
    page_views: PageViews = row(  # noqa: RUF009 - as in every row; the linter knows no functions as immutable
        "auto",
        "Which requests served are page views: `auto` guesses, `all` is each successful GET; `none`, also of screens. "
        "In code also a function, which is given a span; where it returns None, the exporter guesses.",
        function_or(one_of("auto", "all", "none")),
    )
    excluded_names: tuple[str, ...] = row(
        (),
        "Names of spans, log records or instrumentation scopes to leave out, separated by commas; `*` is any text.",
        names_list,
        shown="none",
    )
    metadata_attributes: tuple[str, ...] = row(
        (),
        "Names of attributes to carry as custom metadata, separated by commas; at most 9.",
        metadata_names,
        shown="none",
    )
    xray_events: bool = row(
        False,
        "Send an `xray_trace_event` for each HTTP request made; leave it off where the spans reach X-Ray anyway.",
        truth,
    )
    session_sample_rate: float = row(
        1.0, "Share of sessions to send, from 0 to 1; a session is sent whole or not at all.", share
    )
    url_query_parameters: tuple[str, ...] = row(
        (), "Names of query parameters that may stay in URLs, separated by commas.", names_list, shown="none"
    )
    enduser_id: bool = row(
        False,
        "Take `enduser.id` for the user where nothing else tells one; RUM sees a hash unless it is a UUID.",
        truth,
    )
    id_hash_key: str | None = row(
        None,
        "Secret that keys the hash of session and user ids that are not UUIDs; the same in every process.",
        shown="the app monitor's id",
        secret=True,
    )

    @classmethod
    def read(cls, given: Mapping[str, object], environment: Mapping[str, str]) -> Self:
        """Return the settings given, else those of the environment, else the defaults.

        A value of None, and an empty variable, count as not given.

        Raises:
            ConfigError: naming each wrong value, where it stands, and the fix.
        """
        settings = table()
        found = readings(given, environment)
        faults = [
            *(unknown_name(name, settings) for name in given if name not in settings),
            *(reading.fault for reading in found.values() if reading.fault),
            *_missing(found, environment),
        ]
        if faults:
            raise ConfigError([*faults, *unknown_variables(environment)])
        return cls(**{name: reading.value for name, reading in found.items()})


class Settings(TypedDict, total=False):
    """What `RumSpanExporter` and its YAML accept: the settings of `Config`, as text or as their own type."""

    app_monitor_id: str | None
    app_monitor_name: str | None
    region: str | None
    endpoint: str | None
    alias: str | None
    domain: str | None
    signing: str | None
    identity_pool_id: str | None
    guest_role_arn: str | None
    compression: str | None
    timeout_millis: int | str | None
    max_events_per_request: int | str | None
    max_requests_per_second: int | str | None
    max_memory_bytes: int | str | None
    spool_directory: str | None
    spool_max_bytes: int | str | None
    spool_max_age_seconds: int | str | None
    http_events: str | None
    custom_events: bool | str | None
    page_views: str | Callable[[Any], bool | None] | None
    excluded_names: str | Sequence[str] | None
    metadata_attributes: str | Sequence[str] | None
    xray_events: bool | str | None
    session_sample_rate: float | str | None
    url_query_parameters: str | Sequence[str] | None
    enduser_id: bool | str | None
    id_hash_key: str | None


def table() -> dict[str, Setting]:
    """Return the settings by keyword, in the order in which they are documented."""
    return rows_of(Config)


def readings(given: Mapping[str, object], environment: Mapping[str, str]) -> dict[str, Reading]:
    """Return each setting with where it came from: an argument, else a variable, else the default."""
    return readings_of(Config, given, environment, PREFIX)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that has the prefix of the settings and is none, with the likely one."""
    settings = {variable(name): setting for name, setting in table().items()}
    return [
        unknown_name(name, settings) for name in sorted(environment) if name.startswith(PREFIX) and name not in settings
    ]


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def markdown_table() -> str:
    """Return the settings as the Markdown table of docs/settings.md."""
    return markdown_of(Config, PREFIX)


def _missing(found: Mapping[str, Reading], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each setting that is not there, though it must be."""
    if found["app_monitor_id"].place is None and not _resource_names_monitor(environment):
        yield (
            f"{variable('app_monitor_id')} is not set, so there is no app monitor to send spans to; "
            "set it to the app monitor's ID, or pass app_monitor_id=..."
        )
    if found["guest_role_arn"].place and found["identity_pool_id"].place is None:
        yield f"{variable('guest_role_arn')} is set, but no {variable('identity_pool_id')} whose guests take the role"


def _resource_names_monitor(environment: Mapping[str, str]) -> bool:
    return f"{RESOURCE_APP_MONITOR_ID}=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
