"""The settings, once: `Config` is their table, read by code, environment and declarative YAML alike.

A setting's keyword is its YAML key, and its environment variable is `OTEL_EXPORTER_AWS_RUM_` before the
keyword in upper case. Reading has no effect outside the returned value: environment and arguments come in.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

if TYPE_CHECKING:
    from typing_extensions import Self

PREFIX = "OTEL_EXPORTER_AWS_RUM_"
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
RESOURCE_APP_MONITOR_ID = "aws.rum.appmonitor.id"

MAX_METADATA_ATTRIBUTES = 9
"""RUM keeps ten custom attributes of an event; one place is for the mark of trimmed events."""

T = TypeVar("T")


class ConfigError(ValueError):
    """Tell every fault of a configuration at once, one a line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the table says of one setting; the documentation is made from it."""

    help: str
    parse: Callable[[object], Any]
    default: str
    fallbacks: tuple[str, ...] = ()
    secret: bool = False


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    raise ValueError("is not text; give a string")


def _uuid(value: object) -> str:
    if isinstance(value, str) and UUID.fullmatch(value.strip()):
        return value.strip()
    raise ValueError("is not a UUID; copy the app monitor's ID (not its name) from the CloudWatch console")


def _url(value: object) -> str:
    if isinstance(value, str) and re.match(r"https?://[^/\s]", value.strip()):
        return value.strip().rstrip("/")
    raise ValueError("is not an http(s) URL; use for example http://127.0.0.1:8787")


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise ValueError("is neither true nor false; use one of them")


def _whole(minimum: int, example: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        digits = value.strip() if isinstance(value, str) else value
        try:
            number = int(digits) if not isinstance(digits, (bool, float)) else None  # type: ignore[call-overload]
        except (TypeError, ValueError):
            number = None
        if number is None or number < minimum:
            raise ValueError(f"is not a whole number of at least {minimum}; use for example {example}")
        return int(number)

    return parse


def _share(value: object) -> float:
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise ValueError("is not a number from 0 to 1; use for example 0.1")
    return number


def _one_of(*choices: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if isinstance(value, str) and value.strip().lower() in choices:
            return value.strip().lower()
        raise ValueError(f"is not one of {', '.join(choices)}")

    return parse


def _names(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, (list, tuple)) and all(isinstance(item, str) for item in items):
        return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))
    raise ValueError("is not a list of names; separate them by commas")


def _metadata_names(value: object) -> tuple[str, ...]:
    names = _names(value)
    if len(names) > MAX_METADATA_ATTRIBUTES:
        raise ValueError(f"names {len(names)} attributes; RUM has room for at most {MAX_METADATA_ATTRIBUTES}")
    return names


def _setting(
    default: T,
    help: str,  # noqa: A002 - the word of the table
    parse: Callable[[object], Any] = _text,
    *,
    shown: str | None = None,
    fallbacks: tuple[str, ...] = (),
    secret: bool = False,
) -> T:
    described = Setting(help, parse, shown if shown is not None else str(default).lower(), fallbacks, secret)
    made: T = field(default=default, repr=not secret, metadata={"setting": described})
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, validated. Build it with `Config.read`."""

    app_monitor_id: str | None = _setting(
        None,
        f"Id (UUID) of the app monitor. The resource attribute `{RESOURCE_APP_MONITOR_ID}` of a span goes first.",
        _uuid,
        shown="required",
    )
    app_monitor_name: str | None = _setting(None, "Name of the app monitor, sent along when given.", shown="none")
    region: str | None = _setting(
        None,
        "AWS region of the app monitor.",
        shown="the AWS profile's",
        fallbacks=("AWS_REGION", "AWS_DEFAULT_REGION"),
    )
    endpoint: str | None = _setting(
        None,
        "URL of another data plane: the local stand-in, a proxy, a VPC endpoint.",
        _url,
        shown="AWS's for the region",
        fallbacks=("AWS_ENDPOINT_URL_RUM", "AWS_ENDPOINT_URL"),
    )
    alias: str | None = _setting(
        None,
        "Alias that the app monitor's resource policy asks for; `aws.rum.appmonitor.alias` goes first.",
        shown="none",
    )
    domain: str | None = _setting(
        None, "Domain in the metadata of events where no span tells it.", shown="the service name"
    )
    signing: Literal["sigv4", "none"] = _setting(
        "sigv4",
        "`sigv4` signs with the normal AWS credential chain; `none` for a resource policy or the stand-in.",
        _one_of("sigv4", "none"),
    )
    compression: Literal["gzip", "none"] = _setting(
        "gzip", "Compression of request bodies: `gzip` or `none`.", _one_of("gzip", "none")
    )
    timeout_millis: int = _setting(
        10_000, "The longest that one export, flush or shutdown may wait, in milliseconds.", _whole(1, 10_000)
    )
    max_events_per_request: int = _setting(100, "Most events in one PutRumEvents request.", _whole(1, 100))
    max_requests_per_second: int = _setting(
        50, "Request rate, at most the account's quota; 0 sets no limit.", _whole(0, 50)
    )
    max_memory_bytes: int = _setting(
        64 * 1024 * 1024,
        "Most bytes of events kept in memory while they cannot be sent; the oldest leave first.",
        _whole(1024 * 1024, 64 * 1024 * 1024),
    )
    http_events: Literal["failed", "all", "none"] = _setting(
        "failed",
        "Which HTTP requests become `http_event`: `failed`, `all` or `none`.",
        _one_of("failed", "all", "none"),
    )
    custom_events: bool = _setting(
        True, "Send spans that fit no built-in RUM event as custom events (enable them in the app monitor).", _truth
    )
    page_views: Literal["auto", "all", "none"] = _setting(
        "auto",
        "Which requests served are page views: `auto` guesses, `all` is each successful GET; `none`, also of screens.",
        _one_of("auto", "all", "none"),
    )
    metadata_attributes: tuple[str, ...] = _setting(
        (),
        "Names of attributes to carry as custom metadata, separated by commas; at most 9.",
        _metadata_names,
        shown="none",
    )
    xray_events: bool = _setting(
        False,
        "Send an `xray_trace_event` for each HTTP request made; leave it off where the spans reach X-Ray anyway.",
        _truth,
    )
    session_sample_rate: float = _setting(
        1.0, "Share of sessions to send, from 0 to 1; a session is sent whole or not at all.", _share
    )
    url_query_parameters: tuple[str, ...] = _setting(
        (), "Names of query parameters that may stay in URLs, separated by commas.", _names, shown="none"
    )
    id_hash_key: str | None = _setting(
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
        faults = [_unknown(name, settings) for name in given if name not in settings]
        values: dict[str, Any] = {}
        for name, setting in settings.items():
            found = _found(name, setting, given, environment)
            if found is None:
                continue
            place, raw = found
            try:
                values[name] = setting.parse(raw)
            except ValueError as fault:
                faults.append(f"{place}{'' if setting.secret else f'={raw!r:.120}'} {fault}")
        monitor = _found("app_monitor_id", settings["app_monitor_id"], given, environment)
        if monitor is None and not _resource_names_monitor(environment):
            faults.append(
                f"{variable('app_monitor_id')} is not set, so there is no app monitor to send spans to; "
                "set it to the app monitor's ID, or pass app_monitor_id=..."
            )
        if faults:
            raise ConfigError(faults)
        return cls(**values)


class Settings(TypedDict, total=False):
    """What `RumSpanExporter` and its YAML accept: the settings of `Config`, as text or as their own type."""

    app_monitor_id: str | None
    app_monitor_name: str | None
    region: str | None
    endpoint: str | None
    alias: str | None
    domain: str | None
    signing: str | None
    compression: str | None
    timeout_millis: int | str | None
    max_events_per_request: int | str | None
    max_requests_per_second: int | str | None
    max_memory_bytes: int | str | None
    http_events: str | None
    custom_events: bool | str | None
    page_views: str | None
    metadata_attributes: str | Sequence[str] | None
    xray_events: bool | str | None
    session_sample_rate: float | str | None
    url_query_parameters: str | Sequence[str] | None
    id_hash_key: str | None


def table() -> dict[str, Setting]:
    """Return the settings by keyword, in the order in which they are documented."""
    return {item.name: item.metadata["setting"] for item in dataclasses.fields(Config)}


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that has the prefix of the settings and is none, with the likely one."""
    settings = {variable(name): setting for name, setting in table().items()}
    return [
        _unknown(name, settings) for name in sorted(environment) if name.startswith(PREFIX) and name not in settings
    ]


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def markdown_table() -> str:
    """Return the settings as the Markdown table that the README shows."""
    rows = ["| variable `OTEL_EXPORTER_AWS_RUM_…` | default | what it does |", "|---|---|---|"]
    for name, setting in table().items():
        before = "".join(f"`{fallback}`, " for fallback in setting.fallbacks)
        rows.append(f"| `{name.upper()}` | {before}{setting.default} | {setting.help} |")
    return "\n".join(rows)


def _found(
    name: str, setting: Setting, given: Mapping[str, object], environment: Mapping[str, str]
) -> tuple[str, object] | None:
    if given.get(name) is not None:
        return name, given[name]
    for place in (variable(name), *setting.fallbacks):
        if environment.get(place, "").strip():
            return place, environment[place]
    return None


def _unknown(name: str, settings: Mapping[str, Setting]) -> str:
    near = difflib.get_close_matches(name, settings, n=1)
    return f"{name!r} is not a setting; " + (f"did you mean {near[0]!r}?" if near else "see the settings table")


def _resource_names_monitor(environment: Mapping[str, str]) -> bool:
    return f"{RESOURCE_APP_MONITOR_ID}=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
