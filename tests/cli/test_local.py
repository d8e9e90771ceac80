"""`otel-rum local`: output, options and errors, with the real program and AWS's own tools."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from otel_rum_exporter.cli.commands.local import _local_rum, _Options, local
from tests.cli.program import code_without, environment, error_line, run
from tests.instrumentations import only

StartLocal = Callable[..., subprocess.Popen[str]]
SHOP = "11111111-1111-4111-8111-111111111111"
ANY_ID = "00000000-1111-4222-8333-444444444444"
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
def serve(start_local: StartLocal) -> Callable[..., str]:
    """Return a function that starts the program and returns its URL."""
    return lambda *arguments, **variables: read_url(start_local(*arguments, **variables))


def read_url(process: subprocess.Popen[str]) -> str:
    """Read the first line that the program prints, and return its URL."""
    assert process.stdout
    return process.stdout.readline().split()[-1].rstrip("/")


def client(url: str, **config: Any) -> Any:
    """Return a client of RUM that does not retry."""
    return boto3.client(
        "rum",
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="swordfish",
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, **config),
    )


def outcome(url: str, **config: Any) -> str:
    """Send one event, and return "accepted", "dropped" or the error code."""
    rum = client(url, **config)
    try:
        rum.put_rum_events(Id=SHOP, **REQUEST)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    else:
        return "accepted" if rum.get_app_monitor_data(Name="shop", TimeRange={"After": 0})["Events"] else "dropped"
    finally:
        rum.close()


def test_help_shows_the_default_address() -> None:
    """Host and port."""
    output = run("local", "--help").stdout
    assert "127.0.0.1" in output
    assert "8787" in output


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send these signals to a child")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_local_serves_until_a_signal(start_local: StartLocal, number: signal.Signals) -> None:
    """The printed URL responds, and repeated signals end the program without an error."""
    process = start_local()
    assert process.stdout
    url = read_url(process)
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.status == 200
    for _ in range(30):  # a user may press Ctrl-C more than once
        process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="the lines are for a POSIX shell")
def test_local_prints_lines_that_a_shell_accepts_and_that_work(start_local: StartLocal) -> None:
    """An application started after them sends its spans and log records to this RUM."""
    process = start_local()
    assert process.stdout
    url = read_url(process)
    exports = [line for line in (process.stdout.readline() for _ in range(9)) if line.startswith("export ")]
    code = "from opentelemetry import trace; trace.get_tracer('shop').start_span('checkout').end()"
    script = f'{"".join(exports)}exec opentelemetry-instrument {sys.executable} -c "{code}"'
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["bash", "-euc", script],
        env=environment(PATH=path, **only()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    (monitor,) = client(url).list_app_monitors()["AppMonitorSummaries"]
    received = client(url).get_app_monitor_data(Name=monitor["Name"], TimeRange={"After": 0})["Events"]
    assert {json.loads(event)["event_type"] for event in received} >= {"checkout"}


def test_local_with_json_prints_its_address(start_local: StartLocal) -> None:
    """One line of JSON."""
    process = start_local("--json")
    assert process.stdout
    output = json.loads(process.stdout.readline())
    assert {"signing": "none", "app_monitor_id": ANY_ID}.items() <= output.items()
    with urllib.request.urlopen(output["url"], timeout=10) as response:
        assert response.status == 200


def test_local_on_a_public_host_warns(start_local: StartLocal) -> None:
    """Other computers can then read the console."""
    process = start_local("--host", "0.0.0.0")
    assert process.stderr
    assert process.stderr.readline().startswith("the local RUM listens on 0.0.0.0: any computer that can reach")


def test_local_on_a_port_in_use_names_the_fix() -> None:
    """In one line, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = run("local", "--port", str(port))
    assert ended.returncode == 1
    fix = "stop the program that uses the port, or choose another port with --port"
    assert error_line(ended).startswith(f"cannot listen on port {port} of 127.0.0.1: ")
    assert error_line(ended).endswith(f". To fix: {fix}")


def test_local_on_an_address_of_another_computer_is_one_line() -> None:
    """Other errors of listening have the message of the operating system."""
    ended = run("local", "--host", "192.0.2.1", "--port", "0")
    assert ended.returncode == 1
    assert error_line(ended).startswith("cannot listen on port 0 of 192.0.2.1: ")


@pytest.mark.parametrize("package", ["click", "starlette", "uvicorn", "jsonschema"])
def test_local_without_a_package_names_the_extra(package: str) -> None:
    """In one line."""
    ended = run("local", code=code_without(package))
    assert ended.returncode == 2
    assert error_line(ended).endswith("pip install 'otel-rum-exporter[local]'")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "accepted"),
        (("--app-monitor", f"{SHOP}=shop"), "accepted"),
        (("--app-monitor", "99999999-9999-4999-8999-999999999999"), "ResourceNotFoundException"),
        (("--no-custom-events",), "dropped"),
        (("--domain", "*.example"), "accepted"),
        (("--domain", "other.example"), "dropped"),
        (("--alias", "blue"), "AccessDeniedException"),
        (("--requests-per-second", "0"), "ThrottlingException"),
        (("--fault", "status=503,error_type=Down"), "Down"),
        (("--fault", "status=503,times=1,probability=0"), "accepted"),
    ],
)
def test_options_decide_the_outcome_of_a_request(options: tuple[str, ...], expected: str) -> None:
    """The request is unsigned and contains one custom event. No process of its own: a start costs most of a second."""
    given = local.make_context("local", ["--port", "0", *options]).params
    with _local_rum(_Options(**given)) as rum:
        assert outcome(rum.url, signature_version=UNSIGNED) == expected


def test_keys_of_the_environment_are_required(serve: Callable[..., str]) -> None:
    """With variables, the list of processes does not show the secret."""
    url = serve(**KEYS)
    assert outcome(url) == "accepted"
    assert outcome(url, signature_version=UNSIGNED) == "MissingAuthenticationTokenException"


def test_help_names_the_variable_of_the_secret_but_not_its_value() -> None:
    """The help shows the variable of each option."""
    output = run("local", "--help", **KEYS).stdout
    assert "OTEL_RUM_LOCAL_SECRET_KEY" in output
    assert "swordfish" not in output


def test_data_file_in_use_is_an_error(serve: Callable[..., str], tmp_path: Path) -> None:
    """Two programs cannot write to the same file."""
    file = str(tmp_path / "rum.db")
    assert outcome(serve("--data", file)) == "accepted"
    ended = run("local", "--port", "0", "--data", file)
    assert ended.returncode == 1
    assert error_line(ended).startswith(f"cannot store received requests in {file}: database is locked")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--access-key", "AKID"), "--access-key and --secret-key need each other"),
        (
            ("--fault", "colour=red"),
            "--fault: 'colour=red' has the unknown fault field 'colour'; use status, error_type,",
        ),
        (("--fault", "status=1"), "--fault: 'status=1' is not a valid fault: a Fault cannot have status=1"),
        (("--app-monitor", "shop"), "--app-monitor: an app monitor's id must be a UUID, is 'shop'"),
    ],
)
def test_wrong_options_are_one_line_with_the_value(options: tuple[str, ...], message: str) -> None:
    """The program does not start."""
    ended = run("local", "--port", "0", *options)
    assert ended.returncode == 2
    assert error_line(ended).startswith(message)


@pytest.mark.skipif(not AWS, reason="the AWS CLI is not installed")
def test_aws_command_line_sends_and_reads(serve: Callable[..., str], tmp_path: Path) -> None:
    """Signed requests, with the two variables in the help."""
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
    (event,) = aws("get-app-monitor-data", "--name", "shop", "--time-range", "After=0")["Events"]
    assert json.loads(event)["event_details"] == {"total": 12.5}
