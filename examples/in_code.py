"""A kiosk that sends its screens and errors to CloudWatch RUM, set up in code."""

import contextlib
import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_rum_exporter import RumSpanExporter

# This example sends to `otel-rum local`, or to the URL in the first argument. To send to AWS, set the id and the region
# of your app monitor, and remove `endpoint` and `signing`. Requests are then signed with your AWS credentials.
exporter = RumSpanExporter(
    app_monitor_id="00000000-1111-4222-8333-444444444444",
    region="eu-central-1",
    endpoint=sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8787",
    signing="none",
)
provider = TracerProvider(resource=Resource.create({"service.name": "kiosk"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("kiosk")

with tracer.start_as_current_span("show menu", attributes={"app.screen.name": "menu"}):
    print("tea, coffee, cake")
with contextlib.suppress(OSError), tracer.start_as_current_span("print receipt"):
    raise OSError("the printer is out of paper")

# The provider sends the last spans when the program ends.
