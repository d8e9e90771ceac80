"""Credentials that are missing, expire, rotate or are not allowed: events wait for whoever mends it."""

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
from tests.faults.account import Account
from tests.faults.conftest import IN_MEMORY

Make = Callable[..., Any]
KEYS = Credentials("AKIDEXAMPLE", "example")
SIGNED = {"signing": "sigv4", "region": "eu-west-1"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exporter: Make) -> None:
    """Ask again soon what a person must mend, and find no credentials of this machine."""
    monkeypatch.setattr(retry, "WAIT_VERDICT_SECONDS", 0.2)
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def accept(rum: LocalRum, keys: Credentials | None) -> None:
    """Let a stand-in take the signatures of these credentials only."""
    rum._data_plane._authenticator._credentials = keys


def own_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the exporter has logged."""
    return [record.getMessage() for record in caplog.records if record.name == "otel_rum_exporter"]


def test_missing_credentials_keep_the_events_until_there_are_some(
    rum: LocalRum, account: Account, exporter: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing goes out, one line a minute tells, and no restart is needed."""
    accept(rum, KEYS)
    one = exporter(**SIGNED)
    for _ in range(5):
        one.export([account.span()])
    time.sleep(1.0)
    assert (len(rum.requests), one.ledger.stored) == (0, 5)
    (line,) = own_lines(caplog)
    assert "NoCredentialsError" in line
    assert "give the process AWS credentials" in line
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key=example\n")
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"])
def test_a_refusal_of_who_asks_keeps_the_events_until_somebody_mends_it(
    code: str, rum: LocalRum, account: Account, exporter: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """One request at a time, one line a minute with what to do, and all is delivered in the end."""
    rum.faults = [Fault(status=403, error_type=code)]
    one = exporter()
    for _ in range(5):
        one.export([account.span()])
    time.sleep(1.0)
    assert len(rum.requests) <= 12
    (line,) = own_lines(caplog)
    assert code in line
    assert "To do: " in line
    rum.faults = []
    account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)


@IN_MEMORY
def test_rotating_credentials_are_followed(rum: LocalRum, account: Account, exporter: Make, tmp_path: Path) -> None:
    """Those that end soon are asked for anew before the next request, as with roles of instances and tasks."""
    told, program = tmp_path / "told.json", tmp_path / "process.py"
    program.write_text(f"print(open({str(told)!r}).read())")
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    program.chmod(stat.S_IRWXU)
    one = exporter(**SIGNED)
    for number in range(3):
        keys = Credentials(f"AKIDEXAMPLE{number}", f"example {number}", f"token {number}")
        ends = datetime.now(timezone.utc) + timedelta(minutes=5)
        told.write_text(
            json.dumps(
                {
                    "Version": 1,
                    "AccessKeyId": keys.access_key_id,
                    "SecretAccessKey": keys.secret_access_key,
                    "SessionToken": keys.session_token,
                    "Expiration": ends.isoformat(),
                }
            )
        )
        accept(rum, keys)
        one.export(account.spans(3))
        account.wait_until_all_are_taken()
    assert one.force_flush()
    account.assert_balanced(one.ledger)
    assert all(batch.signed for batch in rum.batches)
    assert not rum.refused
