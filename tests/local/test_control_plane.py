"""The operations that read, asked by boto3 over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from otel_rum_exporter.local import AppMonitor, LocalRum

Make = Callable[..., Any]
SHOP = "11111111-1111-4111-8111-111111111111"
APP = "99999999-9999-4999-8999-999999999999"
PAGE_VIEW = "com.amazon.rum.page_view_event"


@pytest.fixture(scope="module")
def kept(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Serve two app monitors."""
    monitors = [
        AppMonitor(id=SHOP, name="shop", domains=("shop.example",), custom_events=False, created_at=1_790_000_000),
        AppMonitor(id=APP, name="app", aliases=("blue",), xray=False),
    ]
    with LocalRum(app_monitors=monitors) as rum:
        yield rum


@pytest.fixture(scope="module")
def reader(kept: LocalRum) -> Iterator[Any]:
    """Give boto3's client."""
    config = Config(inject_host_prefix=False, signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    client = boto3.client("rum", region_name="eu-west-1", endpoint_url=kept.url, config=config)
    yield client
    client.close()


@pytest.fixture
def send(kept: LocalRum, reader: Any, body: Make, event: Make) -> Make:
    """Deliver page views with this metadata, one a second."""
    kept.clear()

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


def test_an_app_monitor_is_told_as_it_is_configured(reader: Any) -> None:
    """What a check of the configuration looks at is there."""
    shop = reader.get_app_monitor(Name="shop")["AppMonitor"]
    assert (shop["Id"], shop["Name"], shop["State"], shop["DomainList"]) == (SHOP, "shop", "ACTIVE", ["shop.example"])
    assert (shop["CustomEvents"], shop["AppMonitorConfiguration"]["EnableXRay"]) == ({"Status": "DISABLED"}, True)
    assert shop["Created"] == "2026-09-21T14:13:20+00:00"
    app = reader.get_app_monitor(Name="app")["AppMonitor"]
    assert (app["CustomEvents"], app["AppMonitorConfiguration"]["EnableXRay"]) == ({"Status": "ENABLED"}, False)


@pytest.mark.parametrize("operation", ["get_app_monitor", "get_resource_policy", "get_app_monitor_data"])
def test_an_unknown_name_is_not_found(reader: Any, operation: str) -> None:
    """The error is the one that boto3 knows."""
    more = {"TimeRange": {"After": 0}} if operation == "get_app_monitor_data" else {}
    with pytest.raises(reader.exceptions.ResourceNotFoundException, match="nobody"):
        getattr(reader, operation)(Name="nobody", **more)


def test_a_resource_policy_names_its_aliases(reader: Any) -> None:
    """Where there is none, that is told."""
    policy = json.loads(reader.get_resource_policy(Name="app")["PolicyDocument"])
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"rum:alias": ["blue"]}}
    with pytest.raises(reader.exceptions.PolicyNotFoundException):
        reader.get_resource_policy(Name="shop")


def test_app_monitors_are_listed_page_by_page(reader: Any) -> None:
    """boto3's paginator reads them all."""
    pages = list(reader.get_paginator("list_app_monitors").paginate(PaginationConfig={"PageSize": 1}))
    assert [[one["Name"] for one in page["AppMonitorSummaries"]] for page in pages] == [["shop"], ["app"]]


def test_events_are_read_as_rum_writes_them(reader: Any, send: Make) -> None:
    """The form is that of RUM's copy in CloudWatch Logs."""
    send({"pageId": "/cart", "interaction": 1})
    (text,) = reader.get_app_monitor_data(Name="shop", TimeRange={"After": 0})["Events"]
    event = json.loads(text)
    assert (event["event_type"], event["event_timestamp"]) == (PAGE_VIEW, 1_790_000_000_000)
    assert event["application_id"] == SHOP
    assert event["event_details"] == {"pageId": "/"}
    assert event["metadata"]["domain"] == "shop.example"
    assert event["user_details"]["sessionId"] == "44444444-4444-4444-8444-444444444444"
    assert {"pageId=/cart", "interaction=1"} <= set(event["metadata_values"])


def test_events_are_those_of_their_app_monitor(reader: Any, send: Make, body: Make, event: Make) -> None:
    """Another one's are not shown."""
    send({"pageId": "/"})
    reader.put_rum_events(Id=APP, **body(event(), AppMonitorDetails={}, Alias="blue"))
    assert len(reader.get_app_monitor_data(Name="app", TimeRange={"After": 0})["Events"]) == 1


def test_events_are_those_of_a_time_range(reader: Any, send: Make) -> None:
    """Milliseconds, both ends included."""
    send(*({"pageId": f"/{n}"} for n in range(4)))
    assert _pages(reader, TimeRange={"After": 1_790_000_001_000, "Before": 1_790_000_002_000}) == ["/1", "/2"]


def test_events_are_filtered(reader: Any, send: Make) -> None:
    """Every filter must fit, one of its values suffices, and Invert turns it round."""
    send({"pageId": "/a", "browserName": "Chrome"}, {"pageId": "/b", "browserName": "Firefox"}, {"pageId": "/c"})
    chrome = {"Name": "Browser", "Values": ["Chrome"]}
    assert _pages(reader, Filters=[chrome]) == ["/a"]
    assert _pages(reader, Filters=[{"Name": "Browser", "Values": ["Chrome", "Firefox"]}]) == ["/a", "/b"]
    assert _pages(reader, Filters=[chrome, {"Name": "Page", "Values": ["/b"]}]) == []
    assert _pages(reader, Filters=[chrome, {"Name": "Invert"}]) == ["/b", "/c"]
    assert _pages(reader, Filters=[{"Name": "EventType", "Values": [PAGE_VIEW]}]) == ["/a", "/b", "/c"]


def test_events_come_page_by_page(reader: Any, send: Make) -> None:
    """boto3's paginator reads them all, once each."""
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
def test_what_makes_no_sense_is_told(kept: LocalRum, call_to: Make, path: str, content: bytes, message: str) -> None:
    """A 400 quotes what was wrong."""
    kept.clear()
    reply = call_to(kept, "POST", path, content)
    assert reply.status == 400
    assert reply.message.startswith(message)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/appmonitor/shop"), ("POST", "/appmonitor/shop/data"), ("POST", "/appmonitors"), ("GET", "/api/events")],
)
def test_a_page_that_rebinds_its_name_reads_nothing(kept: LocalRum, call_to: Make, method: str, path: str) -> None:
    """Its requests still carry its own name as Host."""
    reply = call_to(kept, method, path, b"", {"Host": "evil.example"})
    assert reply.status == 421
    assert b"shop" not in reply.body


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/..%2f..%2fetc/passwd", "/appmonitor/..%2f..%2fetc%2fpasswd"])
def test_no_path_leads_to_a_file(kept: LocalRum, call_to: Make, path: str) -> None:
    """Nothing is read by name."""
    reply = call_to(kept, "GET", path)
    assert reply.status == 404
    assert b"root:" not in reply.body
