"""`otel-rum plan`: from figures and files, as text, bars and JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from otel_rum_exporter.cli import LOST, MISUSED
from otel_rum_exporter.cli.plan.model import Plan
from tests.cli.plan.shop import REQUESTS, SPANS, write
from tests.cli.program import run

FIGURES = ("--sessions", "200000", "--requests", "3000000")


def test_figures_become_a_plan() -> None:
    """With the quota by name, the settings to use without it, and no colours or bars in a pipe."""
    found = run("plan", *FIGURES, "--processes", "50", "--outage", "30m")
    assert found.returncode == 0
    for text in (
        "350 events/s, L-35851224 (RUM Events per second)",
        "19 % of the sessions at the peak",
        "OTEL_EXPORTER_AWS_RUM_MAX_EVENTS_PER_SECOND=1",
        "2,310 USD at list price",
        "an outage of 30 minutes",
        "page_view_event",
    ):
        assert text in found.stdout
    assert "█" not in found.stdout
    assert "\x1b" not in found.stdout


def test_a_terminal_shows_bars() -> None:
    """Of the events by type, and of the load beside the quota."""
    found = run("plan", *FIGURES, FORCE_COLOR="1", COLUMNS="120")
    assert found.stdout.count("█" * 24) == 2
    assert "events/s at the peak" in found.stdout


def test_json_has_all_of_the_plan() -> None:
    """In numbers."""
    found = json.loads(run("plan", *FIGURES, "--peak", "2", "--quota", "1000", "--json").stdout)
    assert found["quota_to_ask"] == 1000
    assert found["sample_rate"] == 1.0
    assert found["peak_events_per_second"] == pytest.approx(2 * found["events_per_second"])
    assert sum(found["events_per_day"].values()) == 200_000 + 3_000_000 * 2.5


def test_the_largest_figures_have_a_plan() -> None:
    """Products of them are finite."""
    most = [text for name in ("sessions", "requests", "spans", "own-spans", "peak") for text in (f"--{name}", "1e12")]
    found = json.loads(run("plan", *most, "--quota", "1", "--outage", "1000000000000s", "--json").stdout)
    assert None not in found.values()


def test_the_docs_explain_each_field_of_the_json() -> None:
    """In the order of the fields."""
    docs = (Path(__file__).parents[3] / "docs" / "scale.md").read_text("utf-8")
    names = [name for line in docs.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)]
    fields = [field.name for field in dataclasses.fields(Plan)]
    assert [name for name in names if name in fields] == fields


def test_a_file_has_the_profile_of_its_sessions(tmp_path: Path) -> None:
    """Its sessions are scaled to those of a day: those given, or as many as in its time."""
    file = tmp_path / "shop.jsonl"
    write(file, 6)
    start = {"OTEL_EXPORTER_AWS_RUM_SESSION_START": "auto"}
    given = json.loads(run("plan", str(file), "--sessions", "1000", "--json", **start).stdout)
    assert sum(given["events_per_day"].values()) == 1000 * (1 + 2.5 * REQUESTS)
    assert given["peak_spans_per_second"] == pytest.approx(3 * 1000 * REQUESTS * SPANS / 86_400)
    own = json.loads(run("plan", str(file), "--json", **start).stdout)
    seconds = 60 * 5 + 9 * (REQUESTS - 1)
    assert sum(own["events_per_day"].values()) == pytest.approx(6 * 16 * 86_400 / seconds)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), MISUSED, "give FILE, or --sessions and --requests"),
        (("--sessions", "10"), MISUSED, "give FILE, or --sessions and --requests"),
        (("shop.json", "--requests", "10"), MISUSED, "exclude each other"),
        ((*FIGURES, "--outage", "soon"), MISUSED, "use for example 30m"),
        ((*FIGURES, "--pages", "2"), MISUSED, "--pages"),
        (("--sessions", "0", "--requests", "1"), MISUSED, "--sessions='0' is not a number from 1 to 1e+12"),
        (("--sessions", "1e308", "--requests", "1"), MISUSED, "--sessions='1e308' is not a number from 1 to 1e+12"),
        ((*FIGURES, "--peak", "0.9"), MISUSED, "--peak='0.9' is not a number from 1 to 1e+12"),
        ((*FIGURES, "--outage", "9" * 400 + "d"), MISUSED, "use for example 30m"),
        (("missing.json",), LOST, "No such file"),
    ],
)
def test_a_wrong_load_is_one_line_with_a_fix(arguments: tuple[str, ...], code: int, message: str) -> None:
    """The option is named as it was given."""
    found = run("plan", *arguments)
    assert found.returncode == code
    assert message in found.stderr
    assert found.stderr.count("\n") == 1


def test_a_short_file_needs_the_sessions_of_a_day(tmp_path: Path) -> None:
    """Some seconds say nothing about a day."""
    file = tmp_path / "shop.jsonl"
    write(file, 1)
    found = run("plan", str(file))
    assert found.returncode == MISUSED
    assert "give --sessions" in found.stderr
    assert run("plan", str(file), "--sessions", "1").returncode == 0
