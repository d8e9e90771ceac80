"""The same request of one event again and again, as the exporter makes it, and as boto3 does with plain arguments."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager

from otel_rum_exporter.config import Config
from otel_rum_exporter.rum.batch import AppMonitor, Batch, BatchKey
from otel_rum_exporter.rum.client import Transport
from otel_rum_exporter.rum.encoded_events import EncodedEvents
from otel_rum_exporter.rum.event import RumEvent
from otel_rum_exporter.rum.ids import event_id
from otel_rum_exporter.rum.request import parameters

from .corpus import EPOCH_NS
from .exporters import APP_MONITOR_ID

REGION = "eu-central-1"

_EVENT = RumEvent.of(
    event_id("event"),
    EPOCH_NS,
    "com.amazon.rum.http_event",
    '{"version":"1.0.0","request":{"method":"POST","url":"https://api.museum.example/v2/speak/*"},'
    '"trace_id":"1-e3bef026-439177dd4aaf48cb0bd79e9e","segment_id":"ab214cd5ffdc8c75",'
    '"response":{"status":503,"statusText":"Service Unavailable"}}',
    '{"title":"Search","pageId":"Search"}',
    '{"version":"1.0.0","domain":"kiosk","platformType":"web","deviceType":"desktop","osName":"Debian GNU/Linux"}',
)
BATCH = Batch(
    BatchKey(AppMonitor(APP_MONITOR_ID, None, "4.12.0", None), event_id("session"), event_id("user")),
    (EncodedEvents.of([_EVENT]),),
)


@contextmanager
def sender(name: str, endpoint: str) -> Generator[Callable[[], object], None, None]:
    """Yield a function that sends a request."""
    if name == "aws_rum":
        config = Config.read({"app_monitor_id": APP_MONITOR_ID, "region": REGION, "endpoint": endpoint}, {})
        with closing(Transport(config)) as transport:
            yield lambda: transport.send(BATCH)
        return
    import boto3
    from botocore.config import Config as BotoConfig

    settings = BotoConfig(inject_host_prefix=False)
    with closing(boto3.client("rum", region_name=REGION, endpoint_url=endpoint, config=settings)) as client:
        members = client.meta.service_model.operation_model("PutRumEvents").input_shape.members
        arguments = parameters(BATCH, has_session_metadata="SessionMetadata" in members)
        yield lambda: client.put_rum_events(**arguments)
