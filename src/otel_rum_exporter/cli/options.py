"""Settings as options of a command, and as a table that tells where each came from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import click

from .._config_fields import Reading
from ..config import PREFIX, table, variable
from ..mapping.urls import scrub

HIDDEN = "(set, and not shown)"


class CommandWithSettings(click.Command):
    """A command whose help has the settings in a section of their own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the settings."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        own = [option for option in options if option.name not in table()]
        settings = [option for option in options if option.name in table()]
        for title, options in (("Options", own), (f"Settings (or as variables {PREFIX}...)", settings)):
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


def takes_settings(function: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each setting that is no secret; the function gets those that were used, as `given`."""

    @functools.wraps(function)
    def with_given(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in names}
        function(given={name: value for name, value in given.items() if value is not None}, **arguments)

    names = [name for name, setting in table().items() if not setting.secret]
    decorated: Callable[..., None] = with_given
    for name in reversed(names):
        text = table()[name].help.replace("`", "")
        decorated = click.option(f"--{name.replace('_', '-')}", name, metavar="TEXT", help=text)(decorated)
    return decorated


class Row(NamedTuple):
    """A setting as people read it."""

    setting: str
    value: str
    source: str


def rows(found: Mapping[str, Reading]) -> Iterator[Row]:
    """Yield each setting with its value and where that came from."""
    for name, setting in table().items():
        reading = found[name]
        source = "default" if reading.place is None else reading.place
        yield Row(name, _shown(reading, setting.default, is_secret=setting.secret), _option(name, source))


def as_json(found: Mapping[str, Reading]) -> list[dict[str, Any]]:
    """Return the rows for machines."""
    return [
        {"setting": row.setting, "variable": variable(row.setting), "value": row.value, "source": row.source}
        for row in rows(found)
    ]


def lines(found: Mapping[str, Reading]) -> Iterator[str]:
    """Yield the rows as lines."""
    shown = list(rows(found))
    widths = [max(len(row[column]) for row in shown) for column in (0, 1)]
    for row in shown:
        yield f"{row.setting:{widths[0]}}  {row.value:{min(widths[1], 44)}}  {row.source}"


def _option(name: str, source: str) -> str:
    return f"--{name.replace('_', '-')}" if source == name else source


def _shown(reading: Reading, default: str, *, is_secret: bool) -> str:
    if reading.fault:
        return "(wrong)"
    if reading.place is None:
        return default
    if is_secret:
        return HIDDEN
    value = ", ".join(reading.value) if isinstance(reading.value, tuple) else str(reading.value)
    return scrub(value) if "://" in value else value
