"""FilterLogEvents, through boto3 over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from otel_rum_exporter.local import AppMonitor, Credentials, LocalRum

Make = Callable[..., Any]
SHOP = "11111111-1111-4111-8111-111111111111"
GROUP = "/aws/vendedlogs/RUMService_shop11111111"
PAGE_VIEW = "com.amazon.rum.page_view_event"


@pytest.fixture(scope="module")
def server(no_leaks_of_module: None) -> Iterator[LocalRum]:
    """Run a server that requires signatures, with an app monitor that has a log group and one that has none."""
    monitors = [
        AppMonitor(id=SHOP, name="shop", has_log_group=True),
        AppMonitor(id=SHOP.replace("1", "9"), name="app"),
    ]
    with LocalRum(app_monitors=monitors, credentials=Credentials("AKIDEXAMPLE", "swordfish")) as rum:
        yield rum


def client(server: LocalRum, service: str, secret: str = "swordfish") -> Any:
    """Return boto3's client."""
    config = Config(inject_host_prefix=False, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": secret}
    return boto3.client(service, region_name="eu-west-1", endpoint_url=server.url, config=config, **keys)


@pytest.fixture(scope="module")
def logs(server: LocalRum) -> Iterator[Any]:
    """Return a client of CloudWatch Logs."""
    made = client(server, "logs")
    yield made
    made.close()


@pytest.fixture(scope="module")
def rum(server: LocalRum) -> Iterator[Any]:
    """Return a client of RUM."""
    made = client(server, "rum")
    yield made
    made.close()


@pytest.fixture
def send(server: LocalRum, rum: Any, body: Make, event: Make) -> Make:
    """Send page views of these pages, one per second."""
    server.clear()

    def deliver(*pages: str) -> None:
        made = [
            event(PAGE_VIEW, {"pageId": page}, timestamp=1_790_000_000 + number) for number, page in enumerate(pages)
        ]
        rum.put_rum_events(Id=SHOP, **body(*made))

    return deliver


def pages(logs: Any, **arguments: Any) -> list[str]:
    """Return the pages of the events in the log group."""
    found = logs.filter_log_events(logGroupName=GROUP, **arguments)["events"]
    return [json.loads(event["message"])["event_details"]["pageId"] for event in found]


def test_log_group_has_the_same_events_as_the_data(rum: Any, logs: Any, send: Make) -> None:
    """As the app monitor says, which names the group."""
    send("/a", "/b")
    monitor = rum.get_app_monitor(Name="shop")["AppMonitor"]
    assert monitor["DataStorage"]["CwLog"] == {"CwLogEnabled": True, "CwLogGroup": GROUP}
    data = rum.get_app_monitor_data(Name="shop", TimeRange={"After": 0})["Events"]
    found = logs.filter_log_events(logGroupName=GROUP)["events"]
    assert [event["message"] for event in found] == data
    assert [event["timestamp"] for event in found] == [1_790_000_000_000, 1_790_000_001_000]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"startTime": 1_790_000_001_000}, ["/b", "/c"]),
        ({"endTime": 1_790_000_001_000}, ["/a", "/b"]),
        ({"filterPattern": '"/b"'}, ["/b"]),
        ({"filterPattern": "page_view_event"}, ["/a", "/b", "/c"]),
        ({"filterPattern": ""}, ["/a", "/b", "/c"]),
        ({"limit": 2}, ["/a", "/b"]),
    ],
)
def test_filters_choose_events(logs: Any, send: Make, arguments: dict[str, Any], expected: list[str]) -> None:
    """Times are in milliseconds, and a pattern is one text."""
    send("/a", "/b", "/c")
    assert pages(logs, **arguments) == expected


def test_pages_follow_each_other(logs: Any, send: Make) -> None:
    """The token of a page gives the next."""
    send("/a", "/b", "/c")
    first = logs.filter_log_events(logGroupName=GROUP, limit=2)
    assert pages(logs, limit=2, nextToken=first["nextToken"]) == ["/c"]
    assert "nextToken" not in logs.filter_log_events(logGroupName=GROUP, limit=3)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"logGroupName": "/aws/vendedlogs/RUMService_app99999999"}, "ResourceNotFoundException"),
        ({"filterPattern": "{ $.event_id = 1 }"}, "InvalidParameterException"),
        ({"nextToken": "x"}, "ValidationException"),
    ],
)
def test_wrong_requests_are_refused(logs: Any, arguments: dict[str, Any], code: str) -> None:
    """A log group that is not enabled does not exist."""
    with pytest.raises(ClientError) as refused:
        logs.filter_log_events(**{"logGroupName": GROUP, **arguments})
    assert refused.value.response["Error"]["Code"] == code


def test_wrong_signature_is_refused(server: LocalRum) -> None:
    """Reading needs the credentials, for this service as well."""
    other = client(server, "logs", "wrong")
    with pytest.raises(ClientError) as refused:
        other.filter_log_events(logGroupName=GROUP)
    other.close()
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_other_operations_are_unknown(logs: Any) -> None:
    """The local RUM serves one operation of CloudWatch Logs."""
    with pytest.raises(ClientError) as refused:
        logs.describe_log_groups()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
