"""Cost of redaction: CPU time of the mapping per span, in each mode, over the benchmark's corpus.

    python -m benchmarks.redaction_cost

The modes take turns in rounds, and the lowest round of each counts, so that other load on the machine matters little.
"""

from __future__ import annotations

import sys
from time import process_time

from opentelemetry.sdk.trace import ReadableSpan

from benchmarks.corpus import spans
from otel_rum_exporter.config import Config
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.redaction import Mode, Redactor
from otel_rum_exporter.mapping.span_view import SpanView

MODES: tuple[Mode, ...] = ("off", "standard", "strict")
ROUNDS = 3
SPANS = 256
APP_MONITOR_ID = "00000000-aaaa-4bbb-8ccc-000000000001"


def main() -> None:
    """Print the microseconds of each mode, and the difference to `off`."""
    corpus = spans(SPANS)
    mapper = Mapper(Config.read({"app_monitor_id": APP_MONITOR_ID}, {}))
    rounds = [{mode: _micros(mapper, Redactor(mode), corpus) for mode in MODES} for _ in range(ROUNDS)]
    best = {mode: min(each[mode] for each in rounds) for mode in MODES}
    for mode, micros in best.items():
        sys.stdout.write(f"{mode:9} {micros:6.1f} us per span, {micros - best['off']:+5.1f}\n")


def _micros(mapper: Mapper, redactor: Redactor, corpus: list[ReadableSpan]) -> float:
    start = process_time()
    for span in corpus:
        view = SpanView.of(span)
        view.redactor = redactor
        mapper.map(view)
    return (process_time() - start) / len(corpus) * 1e6


if __name__ == "__main__":
    main()
