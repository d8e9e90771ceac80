"""The values and types of the doctor's tests."""

from __future__ import annotations

from collections.abc import Callable

from otel_rum_exporter.cli.doctor import Result, Status
from otel_rum_exporter.local import AppMonitor
from tests.aws import ACCOUNT, REGION

MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000001"
OTHER_ID = "00000000-aaaa-4bbb-8ccc-000000000002"
SHOP = AppMonitor(id=MONITOR_ID, name="shop")
ARN = f"arn:aws:rum:{REGION}:{ACCOUNT}:appmonitor/shop"
KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE1234", "example-secret-of-tests", "example-token-of-tests"

Results = dict[str, Result]
"""By the name of the check."""

Diagnose = Callable[..., Results]


def failures(results: Results) -> set[str]:
    """Return the names of the checks that failed."""
    return {name for name, result in results.items() if result.status is Status.FAILED}
