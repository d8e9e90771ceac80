"""All checks together: each wrong setting is found, with the fix, by the checks that it fails."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import pytest

from otel_rum_exporter.cli.doctor import CHECKS, Check, Context, Result, Status, checks, run_checks
from otel_rum_exporter.cli.doctor.checks import TEST_EVENT
from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.local import LocalRum
from tests.aws import ACCOUNT, REGION, Aws
from tests.cli.doctor.diagnosis import KEY_ID, MONITOR_ID, OTHER_ID, SECRET, TOKEN, Diagnose, failures


def test_valid_environment_passes_every_check(diagnose: Diagnose, shop: LocalRum) -> None:
    """RUM receives the test event."""
    results = diagnose(shop.url)
    assert {name: result.status.value for name, result in results.items()} == {
        **dict.fromkeys((check.name for check in CHECKS), "ok"),
        "resource policy": "skipped",
    }
    assert results["credentials"].message == "access key ...1234, found by env"
    assert results["identity"].message == f"arn:aws:sts::{ACCOUNT}:user/moto"
    assert [event.type for event in shop.events] == ["otel_rum_doctor"]
    assert not shop.dropped


WRONG: dict[str, tuple[dict[str, str | None], set[str], str, str]] = {
    "a wrong id": (
        {f"{PREFIX}APP_MONITOR_ID": OTHER_ID},
        {"app monitor", "test event"},
        f"no app monitor {OTHER_ID} in {REGION}",
        f"{MONITOR_ID} (shop)",
    ),
    "the name for the id": (
        {f"{PREFIX}APP_MONITOR_ID": "shop"},
        {"settings", "app monitor"},
        f"'shop' is the name of an app monitor, but {PREFIX}APP_MONITOR_ID needs its id",
        f"set {PREFIX}APP_MONITOR_ID={MONITOR_ID}",
    ),
    "no id": (
        {f"{PREFIX}APP_MONITOR_ID": None},
        {"settings", "app monitor"},
        "no app monitor is set",
        f"set {PREFIX}APP_MONITOR_ID to one of: {MONITOR_ID} (shop)",
    ),
    "no credentials": (
        {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
        {"credentials"},
        "there are no AWS credentials",
        f"or set {PREFIX}SIGNING=none",
    ),
    "half of the credentials": (
        {"AWS_SECRET_ACCESS_KEY": None},
        {"credentials"},
        "AWS_SECRET_ACCESS_KEY",
        "give the process AWS credentials",
    ),
    "a missing profile": (
        {"AWS_PROFILE": "absent"},
        {"region"},
        "The config profile (absent) could not be found",
        "check AWS_PROFILE",
    ),
    "wrong credentials": (
        {"AWS_SECRET_ACCESS_KEY": "another"},
        {"app monitor"},
        "InvalidSignatureException",
        "check the AWS credentials of the process",
    ),
    "a misspelt variable": (
        {f"{PREFIX}ENPOINT": "http://127.0.0.1:1"},
        {"variables"},
        f"'{PREFIX}ENPOINT' is not a setting; the most similar is '{PREFIX}ENDPOINT'",
        "rename or unset",
    ),
    "a misspelt exporter": (
        {"OTEL_TRACES_EXPORTER": "aws_rm"},
        {"exporter"},
        "OTEL_TRACES_EXPORTER=aws_rm: no installed package has this exporter, so no telemetry at all is exported",
        "set OTEL_TRACES_EXPORTER=aws_rum",
    ),
    "an exporter without its package": (
        {"OTEL_METRICS_EXPORTER": "prometheus"},
        {"exporter"},
        "OTEL_METRICS_EXPORTER=prometheus: no installed package has this exporter",
        "set OTEL_METRICS_EXPORTER=none, or pip install opentelemetry-exporter-prometheus",
    ),
    "another exporter for spans": (
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_LOGS_EXPORTER": "aws_rum"},
        {"exporter"},
        "OTEL_TRACES_EXPORTER=console sends no spans to RUM",
        "set OTEL_TRACES_EXPORTER=aws_rum, or add aws_rum after a comma",
    ),
    "a sampler that records nothing": (
        {"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
        {"sampler"},
        "the SDK records no span",
        f"set {PREFIX}SESSION_SAMPLE_RATE",
    ),
    "a ratio of zero": (
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.0"},
        {"sampler"},
        "OTEL_TRACES_SAMPLER_ARG=0.0: the SDK records no span",
        "unset OTEL_TRACES_SAMPLER",
    ),
    "no session sampled": (
        {f"{PREFIX}SESSION_SAMPLE_RATE": "0"},
        {"span"},
        "the sample rate is 0: no session is sent",
        f"set {PREFIX}SESSION_SAMPLE_RATE",
    ),
    "every name excluded": (
        {f"{PREFIX}EXCLUDED_NAMES": "*"},
        {"span"},
        "a failed request becomes no event",
        f"change {PREFIX}EXCLUDED_NAMES",
    ),
    "telemetry switched off": (
        {"OTEL_SDK_DISABLED": "true"},
        {"exporter"},
        "OTEL_SDK_DISABLED=true switches all telemetry off",
        "unset OTEL_SDK_DISABLED",
    ),
    "an endpoint that is not RUM's": (
        {f"{PREFIX}ENDPOINT": "{rum}/elsewhere"},
        {"endpoint"},
        "it is another web server, not RUM's data plane",
        f"set {PREFIX}ENDPOINT to the URL that it prints",
    ),
}
"""Variables, the checks that fail, a part of a message, a part of a fix."""


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_environment_fails_its_checks_with_cause_and_fix(diagnose: Diagnose, shop: LocalRum, wrong: str) -> None:
    """Other checks pass or are skipped."""
    variables, expected, message, fix = WRONG[wrong]
    given = {name: value and value.format(rum=shop.url) for name, value in variables.items()}
    results = diagnose(shop.url, **given)
    assert failures(results) == expected
    assert any(message in results[name].message for name in expected), results
    assert any(fix in results[name].fix for name in expected), results


@pytest.mark.parametrize("endpoint", ["127.0.0.1:8787", "http://127.0.0.1:99999", "http://a b", "http://:8787"])
def test_malformed_endpoint_stops_the_checks_that_would_ask_aws(diagnose: Diagnose, endpoint: str) -> None:
    """The test event would go to AWS otherwise."""
    results = diagnose("", AWS_ENDPOINT_URL_RUM=None, **{f"{PREFIX}ENDPOINT": endpoint})
    assert failures(results) == {"settings"}
    assert "is not an http(s) URL" in results["settings"].message
    after = list(results)[list(results).index("region") :]
    assert {results[name] for name in after} == {Result(Status.SKIPPED, "the endpoint is malformed")}


@pytest.mark.parametrize("signal", ["TRACES", "LOGS", "METRICS"])
def test_exporter_that_the_distro_sets_must_be_installed(
    diagnose: Diagnose, shop: LocalRum, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    """The distro sets each variable that is not set to otlp, whose package it does not install."""
    entry_points = metadata.entry_points

    def without_otlp(*, group: str) -> list[metadata.EntryPoint]:
        return [point for point in entry_points(group=group) if not point.name.startswith("otlp")]

    monkeypatch.setattr(metadata, "entry_points", without_otlp)
    ours = {"OTEL_TRACES_EXPORTER": "aws_rum", "OTEL_LOGS_EXPORTER": "aws_rum", "OTEL_METRICS_EXPORTER": "none"}
    assert not failures(diagnose(shop.url, **ours))
    results = diagnose(shop.url, **(ours | {f"OTEL_{signal}_EXPORTER": None}))
    assert results["exporter"].message.startswith(
        f"OTEL_{signal}_EXPORTER is not set, and opentelemetry-distro sets otlp: no installed package has this exporter"
    )
    assert f"set OTEL_{signal}_EXPORTER={ours[f'OTEL_{signal}_EXPORTER']}" in results["exporter"].fix


def test_default_local_rum_passes_without_aws(diagnose: Diagnose) -> None:
    """The variables that `otel-rum local` prints are valid: no signatures, no region, and any app monitor."""
    no_aws = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_REGION": None}
    with LocalRum() as rum:
        results = diagnose(rum.url, AWS_ENDPOINT_URL_STS=None, **no_aws, **{f"{PREFIX}SIGNING": "none"})
        assert (rum.refused, rum.dropped) == ((), ())
    assert not failures(results)
    assert results["test event"].status is Status.OK
    assert results["identity"].status is results["credentials"].status is Status.SKIPPED


def test_check_that_never_ends_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next check runs."""
    monkeypatch.setattr(checks, "LIMIT_SECONDS", 0.05)
    is_over = threading.Event()

    def wait(_: Context) -> Result:
        is_over.wait()
        raise AssertionError

    slow = Check("slow", "", wait)
    try:
        results = list(run_checks(Context({}, {}), [slow, CHECKS[0]]))
    finally:
        is_over.set()
    assert [result.message.startswith("no response within") for _, result in results] == [True, False]


def test_results_contain_no_secret(diagnose: Diagnose, shop: LocalRum, aws: Aws) -> None:
    """Of an access key, they contain the last four characters."""
    variables: Mapping[str, Any] = {"AWS_SESSION_TOKEN": TOKEN, f"{PREFIX}ID_HASH_KEY": SECRET}
    aws.fail(403, "InvalidClientTokenId")
    results = str(diagnose(shop.url, **variables))
    assert "...1234" in results
    for secret in (SECRET, TOKEN, KEY_ID):
        assert secret not in results


def test_test_event_is_the_last_check() -> None:
    """No check depends on it, so that it can be left out."""
    assert CHECKS[-1] is TEST_EVENT
