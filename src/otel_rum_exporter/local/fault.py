"""Planned faults of PutRumEvents requests, and the choice of the fault for a request.

`http_response` applies a fault to an answer; this module does not depend on the web server.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from .response import Answer

Cut = Literal["before_reading", "before_answer", "in_answer"]

CAPTIVE_PORTAL = "<!DOCTYPE html><title>Welcome</title><p>Accept our terms to use this network.</p>"

_OK = 200
_STATUSES = range(200, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, and the number of requests it applies to.

    ```python
    rum.faults = [Fault(status=status, times=1) for status in (429, 500, 503)]  # later requests succeed
    rum.faults = [Fault(cut="before_answer", probability=0.1)]
    rum.faults = []
    ```

    Args:
        status: Status of the answer; the request is not validated. None: the status from validation.
        error_type: Error type in header and body. None: RUM's error type for the status.
        message: Message of the error.
        retry_after: The `Retry-After` header: seconds, or an HTTP date.
        content: HTML in place of the body, as proxies and captive portals send.
        latency_seconds: Delay before the answer.
        cut: Reset the connection before reading the body, before the answer, or during the answer.
        drip_seconds: How long the body of the answer arrives one byte at a time.
        endless_seconds: How long the body of the answer arrives as fast as the client reads it.
        taken: Whether events of a valid request are kept. None: unless `status`, `content` or
            `cut="before_reading"` is set.
        times: How many requests it applies to. None: all of them while it is set.
        probability: Share of the requests that it applies to, chosen by a random sequence.
        seed: Seed of that random sequence.
    """

    status: int | None = None
    error_type: str | None = None
    message: str | None = None
    retry_after: int | str | None = None
    content: str | None = None
    latency_seconds: float = 0.0
    cut: Cut | None = None
    drip_seconds: float = 0.0
    endless_seconds: float = 0.0
    taken: bool | None = None
    times: int | None = None
    probability: float = 1.0
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Parse text such as `status=429,retry_after=2,times=5`; raise ValueError that quotes the invalid part."""
        # An HTTP date contains commas.
        pairs = [pair.partition("=") for pair in re.split(r",(?=[a-z_]+=)", text)]
        unknown = [name for name, _, _ in pairs if name not in _PARSERS]
        if unknown:
            raise ValueError(f"{text!r} has the unknown fault field {unknown[0]!r}; use {', '.join(_PARSERS)}")
        try:
            return cls(**{name: _parsed(name, value) for name, _, value in pairs})
        except ValueError as error:
            raise ValueError(f"{text!r} is not a valid fault: {error}") from error

    def __post_init__(self) -> None:
        problems = {  # NaN is no duration
            "status": self.status is not None and self.status not in _STATUSES,
            "cut": self.cut is not None and self.cut not in get_args(Cut),
            "latency_seconds": not self.latency_seconds >= 0,
            "drip_seconds": not self.drip_seconds >= 0,
            "endless_seconds": not self.endless_seconds >= 0,
            "taken": self.taken is True and self.cut == "before_reading",
            "times": self.times is not None and self.times < 1,
            "probability": not 0 <= self.probability <= 1,
        }
        for name, is_wrong in problems.items():
            if is_wrong:
                raise ValueError(f"a Fault cannot have {name}={getattr(self, name)!r}{_ALLOWED[name]}")

    def __repr__(self) -> str:
        values = ((one.name, getattr(self, one.name)) for one in fields(self) if getattr(self, one.name) != one.default)
        return f"Fault({', '.join(f'{name}={value!r}' for name, value in values)})"

    @property
    def changes_delivery(self) -> bool:
        """Whether the answer is delayed, slow, partial or missing."""
        return bool(self.cut or self.latency_seconds or self.drip_seconds or self.endless_seconds)

    @property
    def validates_request(self) -> bool:
        """Whether the request is read and validated, and the answer has the result."""
        return self.answer is None and self.cut != "before_reading"

    @property
    def keeps_events(self) -> bool:
        """Whether the events of a valid request are kept."""
        return self.validates_request if self.taken is None else self.taken

    @property
    def answer(self) -> Answer | None:
        """The answer that replaces the one from validation; None to keep that one."""
        if self.status is None and self.content is None:
            return None
        return Answer(self.status or _OK, self.error_type, self.message, self.retry_after, self.content)


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text]


_PARSERS: dict[str, Callable[[str], Any]] = {
    "status": int,
    "error_type": str,
    "message": str,
    "retry_after": str,
    "content": str,
    "latency_seconds": float,
    "cut": str,
    "drip_seconds": float,
    "endless_seconds": float,
    "taken": _truth,
    "times": int,
    "probability": float,
    "seed": int,
}


_ALLOWED = {
    "status": "; use an HTTP status from 200 to 599",
    "cut": f"; use one of {', '.join(get_args(Cut))}",
    **dict.fromkeys(("latency_seconds", "drip_seconds", "endless_seconds"), "; use a number of at least 0"),
    "taken": " with cut='before_reading', because a request that is not read has no events",
    "times": "; use a number of at least 1",
    "probability": "; use a number from 0 to 1",
}
_KINDS: dict[Callable[[str], Any], str] = {int: "a whole number", float: "a number", _truth: "true or false"}


def _parsed(name: str, value: str) -> Any:
    try:
        return _PARSERS[name](value)
    except (KeyError, ValueError):
        raise ValueError(f"{name}={value!r} is not {_KINDS[_PARSERS[name]]}") from None


@dataclass(slots=True)
class _Pending:
    fault: Fault
    left: int | None
    random: random.Random = field(repr=False)

    def applies(self) -> bool:
        return self.left != 0 and (self.fault.probability == 1 or self.random.random() < self.fault.probability)


class Faults:
    """A thread-safe list of faults. The first one whose probability allows it applies to a request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([one.fault for one in self._pending])

    def set(self, faults: Iterable[Fault]) -> None:
        """Replace all faults."""
        pending = [_pending(fault) for fault in faults]
        with self._lock:
            self._pending = pending

    def add(self, fault: Fault) -> None:
        """Append a fault."""
        with self._lock:
            self._pending.append(_pending(fault))

    def take(self) -> Fault | None:
        """Return the fault of the next request and count it; None when no fault applies."""
        with self._lock:
            pending = next((one for one in self._pending if one.applies()), None)
            if pending is None:
                return None
            if pending.left is not None:
                pending.left -= 1
                self._pending = [one for one in self._pending if one.left != 0]
            return pending.fault


def _pending(fault: Fault) -> _Pending:
    return _Pending(fault, fault.times, random.Random(fault.seed))  # noqa: S311 - not a secret; must be repeatable
