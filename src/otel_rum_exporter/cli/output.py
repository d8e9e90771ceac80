"""One look for all commands: colours and tables that fit on a terminal, plain text and JSON elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click
import orjson

NARROW_COLUMNS = 60
"""Below this width of the terminal, details go on lines of their own instead of beside a label."""


def color() -> bool | None:
    """Return whether to use colours; None: on a terminal. See https://no-color.org and https://force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def is_terminal() -> bool:
    """Return whether the output is read by a person."""
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout is not None and sys.stdout.isatty())


def is_narrow() -> bool:
    """Return whether the output is a terminal with little room."""
    return is_terminal() and columns() < NARROW_COLUMNS


def columns() -> int:
    """Return the width of the terminal."""
    return shutil.get_terminal_size().columns


def report(message: str) -> None:
    """Print an error to stderr."""
    # Messages of libraries can end with a period of their own, and names of files can have control characters.
    first, marker, fix = _printable(message, except_for="\n").replace(".. To fix:", ". To fix:").partition("To fix:")
    name = click.style("otel-rum:", fg="red", bold=True)
    click.echo(f"{name} {first}{click.style(marker, bold=True)}{fix}", err=True, color=color())


def heading(text: str) -> None:
    """Print a line above others."""
    click.echo(click.style(text, bold=True))


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    try:
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
    except TypeError:  # a file name that is not UTF-8
        click.echo(json.dumps(value, indent=2))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, indent: str = "", otherwise: str = "") -> None:
    """Print rows in columns, on a terminal with a header. Without rows, print `otherwise`.

    A cell is never cut. On a terminal, one that does not fit begins a new line; in a pipe, a row is one line.
    """
    rows = [[_printable(cell) for cell in row] for row in rows] or ([[otherwise]] if otherwise else [])
    room = columns() - len(indent) if is_terminal() else sys.maxsize
    # A long cell alone does not make its column wide.
    widths = [max([len(cell) for cell in column if len(cell) <= room * 0.4], default=0) for column in zip(*rows)]  # noqa: B905
    names = "  ".join(map(str.ljust, header, widths)).rstrip()
    if names and is_terminal() and len(names) <= room:
        heading(f"{indent}{names}")
    for row in rows:
        for line in _folded(list(map(str.ljust, row, widths)), room):
            click.echo(f"{indent}{line}".rstrip())


def _folded(cells: Sequence[str], room: int) -> Iterator[str]:
    """Yield a row as one line, or as several if its cells do not fit side by side."""
    line = cells[0]
    for cell in cells[1:]:
        if len(line) + 2 + len(cell.rstrip()) <= room:
            line += f"  {cell}"
        else:
            yield line
            line = f"    {cell}"
    yield line


def _printable(text: str, except_for: str = "") -> str:
    """Return a text with control characters escaped."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in except_for else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
