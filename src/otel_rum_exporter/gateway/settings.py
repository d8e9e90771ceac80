"""The gateway's settings: addresses, clients and limits. `Config` has the settings of the exporter."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._config_fields import Names, Reader, Setting, names_list, readings_of, row, rows_of, truth, unknown_name, whole
from .._uuid import UUID
from ..config import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

PREFIX = "OTEL_RUM_GATEWAY_"
MIB = 1024 * 1024
MAX_PORT = 65535


class MonitorEntry(NamedTuple):
    """An app monitor on the allow-list, and its alias."""

    id: str
    alias: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Every setting, validated. Build it with `GatewaySettings.read`."""

    host: str = row("127.0.0.1", "Address to listen on.")
    http_port: int = row(4318, "Port of OTLP over HTTP; 0 chooses a free one.", whole(0, 4318, MAX_PORT))
    grpc_port: int = row(4317, "Port of OTLP over gRPC; 0 chooses a free one.", whole(0, 4317, MAX_PORT))
    grpc: bool = row(True, "Serve OTLP over gRPC.", truth)
    token: str | None = row(
        None,
        "Secret that clients send as `Authorization: Bearer …`; without it, every client is accepted.",
        shown="none",
        secret=True,
    )
    allowed_origins: tuple[str, ...] = row(
        (), "Allowed origins of pages, such as `https://shop.example`; `*` allows all.", names_list, shown="none"
    )
    app_monitors: tuple[MonitorEntry, ...] = row(
        (),
        "App monitors that the resource attributes `aws.rum.appmonitor.id` and `.alias` can select, in addition to "
        "the exporter's: ids or `id=alias`, separated by commas.",
        Reader("ID[=ALIAS],...", lambda value: tuple(map(_monitor, names_list(value)))),
        shown="none",
    )
    max_body_bytes: int = row(64 * MIB, "Largest request, before and after decompression.", whole(1024, 64 * MIB))
    max_records_per_second: int = row(
        0,
        "Most spans and log records per second for one app monitor; 0 means no limit.",
        whole(0, 1000),
    )
    client_requests_per_second: int = row(
        200, "Most requests per second from one address; 0 means no limit.", whole(0, 200)
    )
    client_bytes_per_second: int = row(
        64 * MIB, "Most decompressed bytes per second from one address; 0 means no limit.", whole(0, MIB)
    )
    trusted_proxies: tuple[str, ...] = row(
        (),
        "Addresses or networks of proxies whose `X-Forwarded-For` contains the client's address, separated by commas.",
        Reader("IP[/BITS],...", lambda value: tuple(map(_proxy, names_list(value)))),
        shown="none",
    )
    keep_user_agent: bool = row(
        False, "Use the request's `User-Agent` as the browser if the telemetry has none.", truth
    )
    country_header: str | None = row(
        None, "Request header with the client's country, such as `CloudFront-Viewer-Country`.", shown="none"
    )
    workers: int = row(1, "Processes that share the ports; with more than one, set a spool directory.", whole(1, 2))

    @classmethod
    def read(cls, given: Mapping[str, object], environment: Mapping[str, str], named: Names = str) -> Self:
        """Return the settings given, else those of the environment, else the defaults.

        `named` returns the name of a given setting in errors.

        Raises:
            ConfigError: with the place of each wrong value, and the fix.
        """
        settings = table()
        found = readings_of(cls, given, environment, PREFIX, named)
        variables = {PREFIX + name.upper(): setting for name, setting in settings.items()}
        faults = [
            *(unknown_name(name, settings) for name in given if name not in settings),
            *(unknown_name(name, variables) for name in _gateway_variables(environment) if name not in variables),
            *(reading.fault for reading in found.values() if reading.fault),
        ]
        if faults:
            raise ConfigError(faults)
        return cls(**{name: reading.value for name, reading in found.items()})


def table() -> dict[str, Setting]:
    """Return the settings by keyword, in the order in which they are documented."""
    return rows_of(GatewaySettings)


def _gateway_variables(environment: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environment if name.startswith(PREFIX))


def _monitor(entry: str) -> MonitorEntry:
    monitor_id, _, alias = entry.partition("=")
    if not UUID.fullmatch(monitor_id.strip()):
        raise ValueError(f"has {entry!r:.60}, which is not the UUID of an app monitor; use ids or id=alias")
    return MonitorEntry(monitor_id.strip(), alias.strip() or None)


def _proxy(address: str) -> str:
    if address != "*":
        try:
            ipaddress.ip_network(address)
        except ValueError as error:
            raise ValueError(f"has {address!r:.60}, which is no address; use for example 10.0.0.0/8") from error
    return address
