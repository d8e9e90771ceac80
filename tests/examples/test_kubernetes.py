"""The manifests of examples/kubernetes run commands that exist, with settings that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from otel_rum_exporter.cli.program import otel_rum
from otel_rum_exporter.config import unknown_variables
from otel_rum_exporter.gateway.settings import PREFIX, table

FOLDER = Path(__file__).parents[2] / "examples" / "kubernetes"
RESOURCES = [one for file in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text("utf-8"))]


def _of_kind(kind: str) -> list[dict[str, Any]]:
    return [resource for resource in RESOURCES if resource["kind"] == kind]


def test_pods_run_commands_with_known_options() -> None:
    """A misspelled option would end the container at once."""
    for workload in _of_kind("StatefulSet"):
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        name, *arguments = container["args"]
        command = otel_rum.get_command(click.Context(otel_rum), name)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_pods_have_known_settings() -> None:
    """A misspelled variable would be ignored."""
    containers = [one["spec"]["template"]["spec"]["containers"][0] for one in _of_kind("StatefulSet")]
    names = {variable["name"] for one in containers for variable in one["env"]}
    names |= {name for settings in _of_kind("ConfigMap") for name in settings["data"]}
    assert list(unknown_variables(dict.fromkeys(names, ""))) == []
    of_gateway = {name for name in names if name.startswith(PREFIX)}
    assert of_gateway <= {PREFIX + name.upper() for name in table()}


@pytest.mark.parametrize("workload", _of_kind("StatefulSet"), ids=lambda workload: workload["metadata"]["name"])
def test_services_select_their_pods(workload: dict[str, Any]) -> None:
    """Every workload has a service, with ports that its container has."""
    (service,) = (one for one in _of_kind("Service") if one["metadata"]["name"] == workload["spec"]["serviceName"])
    template = workload["spec"]["template"]
    assert service["spec"]["selector"] == template["metadata"]["labels"] == workload["spec"]["selector"]["matchLabels"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == ports
