"""A quiz that uses only the OpenTelemetry API. `rum.yaml` sets the exporter.

Start `otel-rum local`. Then, in this folder:

    export RUM_APP_MONITOR_ID=00000000-1111-4222-8333-444444444444
    export RUM_ENDPOINT=http://127.0.0.1:8787 RUM_SIGNING=none
    OTEL_CONFIG_FILE=rum.yaml opentelemetry-instrument python app.py
"""

from __future__ import annotations

from opentelemetry import trace

tracer = trace.get_tracer("quiz")


def ask(screen: str, question: str, answer: str) -> None:
    """Show one question as a screen, with its answer."""
    with tracer.start_as_current_span("show question", attributes={"app.screen.name": screen}):
        print(f"{question} {answer}: {'right' if is_right(answer) else 'wrong'}")


def is_right(answer: str) -> bool:
    """Check an answer. Text that is not a number is wrong, and its exception is recorded."""
    with tracer.start_as_current_span("check answer") as span:
        try:
            return int(answer) == 42
        except ValueError as error:
            span.record_exception(error)
            return False


if __name__ == "__main__":
    ask("question-1", "6 times 7?", "42")
    ask("question-2", "7 times 6?", "the same")
