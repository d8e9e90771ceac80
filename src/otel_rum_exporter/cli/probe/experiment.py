"""Send the cases of all questions, and read the events back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import orjson

from ...rum.errors import outcome_of
from .answer import Answer
from .questions import DAY, Builder, Case, Question
from .service import Source

OLDEST_SECONDS = 30 * DAY
"""RUM keeps events for 30 days."""

EVENTS_PER_SECOND = 50
"""The documented quota. Cases that are no bursts stay below it, so that it does not change their answers."""

_THREADS = 20


class Service(Protocol):
    """The part of RUM that an experiment needs."""

    def put(self, body: bytes, *, is_compressed: bool) -> None:
        """Send a request. Raise boto3's exception if RUM refuses it."""

    @property
    def sources(self) -> Sequence[Source]:
        """The places to read events back from."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """The cases of questions, built before anything is sent, so that the price is known."""

    build: Builder
    cases: Sequence[tuple[Question, Case]]

    @classmethod
    def of(cls, questions: Iterable[Question], build: Builder) -> Experiment:
        """Build the cases of questions."""
        return cls(build, [(question, case) for question in questions for case in question.cases(build)])

    @property
    def sent(self) -> list[dict[str, Any]]:
        """All events, repeated ones included."""
        return [event for _, case in self.cases for body in case.bodies for event in body["RumEvents"]]


def run_experiment(
    experiment: Experiment,
    service: Service,
    *,
    patience_seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Answer]:
    """Send every case, then read until all events are everywhere, or none has appeared for `patience_seconds`."""
    answers = []
    for question, case in experiment.cases:
        answers.append(_sent(question, case, service))
        sleep(answers[-1].sent / EVENTS_PER_SECOND)
    expected = sum(answer.sent - answer.refused for answer in answers)
    _count(experiment, answers, _kept(experiment, service, expected, patience_seconds, sleep))
    return answers


def _sent(question: Question, case: Case, service: Service) -> Answer:
    """Send the bodies of a case, and return how RUM responded."""

    def put(body: dict[str, Any]) -> str | None:
        try:
            service.put(orjson.dumps(body), is_compressed=case.is_compressed)
        except Exception as error:  # noqa: BLE001 - every exception is an answer
            return outcome_of(error).reason
        return None

    with ThreadPoolExecutor(_THREADS if case.is_burst else 1) as threads:
        errors = list(threads.map(put, case.bodies))
    answer = Answer(question.name, case.name)
    for body, error in zip(case.bodies, errors, strict=True):
        answer.ids += [event["id"] for event in body["RumEvents"]]
        if error is not None:
            answer.refused += len(body["RumEvents"])
            answer.errors.add(error)
    return answer


def _kept(
    experiment: Experiment,
    service: Service,
    expected: int,
    patience_seconds: float,
    sleep: Callable[[float], None],
) -> dict[str, list[dict[str, Any]]]:
    """Return the events that RUM kept, by source, once there are as many as expected or patience ends."""
    kept: dict[str, list[dict[str, Any]]] = {source.name: [] for source in service.sources}
    waited_seconds = 0.0
    while True:
        before = sum(map(len, kept.values()))
        kept = {source.name: list(_read(experiment, source)) for source in service.sources}
        waited_seconds = 0.0 if sum(map(len, kept.values())) > before else waited_seconds
        if min(map(len, kept.values())) >= expected or waited_seconds >= patience_seconds:
            return kept
        sleep(1.0)
        waited_seconds += 1.0


def _read(experiment: Experiment, source: Source) -> Iterator[dict[str, Any]]:
    """Yield the events of an experiment in a source."""
    ids = {event["id"] for event in experiment.sent}
    since_seconds = experiment.build.now_seconds - OLDEST_SECONDS
    for text in source.read(since_seconds, experiment.build.session_id):
        event = orjson.loads(text)
        if event.get("event_id") in ids:
            yield event


def _count(experiment: Experiment, answers: Sequence[Answer], kept: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    """Count the kept events of each answer. An event is kept if any source has it."""
    sent = {event["id"]: event for event in experiment.sent}
    counts = {name: Counter(event["event_id"] for event in events) for name, events in kept.items()}
    changes: dict[str, set[str]] = {}
    for event in chain.from_iterable(kept.values()):
        changes.setdefault(event["event_id"], set()).update(_changes(sent[event["event_id"]], event))
    for answer in answers:
        ids = set(answer.ids)
        answer.found = {name: sum(count[one] for one in ids) for name, count in counts.items()}
        answer.kept = sum(max(count[one] for count in counts.values()) for one in ids)
        answer.changes = {change for one in ids for change in changes.get(one, ())}


def _changes(sent: dict[str, Any], kept: dict[str, Any]) -> Iterator[str]:
    """Yield what RUM changed in an event that it kept. Times are in milliseconds there."""
    if abs(kept["event_timestamp"] - sent["timestamp"] * 1000) >= 1:
        yield "time rounded to seconds" if kept["event_timestamp"] % 1000 == 0 else "time changed"
    removed = orjson.loads(sent["metadata"]).keys() - kept.get("metadata", {}).keys()
    if removed:
        yield f"{len(removed)} attribute{'' if len(removed) == 1 else 's'} removed"
    if orjson.loads(sent["details"]) != kept.get("event_details"):
        yield "details changed"
