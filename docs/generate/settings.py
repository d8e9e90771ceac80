"""The tables of settings in docs/settings.md and docs/gateway.md, which `make docs` writes."""

from collections.abc import Mapping

from otel_rum_exporter import config
from otel_rum_exporter._config_fields import Setting
from otel_rum_exporter.gateway import settings as gateway_settings


def exporter() -> str:
    """Return the settings of the exporter as a Markdown table."""
    return _table(config.table(), config.PREFIX)


def gateway() -> str:
    """Return the settings of the gateway as a Markdown table."""
    return _table(gateway_settings.table(), gateway_settings.PREFIX)


def _table(settings: Mapping[str, Setting], prefix: str) -> str:
    lines = [f"| variable `{prefix}…` | default | what it does |", "|---|---|---|"]
    for name, setting in settings.items():
        before = "".join(f"`{fallback}`, " for fallback in setting.fallbacks)
        lines.append(f"| `{name.upper()}` | {before}{setting.default} | {setting.help} |")
    return "\n".join(lines)
