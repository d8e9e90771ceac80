"""A receipt printer whose logged exceptions are errors in CloudWatch RUM. Its other log lines are not sent.

Start `otel-rum local`, then `python examples/logs/receipts.py`.
"""

from __future__ import annotations

import logging
import sys

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from otel_rum_exporter import RumLogExporter

# This example sends to `otel-rum local`, or to the URL in the first argument. To send to AWS, set the id and the region
# of your app monitor, and remove `endpoint` and `signing`.
exporter = RumLogExporter(
    app_monitor_id="00000000-1111-4222-8333-444444444444",
    region="eu-central-1",
    endpoint=sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8787",
    signing="none",
)
provider = LoggerProvider(resource=Resource.create({"service.name": "receipts"}))
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[logging.StreamHandler(sys.stdout)])
handler = LoggingHandler(logger_provider=provider)
logging.getLogger().addHandler(handler)
log = logging.getLogger("receipts")


def print_receipt(paper: int) -> None:
    """Print a receipt if there is paper."""
    if paper < 1:
        raise OSError("the printer is out of paper")
    log.info("printed")


for paper in (1, 0):
    try:
        print_receipt(paper)
    except OSError:
        log.exception("no receipt for this customer")

# Python flushes the remaining log handlers at exit. This one needs a thread for that, and Python 3.12 starts no thread
# at exit. So remove it before.
logging.getLogger().removeHandler(handler)
del handler
provider.shutdown()
