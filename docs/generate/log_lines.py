"""Finds the log lines of the package in its source."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import otel_rum_exporter

ROOT = Path(otel_rum_exporter.__file__).parent
FORWARDING = ROOT / "_log.py"
"""Logs what others add. Its own line, about dropped events, has a table of its own."""

_LEVELS = frozenset(("warning", "error", "exception", "critical", "info"))
_LOGGER = re.compile(r"(_?logger|getLogger\(.*\))$", re.IGNORECASE)
_RATE_LIMITED = re.compile(r"(^|[._])log$")
_PLACEHOLDER = re.compile(r"%(?:\.\d+)?[a-z]|%r")


def log_lines() -> list[str]:
    """Return the log lines in the order of their modules, with `…` for values."""
    found: dict[str, None] = {}
    for path in sorted(ROOT.rglob("*.py")):
        if path != FORWARDING:
            found.update(dict.fromkeys(_lines_of(path)))
    return list(found)


def _lines_of(path: Path) -> Iterator[str]:
    module = ".".join((otel_rum_exporter.__name__, *path.relative_to(ROOT).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            expression = message_of(node)
            if expression is not None:
                names = vars(importlib.import_module(module.removesuffix(".__init__")))
                yield from (readable(message) for message in _values(expression, names))


def readable(message: str) -> str:
    """Return a message with `…` for its values."""
    return _PLACEHOLDER.sub("…", message.removeprefix("CloudWatch RUM: "))


def message_of(call: ast.Call) -> ast.expr | None:
    """Return the expression of the message if a call logs a line."""
    match call.func:
        case ast.Name(id="log_line"):
            return call.args[1]
        case ast.Attribute(target, method) if method in _LEVELS and _LOGGER.search(ast.unparse(target)):
            return call.args[0]
        case ast.Attribute(target, "add") if _RATE_LIMITED.search(ast.unparse(target)):
            return call.args[1]
    return None


def _values(expression: ast.expr, names: Mapping[str, Any]) -> list[str]:
    """Return the messages that an expression may have: a text, a constant, or the values of a table."""
    if isinstance(expression, ast.Subscript):
        return list(_evaluated(expression.value, names).values())
    return [_evaluated(expression, names)]


def _evaluated(expression: ast.expr, names: Mapping[str, Any]) -> Any:
    return eval(compile(ast.Expression(expression), "<log line>", "eval"), dict(names))
