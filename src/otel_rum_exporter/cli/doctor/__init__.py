"""What stands between this process and RUM: a table of checks, and for each failure what mends it."""

from .checks import CHECKS, Check, diagnose
from .context import Subject
from .result import Finding, Status

__all__ = ["CHECKS", "Check", "Finding", "Status", "Subject", "diagnose"]
