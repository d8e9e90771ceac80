"""`otel-rum probe` against the local RUM, whose limits are known: every answer is exact."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest

from otel_rum_exporter.cli.doctor import Context
from otel_rum_exporter.cli.probe import QUESTIONS, Answer, Builder, Experiment, run_experiment
from otel_rum_exporter.cli.probe.service import Rum
from otel_rum_exporter.local import AppMonitor, LocalRum
from tests.cli.program import CODE, run
from tests.spans import APP_MONITOR_ID

REFUSED = "refused (ValidationException)"
EXPECTED = {
    "timestamps": {"whole seconds": "kept", "milliseconds": "kept", "microseconds": "kept"},
    "events per request": {f"{count:,} events": "kept" for count in (100, 200, 500, 1000)},
    "bytes per event": {
        "5,900 bytes": "kept",
        "6,000 bytes": "kept",
        "6,144 bytes": "kept",
        "6,500 bytes": "dropped",
        "10,000 bytes": "dropped",
        "30,000 bytes": "dropped",
    },
    "repeated ids": {
        "an event twice in a request": "kept",
        "an event in two requests": "kept",
        "a request twice": "kept",
        "a BatchId with other events": "kept",
    },
    "domains": {"the app monitor's domain": "kept", "another domain": "dropped"},
    "unknown members": {
        "none, in a built-in event": "kept",
        "in the details of a built-in event": REFUSED,
        "in an event": REFUSED,
        "in a request": REFUSED,
    },
    "compression": {"gzip": "kept"},
    "trace ids": {"X-Ray's format": "kept", "W3C's format": REFUSED},
    "event types": {
        "letters": "kept",
        "dots and dashes": "kept",
        "a space": REFUSED,
        "256 characters": "kept",
        "257 characters": REFUSED,
        "com.amazon.rum.unknown": REFUSED,
    },
    "custom attributes": {
        "10 attributes": "kept",
        "11 attributes": "kept (1 attribute removed)",
        "20 attributes": "kept (10 attributes removed)",
        "a name with a dot": "kept (1 attribute removed)",
        "a value of 257 characters": "kept (1 attribute removed)",
    },
    "bursts": {"200 events at once": "kept", "100 requests at once": "kept"},
}


@pytest.fixture
def shop() -> Iterator[LocalRum]:
    """Serve RUM with one app monitor that accepts events of one domain."""
    with LocalRum(app_monitors=[AppMonitor(id=APP_MONITOR_ID, name="shop", domains=("shop.example",))]) as rum:
        yield rum


def answers_of(rum: LocalRum) -> list[Answer]:
    """Ask every question, without pauses."""
    given = {"app_monitor_id": APP_MONITOR_ID, "endpoint": rum.url, "signing": "none"}
    context = Context(given, {**os.environ, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"})
    experiment = Experiment.of(QUESTIONS, Builder("run", APP_MONITOR_ID, "shop.example", int(time.time())))
    service = Rum(context.config, context, "shop")
    try:
        return run_experiment(experiment, service, patience_seconds=0, sleep=lambda _: None)
    finally:
        service.close()


def test_probe_of_the_local_rum_answers_every_question_exactly(shop: LocalRum) -> None:
    """Its age limits are none: every age is kept."""
    answers = answers_of(shop)
    words = {
        question.name: {answer.case: answer.in_words() for answer in answers if answer.question == question.name}
        for question in QUESTIONS
    }
    assert set(words.pop("ages").values()) == {"kept"}
    assert words == EXPECTED


def test_probe_of_a_rum_with_a_quota_recommends_a_request_rate(shop: LocalRum) -> None:
    """Refused requests are not called dropped."""
    shop.max_requests_per_second = 10
    answers = {answer.case: answer for answer in answers_of(shop)}
    burst = answers["100 requests at once"]
    assert burst.refused > 0
    assert burst.errors == {"ThrottlingException"}
    assert burst.dropped == 0
    (bursts,) = (question for question in QUESTIONS if question.name == "bursts")
    assert bursts.recommend(answers) == f"OTEL_EXPORTER_AWS_RUM_MAX_REQUESTS_PER_SECOND={burst.kept}"


def test_probe_asks_before_it_sends_and_shows_the_price(shop: LocalRum) -> None:
    """An answer other than yes sends nothing."""
    settings = ("--endpoint", shop.url, "--signing", "none", "--app-monitor-id", APP_MONITOR_ID)
    ended = run("probe", *settings, code=CODE, stdin="n\n")
    assert ended.returncode == 1
    assert f"events to shop ({APP_MONITOR_ID})" in ended.stderr
    assert "USD at list price. Continue?" in ended.stderr
    assert shop.events == ()


def test_probe_of_an_unknown_app_monitor_names_the_fix(shop: LocalRum) -> None:
    """Nothing is sent."""
    other = "99999999-9999-4999-8999-999999999999"
    ended = run("probe", "--yes", "--endpoint", shop.url, "--signing", "none", "--app-monitor-id", other)
    assert ended.returncode == 1
    assert f"set OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID to one of: {APP_MONITOR_ID} (shop)" in ended.stderr
    assert shop.events == ()


def test_answer_as_json_has_all_counts() -> None:
    """For scripts, and for a report to this project."""
    answer = Answer("ages", "1 day old", ids=["a", "b", "c"], refused=1, kept=1, errors={"ThrottlingException"})
    assert json.loads(json.dumps(answer.as_json())) == {
        "question": "ages",
        "case": "1 day old",
        "sent": 3,
        "kept": 1,
        "dropped": 1,
        "refused": 1,
        "errors": ["ThrottlingException"],
        "changes": [],
    }
    assert answer.in_words() == "1 kept, 1 dropped, 1 refused (ThrottlingException)"
