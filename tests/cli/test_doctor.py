"""`otel-rum doctor` and `otel-rum config`: output and exit codes."""

from __future__ import annotations

import json

import pytest

from otel_rum_exporter.config import PREFIX, table
from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum
from tests.cli.program import CODE, run

MONITOR_ID = "00000000-1111-4222-8333-444444444444"
VALID = {f"{PREFIX}APP_MONITOR_ID": MONITOR_ID, f"{PREFIX}SIGNING": "none", "OTEL_TRACES_EXPORTER": "aws_rum"}


def test_doctor_with_valid_settings_exits_with_0(rum: LocalRum) -> None:
    """It prints each setting that is given with its source, then each check on a line."""
    ended = run("doctor", "--endpoint", rum.url, code=CODE, **VALID)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["app_monitor_id", MONITOR_ID, f"{PREFIX}APP_MONITOR_ID"],
        ["endpoint", rum.url, "--endpoint"],
        ["signing", "none", f"{PREFIX}SIGNING"],
    ]
    assert lines[lines.index("Checks") - 1] == ""
    assert "  ok       test event       RUM accepted one otel_rum_doctor event" in lines
    assert [event.type for event in rum.events] == ["otel_rum_doctor"]


def test_doctor_with_a_failed_check_exits_with_1_and_prints_the_fix(rum: LocalRum) -> None:
    """The fix is the line below the check."""
    rum.faults = [Fault(status=200, content=CAPTIVE_PORTAL)]
    ended = run("doctor", "--endpoint", rum.url, **VALID)
    assert ended.returncode == 1
    _, _, after = ended.stdout.partition(f"failed   endpoint         {rum.url} responds with a web page")
    assert after.splitlines()[1].lstrip().startswith("To fix: start `otel-rum local` on a free port")


def test_doctor_with_json_and_no_send_prints_json_and_sends_nothing(rum: LocalRum) -> None:
    """One object with settings and checks."""
    ended = run("doctor", "--json", "--no-send", **VALID, **{f"{PREFIX}ENDPOINT": rum.url})
    output = json.loads(ended.stdout)
    assert (ended.returncode, len(output["settings"])) == (0, len(table()))
    assert "test event" not in [check["check"] for check in output["checks"]]
    assert {"check", "about", "status", "message", "fix"} == set(output["checks"][0])
    assert rum.events == ()


def test_config_prints_each_setting_with_its_source_and_no_secret() -> None:
    """Sources are an option, a variable of this package, a variable of AWS, and the default."""
    variables = {f"{PREFIX}APP_MONITOR_ID": MONITOR_ID, "AWS_REGION": "eu-west-1", f"{PREFIX}ID_HASH_KEY": "swordfish"}
    ended = run("config", "--alias", "front", "--endpoint", "http://me:swordfish@127.0.0.1:1", "--json", **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    printed = {row["setting"]: (row["value"], row["source"]) for row in json.loads(ended.stdout)}
    assert list(printed) == list(table())
    assert printed["app_monitor_id"] == (MONITOR_ID, f"{PREFIX}APP_MONITOR_ID")
    assert printed["region"] == ("eu-west-1", "AWS_REGION")
    assert printed["alias"] == ("front", "--alias")
    assert printed["signing"] == ("sigv4", "default")
    assert printed["id_hash_key"][1] == f"{PREFIX}ID_HASH_KEY"
    assert "swordfish" not in ended.stdout


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "APP_MONITOR_ID is not set"),
        ({f"{PREFIX}APP_MONITOR_ID": MONITOR_ID, f"{PREFIX}SIGNING": "v4"}, "SIGNING='v4' is not one of sigv4, none"),
        ({f"{PREFIX}APP_MONITOR_ID": MONITOR_ID, f"{PREFIX}ALAIS": "x"}, f"the most similar is '{PREFIX}ALIAS'"),
    ],
)
def test_config_with_a_wrong_setting_exits_with_2_after_the_table(variables: dict[str, str], message: str) -> None:
    """The table is complete."""
    ended = run("config", **variables)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stdout.splitlines()) == len(table())


def test_config_has_no_option_for_a_secret() -> None:
    """Other users of a computer can see the options of a command."""
    assert "id-hash-key" not in run("config", "--help").stdout
