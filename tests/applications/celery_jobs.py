"""A Celery application with Redis as broker and result store: a job, and a job that fails."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("jobs", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def send_invoice(number: int) -> int:
    """Do the job."""
    return number


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def charge_card() -> None:
    """Fail."""
    raise ValueError("the card has expired")


def produce() -> None:
    """Wait for the results of four jobs."""
    results = [send_invoice.delay(number) for number in range(3)]
    failure = charge_card.delay()
    assert [result.get(timeout=60) for result in results] == [0, 1, 2]
    failure.get(timeout=60, propagate=False)
