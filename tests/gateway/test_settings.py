"""The gateway's settings: read like the exporter's, and documented in a table."""

from __future__ import annotations

import pytest

from docs.generate import settings
from otel_rum_exporter.config import ConfigError
from otel_rum_exporter.gateway import GatewaySettings, MonitorEntry
from otel_rum_exporter.gateway.settings import table

MONITOR = "00000000-aaaa-4bbb-8ccc-000000000001"


def test_arguments_take_precedence_over_variables_over_defaults() -> None:
    """As for the exporter."""
    environment = {"OTEL_RUM_GATEWAY_HTTP_PORT": "5318", "OTEL_RUM_GATEWAY_HOST": "::1", "OTHER": "x"}
    read = GatewaySettings.read({"http_port": "6318", "token": None}, environment)
    assert (read.http_port, read.host, read.grpc_port, read.token) == (6318, "::1", 4317, None)


def test_app_monitors_are_ids_with_or_without_alias() -> None:
    """Separated by commas."""
    read = GatewaySettings.read({"app_monitors": f" {MONITOR}=shop , {MONITOR[:-1]}2"}, {})
    assert read.app_monitors == (MonitorEntry(MONITOR, "shop"), MonitorEntry(f"{MONITOR[:-1]}2", None))


@pytest.mark.parametrize(
    ("given", "environment", "fault"),
    [
        ({"app_monitors": "shop"}, {}, "'shop', which is not the UUID"),
        ({"max_body_bytes": "10"}, {}, "max_body_bytes='10' is not a whole number of at least 1024"),
        ({"http_port": "65536"}, {}, "http_port='65536' is not a whole number from 0 to 65535; use for example 4318"),
        (
            {},
            {"OTEL_RUM_GATEWAY_GRPC_PORT": "99999"},
            "GRPC_PORT='99999' is not a whole number from 0",
        ),
        ({"grpc": "maybe"}, {}, "grpc='maybe' is neither true nor false"),
        ({"trusted_proxies": "10.0.0.1,proxy"}, {}, "has 'proxy', which is no address; use for example 10.0.0.0/8"),
        ({"htp_port": 1}, {}, "the most similar is 'http_port'"),
        ({}, {"OTEL_RUM_GATEWAY_TOKN": "x"}, "the most similar is 'OTEL_RUM_GATEWAY_TOKEN'"),
    ],
)
def test_a_wrong_setting_is_reported(given: dict[str, object], environment: dict[str, str], fault: str) -> None:
    """The message has the name, the value and the fix."""
    with pytest.raises(ConfigError, match=fault):
        GatewaySettings.read(given, environment)


def test_the_token_is_never_shown() -> None:
    """Neither in the settings' repr nor in the table."""
    assert "made-up" not in repr(GatewaySettings.read({"token": "made-up"}, {}))
    assert table()["token"].secret
    assert "| `TOKEN` | none |" in settings.gateway()
