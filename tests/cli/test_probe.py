"""`otel-rum probe` against the local RUM, whose limits are known: every answer is exact."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from otel_rum_exporter.cli.doctor import Context, Status
from otel_rum_exporter.cli.doctor.app_monitor import monitor
from otel_rum_exporter.cli.probe import QUESTIONS, Answer, Builder, Experiment, Question, run_experiment
from otel_rum_exporter.cli.probe.questions import Case
from otel_rum_exporter.cli.probe.service import Rum, Source
from otel_rum_exporter.local import AppMonitor, LocalRum
from tests.cli.program import CODE, run
from tests.spans import APP_MONITOR_ID

AGES = (
    *(f"{age} old" for age in ("5 minutes", "1 hour", "3 hours", "1 day", "3 days", "7 days", "14 days", "28 days")),
    *(f"{time_ahead} in the future" for time_ahead in ("1 minute", "10 minutes", "1 hour", "1 day")),
)
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


def app_monitor(*, has_log_group: bool = True) -> AppMonitor:
    """Return an app monitor that accepts events of one domain."""
    return AppMonitor(id=APP_MONITOR_ID, name="shop", domains=("shop.example",), has_log_group=has_log_group)


@pytest.fixture
def shop() -> Iterator[LocalRum]:
    """Serve RUM with one app monitor and its log group."""
    with LocalRum(app_monitors=[app_monitor()]) as rum:
        yield rum


def settings_of(rum: LocalRum) -> tuple[str, ...]:
    """Return the options for a RUM."""
    return ("--endpoint", rum.url, "--signing", "none", "--app-monitor-id", APP_MONITOR_ID)


def answers_of(rum: LocalRum, questions: Sequence[Question] = QUESTIONS) -> list[Answer]:
    """Ask questions, without pauses."""
    given = {"app_monitor_id": APP_MONITOR_ID, "endpoint": rum.url, "signing": "none"}
    context = Context(given, {**os.environ, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"})
    experiment = Experiment.of(questions, Builder("run", APP_MONITOR_ID, "shop.example", int(time.time())))
    assert monitor(context).status is Status.OK
    service = Rum(context.config, context)
    try:
        return run_experiment(experiment, service, patience_seconds=0, sleep=lambda _: None)
    finally:
        service.close()


def test_probe_of_the_local_rum_answers_every_question_in_a_table_and_in_json(shop: LocalRum) -> None:
    """The two agree. The local RUM has no limits of age: every age is kept."""
    expected = {**EXPECTED, "ages": dict.fromkeys(AGES, "kept")}
    code = f"from otel_rum_exporter.cli.probe import experiment; experiment.EVENTS_PER_SECOND = 1e9; {CODE}"
    table = run("probe", "--yes", "--wait-seconds", "0", *settings_of(shop), code=code)
    sending = rf"Sending [\d,]+ events to shop \({APP_MONITOR_ID}\), 0\.\d+ USD at list price.* \d+ seconds.*\n"
    assert table.returncode == 0
    assert re.fullmatch(sending, table.stderr)
    assert list(table_of(table.stdout)) == [question.about for question in QUESTIONS]
    assert table_of(table.stdout) == {question.about: expected[question.name] for question in QUESTIONS}
    assert table.stdout.endswith("\nRecommended settings: the defaults\n")

    ended = run("probe", "--yes", "--json", "--wait-seconds", "0", *settings_of(shop), code=code)
    assert ended.returncode == 0
    assert re.fullmatch(sending, ended.stderr)
    output = json.loads(ended.stdout)
    assert output["read"] == ["GetAppMonitorData", "the log group"]
    assert output["recommended"] == []
    for answer in output["answers"]:
        words = expected[answer["question"]][answer["case"]]
        outcome = {name: answer["sent"] if words.startswith(name) else 0 for name in ("kept", "dropped", "refused")}
        assert {name: answer[name] for name in outcome} == outcome
        assert answer["found"] == dict.fromkeys(output["read"], outcome["kept"])
        assert words == outcome_in_words(answer)
    cases = {(answer["question"], answer["case"]) for answer in output["answers"]}
    assert cases == {(name, case) for name, by_case in expected.items() for case in by_case}


def outcome_in_words(answer: dict[str, Any]) -> str:
    """Return an answer of the JSON as the table has it, for outcomes that are the same for all events of a case."""
    (outcome,) = (name for name in ("kept", "dropped", "refused") if answer[name])
    notes = "; ".join([*answer["errors"], *answer["changes"]])
    return f"{outcome} ({notes})" if notes else outcome


def table_of(output: str) -> dict[str, dict[str, str]]:
    """Return the answers by question and case."""
    table: dict[str, dict[str, str]] = {}
    for line in output.partition("\n\n")[0].splitlines():
        if line.startswith("  "):
            case, words = re.split(r"  +", line.strip(), maxsplit=1)
            list(table.values())[-1][case] = words
        else:
            table[line] = {}
    return table


class TwoPlaces:
    """A RUM that keeps only the first event in its data, and only the later ones in its log group."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def put(self, body: bytes, *, is_compressed: bool) -> None:
        """Keep the events."""
        assert not is_compressed
        self.events += json.loads(body)["RumEvents"]

    @property
    def sources(self) -> tuple[Source, ...]:
        """Both places."""
        return (Source("data", lambda *_: self._texts(slice(1))), Source("logs", lambda *_: self._texts(slice(1, 3))))

    def _texts(self, part: slice) -> Iterator[str]:
        for event in self.events[part]:
            kept = {"event_id": event["id"], "event_timestamp": event["timestamp"] * 1000}
            contents = {"event_details": json.loads(event["details"]), "metadata": json.loads(event["metadata"])}
            yield json.dumps(kept | contents)


def test_probe_counts_an_event_as_kept_if_any_source_has_it() -> None:
    """The answer names the source where it is missing."""
    build = Builder("run", APP_MONITOR_ID, "shop.example", 1_790_000_000)
    question = Question("", "", lambda build: iter([Case("four", [build.body(*(build.event() for _ in range(4)))])]))
    (answer,) = run_experiment(Experiment.of([question], build), TwoPlaces(), patience_seconds=0, sleep=lambda _: None)
    assert (answer.kept, answer.dropped, answer.found) == (3, 1, {"data": 1, "logs": 2})
    assert answer.in_words() == "3 kept, 1 dropped (2 not in data; 1 not in logs)"


def test_probe_without_a_log_group_reads_only_the_data() -> None:
    """An app monitor has none by default."""
    (timestamps,) = (question for question in QUESTIONS if question.name == "timestamps")
    with LocalRum(app_monitors=[app_monitor(has_log_group=False)]) as rum:
        answers = answers_of(rum, [timestamps])
    assert [answer.found for answer in answers] == [{"GetAppMonitorData": 1}] * 3
    assert {answer.in_words() for answer in answers} == {"kept"}


def test_probe_that_may_not_read_the_log_group_says_so(shop: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the question, so that a user can fix it first."""
    monkeypatch.setattr("otel_rum_exporter.local.logs._TARGET", "")
    ended = run("probe", *settings_of(shop), stdin="n\n")
    assert ended.returncode == 1
    assert re.match(r"otel-rum: the log group is not read: .* To fix: allow logs:FilterLogEvents\n", ended.stderr)
    assert ended.stderr.endswith("otel-rum: nothing was sent\n")
    assert shop.events == ()


def test_probe_without_a_terminal_to_ask_on_sends_nothing(shop: LocalRum) -> None:
    """Scripts agree with an option."""
    ended = run("probe", *settings_of(shop))
    assert ended.returncode == 1
    assert ended.stderr.endswith("so nothing was sent. To fix: agree with --yes\n")
    assert shop.events == ()


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
    ended = run("probe", *settings_of(shop), stdin="n\n")
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
        "found": {},
        "errors": ["ThrottlingException"],
        "changes": [],
    }
    assert answer.in_words() == "1 kept, 1 dropped, 1 refused (ThrottlingException)"
