"""The settings as keyword arguments, for type checkers. A test compares them with the table in `config`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict


class Settings(TypedDict, total=False):
    """The keyword arguments of the exporters: the settings of `config.Config`, as text or as their own type."""

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
    custom_events: str | None
    cost_warning_usd_per_day: float | str | None
    page_views: str | Callable[[Any], bool | None] | None
    excluded_names: str | Sequence[str] | None
    metadata_attributes: str | Sequence[str] | None
    xray_events: bool | str | None
    session_sample_rate: float | str | None
    max_events_per_second: float | str | None
    keep_errors: bool | str | None
    session_start: str | None
    url_query_parameters: str | Sequence[str] | None
    redaction: str | Callable[[str, Any], Any] | None
    enduser_id: bool | str | None
    id_hash_key: str | None
