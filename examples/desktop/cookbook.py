"""A cookbook in the terminal. Its screens, clicks and crash go to CloudWatch RUM.

Start `otel-rum local`, then `python examples/desktop/cookbook.py`. Enter 0 people to make it crash.
"""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_rum_exporter import RumLogExporter, RumSessionProcessor, RumSpanExporter

# This example sends to `otel-rum local`, or to the URL in the first argument. To send to AWS, set the id and the region
# of your app monitor, and remove `endpoint` and `signing`.
MONITOR_ID, REGION = "00000000-1111-4222-8333-444444444444", "eu-central-1"
ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8787"

resource = Resource.create({"service.name": "cookbook", "service.version": "1.0"})
spans = RumSpanExporter(app_monitor_id=MONITOR_ID, region=REGION, endpoint=ENDPOINT, signing="none")
logs = RumLogExporter(app_monitor_id=MONITOR_ID, region=REGION, endpoint=ENDPOINT, signing="none")
tracer_provider, logger_provider = TracerProvider(resource=resource), LoggerProvider(resource=resource)
trace.set_tracer_provider(tracer_provider)

# One processor sets session, user and screen for spans and log records. The user is a random id, kept in a file.
rum = RumSessionProcessor(state_directory="~/.cookbook")
tracer_provider.add_span_processor(rum)
tracer_provider.add_span_processor(BatchSpanProcessor(spans))
logger_provider.add_log_record_processor(rum)
logger_provider.add_log_record_processor(BatchLogRecordProcessor(logs))

tracer, events = trace.get_tracer("cookbook"), logger_provider.get_logger("cookbook")

RECIPES = {"pancakes": {"flour, g": 250, "milk, ml": 500, "eggs": 3}, "omelette": {"eggs": 3, "butter, g": 10}}
SERVES = 2


def click(widget: str) -> None:
    """Report that the user selected something."""
    events.emit(LogRecord(event_name="app.widget.click", attributes={"app.widget.id": widget}))


def cook(name: str) -> None:
    """Show a recipe for a number of people that the user enters."""
    rum.page_view(f"recipe/{name}")
    people = int(input("How many eat? "))
    click("cook")
    with tracer.start_as_current_span("scale recipe", attributes={"people": people}):
        share = SERVES / people
        for ingredient, amount in RECIPES[name].items():
            print(f"  {amount / share:g} {ingredient}")


def main() -> None:
    """Show the contents until the user quits."""
    while True:
        rum.page_view("contents")
        name = input(f"{', '.join(RECIPES)}, or quit? ")
        if name == "quit":
            return
        if name in RECIPES:
            click(name)
            cook(name)


if __name__ == "__main__":
    main()
