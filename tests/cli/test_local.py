"""`otel-rum local`: its options, over the real program and AWS's own tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cli.program import RUN, run

Serve = Callable[..., str]
SHOP = "11111111-1111-4111-8111-111111111111"
AWS = os.environ.get("AWS_CLI") or shutil.which("aws")
KEYS = {"OTEL_RUM_LOCAL_ACCESS_KEY": "AKIDEXAMPLE", "OTEL_RUM_LOCAL_SECRET_KEY": "swordfish"}
REQUEST: dict[str, Any] = {
    "BatchId": "22222222-2222-4222-8222-222222222222",
    "AppMonitorDetails": {"name": "shop"},
    "UserDetails": {"sessionId": "44444444-4444-4444-8444-444444444444"},
    "RumEvents": [
        {
            "id": "33333333-3333-4333-8333-333333333333",
            "timestamp": 1_790_000_000,
            "type": "checkout",
            "details": '{"total": 12.5}',
            "metadata": '{"version": "1.0.0", "domain": "shop.example"}',
        }
    ],
}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the program on a free port and return its URL; more lines are what it says at first."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> str:
        command = [sys.executable, "-c", RUN, "local", "--port", "0", *arguments]
        environment = {**os.environ, **variables}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout
        return process.stdout.readline().split()[-1].rstrip("/")

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


def _client(url: str, **config: Any) -> Any:
    return boto3.client(
        "rum",
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="swordfish",
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, **config),
    )


def _outcome(url: str, **config: Any) -> str:
    client = _client(url, **config)
    try:
        client.put_rum_events(Id=SHOP, **REQUEST)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    else:
        return "taken" if client.get_app_monitor_data(Name="shop", TimeRange={"After": 0})["Events"] else "dropped"
    finally:
        client.close()


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ((), "taken"),
        (("--app-monitor", f"{SHOP}=shop"), "taken"),
        (("--app-monitor", "99999999-9999-4999-8999-999999999999"), "ResourceNotFoundException"),
        (("--no-custom-events",), "dropped"),
        (("--domain", "*.example"), "taken"),
        (("--domain", "other.example"), "dropped"),
        (("--alias", "blue"), "AccessDeniedException"),
        (("--requests-per-second", "0"), "ThrottlingException"),
        (("--fault", "status=503,error_type=Down"), "Down"),
        (("--fault", "status=503,times=1,probability=0"), "taken"),
    ],
)
def test_each_option_does_what_it_says(serve: Serve, options: tuple[str, ...], outcome: str) -> None:
    """One event is sent to a stand-in that was started with it, unsigned."""
    assert _outcome(serve(*options), signature_version=UNSIGNED) == outcome


def test_keys_come_from_the_environment_and_are_demanded(serve: Serve) -> None:
    """So the secret need not stand in the list of processes."""
    url = serve(**KEYS)
    assert _outcome(url) == "taken"
    assert _outcome(url, signature_version=UNSIGNED) == "MissingAuthenticationTokenException"


def test_the_secret_is_not_printed() -> None:
    """Not in the help either, which shows where the options come from."""
    shown = run("local", "--help", **KEYS).stdout
    assert "OTEL_RUM_LOCAL_SECRET_KEY" in shown
    assert "swordfish" not in shown


def test_data_stays_in_its_file(serve: Serve, tmp_path: Path) -> None:
    """A second program on the same file is told so, and a later one has what was received."""
    file = str(tmp_path / "rum.db")
    assert _outcome(serve("--data", file)) == "taken"
    ended = run("local", "--port", "0", "--data", file)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith(f"otel-rum: cannot store received requests in {file}: database is locked")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--access-key", "AKID"), "--access-key and --secret-key go together"),
        (("--fault", "colour=red"), "'colour=red' has the unknown fault field 'colour'; use status, error_type,"),
        (("--fault", "status=1"), "'status=1' is not a valid fault: a Fault cannot have status=1"),
        (("--app-monitor", "shop"), "an app monitor's id must be a UUID, is 'shop'"),
    ],
)
def test_options_that_make_no_sense_are_one_clear_line(options: tuple[str, ...], told: str) -> None:
    """The value is quoted, and nothing is served."""
    ended = run("local", "--port", "0", *options)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith(f"otel-rum: {told}")


@pytest.mark.skipif(not AWS, reason="the AWS CLI is not installed")
def test_the_aws_cli_sends_and_reads(serve: Serve, tmp_path: Path) -> None:
    """Signed, with nothing but the two variables that the help names."""
    url = serve(**KEYS)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL_RUM": url,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "swordfish",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }

    def aws(*arguments: str) -> Any:
        command = [str(AWS), "rum", *arguments, "--output", "json"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
        return json.loads(ended.stdout) if ended.stdout else None

    assert aws("put-rum-events", "--id", SHOP, "--cli-input-json", json.dumps({"Id": SHOP, **REQUEST})) is None
    assert [one["Name"] for one in aws("list-app-monitors")["AppMonitorSummaries"]] == ["shop"]
    assert aws("get-app-monitor", "--name", "shop")["AppMonitor"]["Id"] == SHOP
    (event,) = aws("get-app-monitor-data", "--name", "shop", "--time-range", "After=0")["Events"]
    assert json.loads(event)["event_details"] == {"total": 12.5}
