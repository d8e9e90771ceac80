"""The check of the spool."""

from __future__ import annotations

from pathlib import Path

from otel_rum_exporter._log import RateLimitedLog
from otel_rum_exporter.cli.doctor import Result, Status
from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.delivery.spool.directory import Spool
from otel_rum_exporter.local import LocalRum
from tests.aws import REGION
from tests.cli.doctor.diagnosis import MONITOR_ID, Diagnose
from tests.delivery.queued import queued


def leave_events(directory: Path, destination: str, count: int) -> None:
    """Leave events for a destination in a spool."""
    spool = Spool(str(directory), destination=destination, max_bytes=10**9, log=RateLimitedLog())
    delivered = queued("a", "delivered")
    spool.replace((), [delivered, *(queued("a", number) for number in range(count))])
    spool.remove([delivered])
    spool.close()


def test_events_for_other_settings_are_a_warning(diagnose: Diagnose, shop: LocalRum, tmp_path: Path) -> None:
    """With their number and destination; those for these settings are not."""
    settings = {f"{PREFIX}SPOOL_DIRECTORY": str(tmp_path)}
    assert diagnose(shop.url, **settings)["spool"].message.startswith(f"0 events in {tmp_path}")
    leave_events(tmp_path, f"app monitor {MONITOR_ID} in {REGION} at {shop.url}", 4)
    assert diagnose(shop.url, **settings)["spool"].message.startswith(f"4 events in {tmp_path}")
    leave_events(tmp_path, "app monitor other", 21)
    assert diagnose(shop.url, **settings)["spool"] == Result(
        Status.WARNING,
        f"21 events for app monitor other are still in {tmp_path}",
        "start a process with these settings, or delete the events",
    )


def test_without_a_spool_no_events_wait_for_other_settings(diagnose: Diagnose, shop: LocalRum) -> None:
    """They are in memory."""
    assert diagnose(shop.url)["spool"] == Result(Status.OK, "there is none: events are kept in memory")
