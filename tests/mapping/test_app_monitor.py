"""The app monitor of a resource, and what its metadata says about the devices of people."""

from __future__ import annotations

import json

import pytest
from opentelemetry.sdk.resources import Resource

from otel_rum_exporter.mapping import app_monitor as module
from otel_rum_exporter.mapping.app_monitor import AppMonitorResolver
from tests.spans import make_config

MONITORS = [f"00000000-aaaa-4bbb-8ccc-00000000000{number}" for number in range(1, 4)]


def resource(monitor: str, service: str = "shop") -> Resource:
    """Make a resource that names an app monitor and an operating system."""
    return Resource({"aws.rum.appmonitor.id": monitor, "service.name": service, "os.name": "Debian"})


def has_system(resolver: AppMonitorResolver, of: Resource) -> bool:
    """Return whether events of a resource have its operating system as the person's."""
    resolution = resolver.of(of)
    assert resolution is not None
    return "osName" in json.loads(resolution.session_metadata)


def test_the_operating_system_of_a_server_is_no_persons() -> None:
    """Also if its first telemetry was no request. Other services are not concerned."""
    resolver = AppMonitorResolver(make_config())
    server, kiosk = resource(MONITORS[0], "server"), resource(MONITORS[0], "kiosk")
    assert has_system(resolver, server)
    resolver.add_server(server)
    assert [has_system(resolver, one) for one in (server, kiosk)] == [False, True]


def test_clients_cannot_make_it_remember_any_number_of_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """They choose app monitors and services; servers that are known stay known."""
    monkeypatch.setattr(module, "MAX_RESOURCES", 2)
    monkeypatch.setattr(module, "MAX_SERVERS", 2)
    resolver = AppMonitorResolver(make_config())
    resources = [resource(monitor, service) for service in "abc" for monitor in MONITORS]
    for one in resources:
        resolver.add_server(one)
    assert [has_system(resolver, one) for one in resources] == [False, False, True] * 2 + [True] * 3


@pytest.mark.parametrize(("named", "expected"), [(None, "set"), ("its own", "its own")])
def test_the_alias_of_a_resource_comes_before_the_setting(named: str | None, expected: str) -> None:
    """A policy may allow one alias only."""
    attributes = {} if named is None else {"aws.rum.appmonitor.alias": named}
    resolution = AppMonitorResolver(make_config(alias="set")).of(Resource(attributes))
    assert resolution is not None
    assert resolution.monitor.alias == expected
