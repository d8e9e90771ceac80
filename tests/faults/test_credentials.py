"""Missing, expired, rotated and unauthorized credentials: events are kept until the cause is fixed."""

from __future__ import annotations

import json
import stat
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from otel_rum_exporter.delivery import retry, worker
from otel_rum_exporter.local import Credentials, Fault, LocalRum
from tests.faults.conftest import IN_MEMORY
from tests.faults.numbered_spans import NumberedSpans
from tests.waiting import wait_until

Make = Callable[..., Any]
KEYS = Credentials("AKIDEXAMPLE", "example")
SIGNED = {"signing": "sigv4", "region": "eu-west-1"}


@pytest.fixture(autouse=True)
def _fast_retries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exporter: Make) -> None:
    """Retry soon after errors that need a fix, and hide the credentials of this machine."""
    monkeypatch.setattr(retry, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(worker, "MAX_EXPORT_WAIT_SECONDS", 0.1)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def accept(rum: LocalRum, keys: Credentials | None) -> None:
    """Make the local RUM accept only signatures of these credentials."""
    rum._data_plane._authenticator._credentials = keys


def own_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log lines of the exporter."""
    return [record.getMessage() for record in caplog.records if record.name == "otel_rum_exporter"]


def test_events_are_kept_until_credentials_are_available(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is sent, one line a minute is logged, and no restart is needed."""
    accept(rum, KEYS)
    one = exporter(**SIGNED)
    for _ in range(5):
        one.export([numbered.span()])
    wait_until(lambda: bool(own_lines(caplog)))
    time.sleep(1.0)  # more attempts
    assert (len(rum.requests), one.ledger.stored) == (0, 5)
    (line,) = own_lines(caplog)
    assert "NoCredentialsError" in line
    assert "give the process AWS credentials" in line
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key=example\n")
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"])
def test_events_are_kept_until_rum_accepts_the_credentials(
    code: str, rum: LocalRum, numbered: NumberedSpans, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """One request at a time, one line a minute with the fix, and everything is delivered in the end."""
    rum.faults = [Fault(status=403, error_type=code)]
    one = exporter()
    begun = time.monotonic()
    for _ in range(5):
        one.export([numbered.span()])
    wait_until(lambda: len(rum.requests) > 1)
    time.sleep(0.5)
    assert len(rum.requests) <= 12 * max(1.0, time.monotonic() - begun)
    (line,) = own_lines(caplog)
    assert code in line
    assert "To fix: " in line
    rum.faults = []
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)


@pytest.fixture
def rotate(rum: LocalRum, tmp_path: Path) -> Callable[[int], None]:
    """Rotate the credentials that a command returns; `rum` accepts only the newest."""
    output, program = tmp_path / "credentials.json", tmp_path / "process.py"
    program.write_text(f"print(open({str(output)!r}).read())")
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    program.chmod(stat.S_IRWXU)

    def to(number: int) -> None:
        keys = Credentials(f"AKIDEXAMPLE{number}", f"example {number}", f"token {number}")
        ends = datetime.now(timezone.utc) + timedelta(minutes=5)
        written = {
            "Version": 1,
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
            "SessionToken": keys.session_token,
            "Expiration": ends.isoformat(),
        }
        accept(rum, keys)
        # In one step: the command may run at any time.
        output.with_suffix(".new").write_text(json.dumps(written))
        output.with_suffix(".new").replace(output)

    return to


@IN_MEMORY
def test_rotated_credentials_are_used(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, rotate: Callable[[int], None]
) -> None:
    """Credentials that expire soon are fetched again before the next request, as for roles of instances and tasks."""
    one = exporter(**SIGNED)
    for number in range(3):
        rotate(number)
        one.export(numbered.spans(3))
        numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)
    assert all(batch.signed for batch in rum.batches)
    assert not rum.refused


@IN_MEMORY
def test_credentials_that_expire_in_flight_cost_nothing(
    rum: LocalRum, numbered: NumberedSpans, exporter: Make, rotate: Callable[[int], None]
) -> None:
    """A request that was signed before the rotation is refused, and sent again with the new credentials."""
    rotate(0)
    one = exporter(**SIGNED)
    one.export(numbered.spans(3))
    numbered.wait_until_received()
    accept(rum, Credentials("AKIDEXAMPLE1", "example 1", "token 1"))  # RUM knows the rotation first
    one.export(numbered.spans(50))
    wait_until(lambda: bool(rum.refused))
    rotate(1)
    numbered.wait_until_received()
    assert one.force_flush()
    numbered.assert_counts(one.ledger)
    assert all(batch.signed for batch in rum.batches)
