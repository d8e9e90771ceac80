"""The read operations, through boto3 over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from otel_rum_exporter.local import AppMonitor, LocalRum
from tests.local.http_client import call

Make = Callable[..., Any]
SHOP = "11111111-1111-4111-8111-111111111111"
APP = "99999999-9999-4999-8999-999999999999"
PAGE_VIEW = "com.amazon.rum.page_view_event"


@pytest.fixture(scope="module")
def server(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run a server with two app monitors."""
    monitors = [
        AppMonitor(id=SHOP, name="shop", domains=("shop.example",), custom_events=False, created_at=1_790_000_000),
        AppMonitor(id=APP, name="app", aliases=("blue",), xray=False),
    ]
    with LocalRum(app_monitors=monitors) as rum:
        yield rum


@pytest.fixture(scope="module")
def reader(server: LocalRum) -> Iterator[Any]:
    """Return boto3's client."""
    config = Config(inject_host_prefix=False, signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    client = boto3.client("rum", region_name="eu-west-1", endpoint_url=server.url, config=config)
    yield client
    client.close()


@pytest.fixture
def send(server: LocalRum, reader: Any, body: Make, event: Make) -> Make:
    """Send page views with this metadata, one per second."""
    server.clear()

    def deliver(*metadata: dict[str, Any], **members: Any) -> None:
        events = [
            event(PAGE_VIEW, {"pageId": "/"}, timestamp=1_790_000_000 + n, metadata=one)
            for n, one in enumerate(metadata)
        ]
        reader.put_rum_events(Id=SHOP, **body(*events, **members))

    return deliver


def _pages(reader: Any, **arguments: Any) -> list[str]:
    answer = reader.get_app_monitor_data(Name="shop", **{"TimeRange": {"After": 0}, **arguments})
    return [json.loads(event)["metadata"]["pageId"] for event in answer["Events"]]


def test_get_app_monitor_returns_the_configuration(reader: Any) -> None:
    """It has the members that a check of the configuration reads."""
    shop = reader.get_app_monitor(Name="shop")["AppMonitor"]
    assert (shop["Id"], shop["Name"], shop["State"], shop["DomainList"]) == (SHOP, "shop", "ACTIVE", ["shop.example"])
    assert (shop["CustomEvents"], shop["AppMonitorConfiguration"]["EnableXRay"]) == ({"Status": "DISABLED"}, True)
    assert shop["Created"] == "2026-09-21T14:13:20+00:00"
    app = reader.get_app_monitor(Name="app")["AppMonitor"]
    assert (app["CustomEvents"], app["AppMonitorConfiguration"]["EnableXRay"]) == ({"Status": "ENABLED"}, False)


@pytest.mark.parametrize("operation", ["get_app_monitor", "get_resource_policy", "get_app_monitor_data"])
def test_unknown_name_raises_resource_not_found(reader: Any, operation: str) -> None:
    """boto3 maps the error to its exception."""
    more = {"TimeRange": {"After": 0}} if operation == "get_app_monitor_data" else {}
    with pytest.raises(reader.exceptions.ResourceNotFoundException, match="unknown"):
        getattr(reader, operation)(Name="unknown", **more)


def test_resource_policy_contains_the_aliases(reader: Any) -> None:
    """Without a policy, boto3 raises PolicyNotFoundException."""
    policy = json.loads(reader.get_resource_policy(Name="app")["PolicyDocument"])
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"rum:alias": ["blue"]}}
    with pytest.raises(reader.exceptions.PolicyNotFoundException):
        reader.get_resource_policy(Name="shop")


def test_list_app_monitors_is_paged(reader: Any) -> None:
    """boto3's paginator returns all of them."""
    pages = list(reader.get_paginator("list_app_monitors").paginate(PaginationConfig={"PageSize": 1}))
    assert [[one["Name"] for one in page["AppMonitorSummaries"]] for page in pages] == [["shop"], ["app"]]


def test_event_data_has_the_format_of_rum(reader: Any, send: Make) -> None:
    """It is the format of RUM's copy in CloudWatch Logs."""
    send({"pageId": "/cart", "interaction": 1})
    (text,) = reader.get_app_monitor_data(Name="shop", TimeRange={"After": 0})["Events"]
    event = json.loads(text)
    assert (event["event_type"], event["event_timestamp"]) == (PAGE_VIEW, 1_790_000_000_000)
    assert event["application_id"] == SHOP
    assert event["event_details"] == {"pageId": "/"}
    assert event["metadata"]["domain"] == "shop.example"
    assert event["user_details"]["sessionId"] == "44444444-4444-4444-8444-444444444444"
    assert {"pageId=/cart", "interaction=1"} <= set(event["metadata_values"])


def test_events_are_filtered_by_app_monitor(reader: Any, send: Make, body: Make, event: Make) -> None:
    """Events of other app monitors are not returned."""
    send({"pageId": "/"})
    reader.put_rum_events(Id=APP, **body(event(), AppMonitorDetails={}, Alias="blue"))
    assert len(reader.get_app_monitor_data(Name="app", TimeRange={"After": 0})["Events"]) == 1


def test_events_are_filtered_by_time_range(reader: Any, send: Make) -> None:
    """In milliseconds, both ends included."""
    send(*({"pageId": f"/{n}"} for n in range(4)))
    assert _pages(reader, TimeRange={"After": 1_790_000_001_000, "Before": 1_790_000_002_000}) == ["/1", "/2"]


def test_events_are_filtered_by_dimensions(reader: Any, send: Make) -> None:
    """All filters must match, with any of their values; Invert negates the result."""
    send({"pageId": "/a", "browserName": "Chrome"}, {"pageId": "/b", "browserName": "Firefox"}, {"pageId": "/c"})
    chrome = {"Name": "Browser", "Values": ["Chrome"]}
    assert _pages(reader, Filters=[chrome]) == ["/a"]
    assert _pages(reader, Filters=[{"Name": "Browser", "Values": ["Chrome", "Firefox"]}]) == ["/a", "/b"]
    assert _pages(reader, Filters=[chrome, {"Name": "Page", "Values": ["/b"]}]) == []
    assert _pages(reader, Filters=[chrome, {"Name": "Invert"}]) == ["/b", "/c"]
    assert _pages(reader, Filters=[{"Name": "EventType", "Values": [PAGE_VIEW]}]) == ["/a", "/b", "/c"]


def test_event_data_is_paged(reader: Any, send: Make) -> None:
    """boto3's paginator returns each event once."""
    send(*({"pageId": f"/{n}"} for n in range(7)))
    pages = reader.get_paginator("get_app_monitor_data").paginate(
        Name="shop", TimeRange={"After": 0}, PaginationConfig={"PageSize": 3}
    )
    sizes = [len(page["Events"]) for page in pages]
    assert sizes == [3, 3, 1]


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("/appmonitor/shop/data", b"[]", "the body must be a JSON object"),
        ("/appmonitor/shop/data", b"{}", "TimeRange.After must be a number"),
        ("/appmonitor/shop/data", b'{"TimeRange":{"After":true}}', "TimeRange.After must be a number"),
        ("/appmonitor/shop/data", b'{"TimeRange":{"After":0},"Filters":{"a":1}}', "Filters must be a list"),
        ("/appmonitor/shop/data", b'{"TimeRange":{"After":0},"Filters":[{"Name":[]}]}', "a filter must be one of"),
        ("/appmonitor/shop/data", b'{"TimeRange":{"After":0},"NextToken":"9"}', "NextToken must be a number from 0"),
        ("/appmonitor/shop/data", b'{"TimeRange":{"After":0},"MaxResults":101}', "MaxResults must be a number from 0"),
        ("/appmonitors?maxResults=many", b"", "MaxResults must be a number"),
    ],
)
def test_invalid_parameter_is_answered_with_400(server: LocalRum, path: str, content: bytes, message: str) -> None:
    """The message quotes the value."""
    server.clear()
    reply = call(server, "POST", path, content)
    assert reply.status == 400
    assert reply.message.startswith(message)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/appmonitor/shop"), ("POST", "/appmonitor/shop/data"), ("POST", "/appmonitors"), ("GET", "/api/events")],
)
def test_foreign_host_name_reads_nothing(server: LocalRum, method: str, path: str) -> None:
    """The check protects against DNS rebinding."""
    reply = call(server, method, path, b"", {"Host": "evil.example"})
    assert reply.status == 421
    assert b"shop" not in reply.body


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/appmonitor/..%2f..%2fetc%2fpasswd"])
def test_paths_never_reach_the_file_system(server: LocalRum, path: str) -> None:
    """No file is read by its name."""
    reply = call(server, "GET", path)
    assert reply.status == 404
    assert b"root:" not in reply.body
