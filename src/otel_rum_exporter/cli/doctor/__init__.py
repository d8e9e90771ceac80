"""The checks of `otel-rum doctor`: each finds one cause that keeps telemetry from RUM, and names the fix."""

from .checks import CHECKS, Check, run_checks
from .context import Context
from .result import Result, Status

__all__ = ["CHECKS", "Check", "Context", "Result", "Status", "run_checks"]
