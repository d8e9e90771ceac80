"""The files in examples/gateway are what the programs that read them accept."""

from __future__ import annotations

import configparser
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_rum_exporter.gateway import GatewaySettings
from otel_rum_exporter.gateway.application import config_of
from otel_rum_exporter.local import LocalRum
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import PROTOBUF, spans
from tests.spans import APP_MONITOR_ID

EXAMPLES = Path(__file__).parents[2] / "examples" / "gateway"
KINDS = ("receivers", "processors", "exporters", "connectors", "extensions")


@pytest.mark.parametrize("name", ["collector.yaml", "collector-routing.yaml"])
def test_collector_pipelines_name_defined_components(name: str) -> None:
    """Every component is used."""
    config: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    pipelines = config["service"]["pipelines"].values()
    used = {part for pipeline in pipelines for parts in pipeline.values() for part in parts}
    defined = {part for kind in KINDS for part in config.get(kind, {})}
    assert used | set(config["service"].get("extensions", [])) == defined


def test_the_unit_sets_existing_settings() -> None:
    """Of the gateway and the exporter; the unit allows time for the final flush."""
    lines = (EXAMPLES / "gateway.env").read_text(encoding="utf-8").splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    unit = configparser.ConfigParser(strict=False, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(EXAMPLES / "otel-rum-gateway.service", encoding="utf-8")
    environment |= dict([unit["Service"]["Environment"].split("=", 1)])
    settings = GatewaySettings.read({}, environment)
    config = config_of(settings, environment)
    assert settings.app_monitors[0].alias == "admin"
    assert config.spool_directory
    assert int(unit["Service"]["TimeoutStopSec"]) > 5 + config.timeout_millis / 1000
    assert unit["Service"]["ExecStart"].endswith("otel-rum gateway")


def test_the_gateway_is_mounted_in_an_application(rum: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the application's own pages; its shutdown delivers."""
    for name, value in {"APP_MONITOR_ID": APP_MONITOR_ID, "ENDPOINT": rum.url, "SIGNING": "none"}.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_AWS_RUM_{name}", value)
    found = importlib.util.spec_from_file_location("embedded", EXAMPLES / "embedded.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    with AsgiClient(module.app) as client:
        assert client.get("/").text == "hello\n"
        assert client.post("/otlp/v1/traces", spans("work"), PROTOBUF).status_code == 200
    assert [event.type for event in rum.events] == ["work"]
