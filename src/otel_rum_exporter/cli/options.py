"""Settings as command options, and as a table with the source of each value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import click

from .._config_fields import Reading
from ..config import PREFIX, table, variable
from ..mapping.urls import scrub

HIDDEN = "(set, not shown)"


class CommandWithSettings(click.Command):
    """A command whose help lists the settings in a separate section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the settings."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        own = [option for option in options if option.name not in table()]
        settings = [option for option in options if option.name in table()]
        for title, options in (("Options", own), (f"Settings (or as variables {PREFIX}...)", settings)):
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


def takes_settings(function: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each setting that is not a secret, and pass the options used as the argument `given`."""

    @functools.wraps(function)
    def with_given(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in names}
        function(given={name: value for name, value in given.items() if value is not None}, **arguments)

    names = [name for name, setting in table().items() if not setting.secret]
    decorated: Callable[..., None] = with_given
    for name in reversed(names):
        text = table()[name].help.replace("`", "")
        decorated = click.option(option_of(name), name, metavar="TEXT", help=text)(decorated)
    return decorated


def option_of(setting: str) -> str:
    """Return the command option of a setting."""
    return f"--{setting.replace('_', '-')}"


class Row(NamedTuple):
    """A setting, its value and its source as the commands print them."""

    setting: str
    value: str
    source: str


def rows(readings: Mapping[str, Reading]) -> Iterator[Row]:
    """Yield a row for each setting."""
    for name, setting in table().items():
        reading = readings[name]
        source = "default" if reading.place is None else reading.place
        value = _printed_value(reading, setting.default, is_secret=setting.secret)
        yield Row(name, value, option_of(name) if source == name else source)


def as_json(readings: Mapping[str, Reading]) -> list[dict[str, Any]]:
    """Return the rows as values for JSON."""
    return [
        {"setting": row.setting, "variable": variable(row.setting), "value": row.value, "source": row.source}
        for row in rows(readings)
    ]


def lines(readings: Mapping[str, Reading], *, is_only_given: bool = False) -> Iterator[str]:
    """Yield the rows as lines of aligned columns; if asked, only those of settings that are given."""
    printed = [row for row in rows(readings) if not is_only_given or readings[row.setting].place is not None]
    if not printed:
        return
    widths = [max(len(row[column]) for row in printed) for column in (0, 1)]
    for row in printed:
        yield f"{row.setting:{widths[0]}}  {row.value:{min(widths[1], 44)}}  {row.source}"


def _printed_value(reading: Reading, default: str, *, is_secret: bool) -> str:
    if reading.fault:
        return "(wrong)"
    if reading.place is None:
        return default
    if is_secret:
        return HIDDEN
    value = ", ".join(reading.value) if isinstance(reading.value, tuple) else str(reading.value)
    return scrub(value) if "://" in value else value
