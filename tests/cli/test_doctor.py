"""`otel-rum doctor` and `otel-rum config`: what they print, and how they end."""

from __future__ import annotations

import json

import pytest

from otel_rum_exporter.config import table
from otel_rum_exporter.local import CAPTIVE_PORTAL, Fault, LocalRum
from tests.cli.program import OWN, run

MONITOR_ID = "00000000-1111-4222-8333-444444444444"
SOUND = {f"{OWN}APP_MONITOR_ID": MONITOR_ID, f"{OWN}SIGNING": "none", "OTEL_TRACES_EXPORTER": "aws_rum"}


def test_doctor_ends_with_0_against_the_stand_in(rum: LocalRum) -> None:
    """It shows the settings with their places, then each check on a line."""
    ended = run("doctor", "--endpoint", rum.url, **SOUND)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert f"  app_monitor_id           {MONITOR_ID}  {OWN}APP_MONITOR_ID" in lines
    assert any(line.split()[:3] == ["endpoint", rum.url, "--endpoint"] for line in lines)
    assert "  ok       test event       one otel_rum_doctor was taken" in lines
    assert [event.type for event in rum.events] == ["otel_rum_doctor"]


def test_doctor_ends_with_1_where_a_check_failed_and_tells_what_mends_it(rum: LocalRum) -> None:
    """The fix stands below the check."""
    rum.faults = [Fault(status=200, content=CAPTIVE_PORTAL)]
    ended = run("doctor", "--endpoint", rum.url, **SOUND)
    assert ended.returncode == 1
    _, _, after = ended.stdout.partition("failed   endpoint         a web page answered in place of AWS")
    assert after.splitlines()[1].lstrip().startswith("to do: sign in to the network")


def test_doctor_prints_json_and_sends_nothing_where_it_is_told_so(rum: LocalRum) -> None:
    """One object, with settings and checks."""
    ended = run("doctor", "--json", "--no-send", **SOUND, **{f"{OWN}ENDPOINT": rum.url})
    told = json.loads(ended.stdout)
    assert (ended.returncode, len(told["settings"])) == (0, len(table()))
    assert "test event" not in [check["check"] for check in told["checks"]]
    assert {"check", "about", "status", "told", "fix"} == set(told["checks"][0])
    assert rum.events == ()


def test_config_shows_each_setting_with_its_place_and_no_secret() -> None:
    """Option, variable of ours, variable of AWS's, default."""
    variables = {f"{OWN}APP_MONITOR_ID": MONITOR_ID, "AWS_REGION": "eu-west-1", f"{OWN}ID_HASH_KEY": "swordfish"}
    ended = run("config", "--alias", "front", "--endpoint", "http://me:swordfish@127.0.0.1:1", "--json", **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    shown = {row["setting"]: (row["value"], row["source"]) for row in json.loads(ended.stdout)}
    assert list(shown) == list(table())
    assert shown["app_monitor_id"] == (MONITOR_ID, f"{OWN}APP_MONITOR_ID")
    assert shown["region"] == ("eu-west-1", "AWS_REGION")
    assert shown["alias"] == ("front", "--alias")
    assert shown["signing"] == ("sigv4", "default")
    assert shown["id_hash_key"][1] == f"{OWN}ID_HASH_KEY"
    assert "swordfish" not in ended.stdout


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "APP_MONITOR_ID is not set"),
        ({f"{OWN}APP_MONITOR_ID": MONITOR_ID, f"{OWN}SIGNING": "v4"}, "SIGNING='v4' is not one of sigv4, none"),
        ({f"{OWN}APP_MONITOR_ID": MONITOR_ID, f"{OWN}ALAIS": "x"}, f"did you mean '{OWN}ALIAS'?"),
    ],
)
def test_config_ends_with_2_and_the_fault_after_the_table(variables: dict[str, str], told: str) -> None:
    """The table is there all the same."""
    ended = run("config", **variables)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert len(ended.stdout.splitlines()) == len(table())


def test_a_secret_cannot_be_given_as_an_option() -> None:
    """The command lines of others are for everyone to see."""
    assert "id-hash-key" not in run("config", "--help").stdout
