"""The doctor in a valid environment, with a local RUM and a fake STS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_rum_exporter.cli.doctor import Context, run_checks
from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.local import Credentials, LocalRum
from tests.aws import REGION, Aws
from tests.cli.doctor.diagnosis import KEY_ID, MONITOR_ID, SECRET, SHOP, Diagnose, Results


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the settings of this computer."""
    for name in [name for name in os.environ if name.upper().startswith(("OTEL_", "AWS_")) or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Serve STS."""
    with Aws().serving() as served:
        yield served


@pytest.fixture
def shop() -> Iterator[LocalRum]:
    """Serve RUM with one app monitor, which requires signatures."""
    with LocalRum(app_monitors=[SHOP], credentials=Credentials(KEY_ID, SECRET)) as rum:
        yield rum


@pytest.fixture
def diagnose(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Diagnose:
    """Run all checks for an endpoint, in a valid environment changed by variables; None removes a variable."""

    def run(url: str, **variables: str | None) -> Results:
        valid = {
            f"{PREFIX}APP_MONITOR_ID": MONITOR_ID,
            "OTEL_TRACES_EXPORTER": "aws_rum",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL_RUM": url,
            "AWS_ENDPOINT_URL_STS": aws.url,
        }
        for name, value in (valid | variables).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return {check.name: result for check, result in run_checks(Context({}, os.environ))}

    return run
