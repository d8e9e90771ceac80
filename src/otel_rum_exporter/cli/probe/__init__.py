"""The experiments of `otel-rum probe`: they measure limits of RUM that AWS does not document."""

from .answer import Answer
from .experiment import EVENTS_PER_SECOND, Experiment, Service, run_experiment
from .questions import QUESTIONS, Builder, Question

__all__ = ["EVENTS_PER_SECOND", "QUESTIONS", "Answer", "Builder", "Experiment", "Question", "Service", "run_experiment"]
