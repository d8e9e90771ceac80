"""The files in examples/gateway work."""

from __future__ import annotations

import configparser
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_rum_exporter.gateway import GatewaySettings
from otel_rum_exporter.gateway.application import exporter_config
from otel_rum_exporter.local import LocalRum
from tests.gateway.asgi import AsgiClient
from tests.gateway.bodies import PROTOBUF, spans
from tests.gateway.modules import execute

EXAMPLES = Path(__file__).parents[2] / "examples" / "gateway"
KINDS = ("receivers", "processors", "exporters", "connectors", "extensions")


@pytest.mark.parametrize("name", ["collector.yaml", "collector-routing.yaml"])
def test_collector_pipelines_use_exactly_the_defined_components(name: str) -> None:
    """No component is missing or unused."""
    config: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    pipelines = config["service"]["pipelines"].values()
    used = {part for pipeline in pipelines for parts in pipeline.values() for part in parts}
    defined = {part for kind in KINDS for part in config.get(kind, {})}
    assert used | set(config["service"].get("extensions", [])) == defined


def test_systemd_unit_and_its_environment_are_valid() -> None:
    """The unit allows time for requests in flight and the final flush."""
    lines = (EXAMPLES / "gateway.env").read_text(encoding="utf-8").splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    unit = configparser.ConfigParser(strict=False, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(EXAMPLES / "otel-rum-gateway.service", encoding="utf-8")
    environment |= dict([unit["Service"]["Environment"].split("=", 1)])
    settings = GatewaySettings.read({}, environment)
    config = exporter_config(settings, environment)
    assert settings.app_monitors[0].alias == "admin"
    assert config.spool_directory
    assert int(unit["Service"]["TimeoutStopSec"]) > 5 + config.timeout_millis / 1000
    assert unit["Service"]["ExecStart"].endswith("otel-rum gateway")


@pytest.mark.usefixtures("exporter_environment")
def test_embedded_gateway_is_mounted_in_an_application(rum: LocalRum) -> None:
    """The application keeps its own pages, and accepted events are delivered at its shutdown."""
    embedded = execute(importlib.util.spec_from_file_location("embedded", EXAMPLES / "embedded.py"))
    with AsgiClient(embedded.app) as client:
        assert client.get("/").text == "hello\n"
        assert client.post("/otlp/v1/traces", spans("work"), PROTOBUF).status_code == 200
    assert [event.type for event in rum.events] == ["work"]
