"""What stands between this process and RUM: a table of checks, and for each failure what mends it."""

from .checks import CHECKS, Check, diagnose
from .finding import Finding, Status
from .subject import Subject

__all__ = ["CHECKS", "Check", "Finding", "Status", "Subject", "diagnose"]
