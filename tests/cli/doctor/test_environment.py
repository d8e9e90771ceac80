"""Checks of region and packages."""

from __future__ import annotations

from importlib import metadata

import pytest

from otel_rum_exporter.cli.doctor import Result, Status, exporters
from otel_rum_exporter.cli.doctor.context import Context
from otel_rum_exporter.config import PREFIX
from otel_rum_exporter.local import LocalRum
from tests.cli.doctor.diagnosis import Diagnose, failures


def test_unknown_region_is_a_warning_with_a_similar_region(diagnose: Diagnose, shop: LocalRum) -> None:
    """A warning only, because a local endpoint accepts any region."""
    results = diagnose(shop.url, AWS_REGION="eu-wset-1")
    assert results["region"] == Result(
        Status.WARNING,
        "'eu-wset-1', from AWS_REGION, is not a region with RUM, according to boto3",
        "set eu-west-1 if that is the region meant",
    )


def test_missing_region_fails(diagnose: Diagnose) -> None:
    """Without a region there is no endpoint."""
    results = diagnose("", AWS_REGION=None, AWS_ENDPOINT_URL_RUM=None, AWS_ENDPOINT_URL_STS=None)
    assert results["region"] == Result(
        Status.FAILED, "no region is set", f"set {PREFIX}REGION or AWS_REGION to the region of the app monitor"
    )
    assert results["endpoint"].status is Status.SKIPPED


def test_missing_package_fails_with_the_command_that_installs_it(
    diagnose: Diagnose, shop: LocalRum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable needs the package."""

    def version(package: str) -> str:
        if package == "opentelemetry-configuration":
            raise metadata.PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    results = diagnose(shop.url, OTEL_CONFIG_FILE="rum.yaml")
    assert failures(results) == {"packages"}
    assert results["packages"].fix == "pip install opentelemetry-configuration"


@pytest.mark.parametrize(
    ("variables", "message", "fix"),
    [
        (
            {"OTEL_TRACES_SAMPLER": "alwayson"},
            "alwayson is no known sampler, and the SDK records every span",
            "set OTEL_TRACES_SAMPLER=always_on, or unset it",
        ),
        *(
            (
                {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": ratio},
                f"OTEL_TRACES_SAMPLER_ARG={ratio} is no ratio, and the SDK records every span",
                "set it to a number from 0 to 1",
            )
            for ratio in ("ten", "10", "-1", "nan")
        ),
    ],
    ids=str,
)
def test_a_sampler_that_the_sdk_does_not_use_is_a_warning(variables: dict[str, str], message: str, fix: str) -> None:
    """The SDK logs it once, and falls back to its default."""
    assert exporters.sampler(Context({}, variables)) == Result(Status.WARNING, message, fix)


@pytest.mark.parametrize("traces", ["", "none"])
def test_log_records_alone_are_a_warning(traces: str) -> None:
    """Variables that are set to nothing are easily overlooked."""
    variables = {"OTEL_TRACES_EXPORTER": traces, "OTEL_LOGS_EXPORTER": "aws_rum", "OTEL_METRICS_EXPORTER": "none"}
    result = exporters.exporter(Context({}, variables))
    assert result.status in {Status.WARNING, Status.FAILED}
    assert "spans" in result.message
    assert result.fix.startswith("set OTEL_TRACES_EXPORTER=aws_rum")
