"""The view of browsers, systems, devices and countries: sessions, page loads, errors and failed requests of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from .event_fields import JS_ERROR, NAVIGATION, PAGE_VIEW, Json
from .fact import Shared, Values
from .received import Received
from .scope import Scope
from .selection import Selection
from .session_list import in_scope
from .statistics import percentile

_MAX_VALUES = 50
DIMENSIONS_SHOWN = ("browser", "os", "device", "country")


def breakdown_list(received: Received, scope: Scope) -> Json:
    """Return the values of each dimension in scope, those of most sessions first; the empty value is unknown."""
    selected = Selection(received.index, scope)
    found = in_scope(selected)
    # Most sessions have one of few combinations.
    sessions = Counter([frozenset(each.of.summary.values) for each in found])
    loads: defaultdict[Values, list[float]] = defaultdict(list)
    for shared, millis in selected.measured(NAVIGATION, "shared"):
        loads[shared.values].append(millis)
    counts = {
        "page_views": _by_values(selected.counts(PAGE_VIEW)),
        "errors": _by_values(selected.counts(JS_ERROR)),
        "failed_requests": _by_values(selected.failed_requests),
    }
    return {
        "sessions": len(found),
        "dimensions": [_dimension(name, sessions, loads, counts) for name in DIMENSIONS_SHOWN],
    }


def _by_values(counts: Mapping[Shared, int]) -> Counter[Values]:
    found: Counter[Values] = Counter()
    for shared, count in counts.items():
        found[shared.values] += count
    return found


def _dimension(
    name: str,
    sessions: Mapping[frozenset[Values], int],
    loads: Mapping[Values, list[float]],
    counts: Mapping[str, Counter[Values]],
) -> Json:
    by_value: Counter[str] = Counter()
    for combinations, number in sessions.items():
        # Events without the value belong to the value that others of the session have.
        values = {combination.by_name[name] for combination in combinations}
        for value in values - {""} or values:
            by_value[value] += number
    millis: dict[str, list[float]] = defaultdict(list)
    for combination, some in loads.items():
        millis[combination.by_name[name]] += some
    rows = []
    for value, number in sorted(by_value.items(), key=lambda item: (-item[1], item[0])):
        row = {"value": value, "sessions": number, "loads": len(millis[value])}
        row["p75_millis"] = percentile(millis[value], 75)
        for kind, counted in counts.items():
            row[kind] = sum(count for values, count in counted.items() if values.by_name[name] == value)
        rows.append(row)
    return {"name": name, "total": len(rows), "rows": rows[:_MAX_VALUES]}
