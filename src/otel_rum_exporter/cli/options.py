"""Options of the commands: their types, and settings as options and as a table with the source of each value."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from .._config_fields import Reader, Reading, Setting, plain_text
from ..config import PREFIX, Config, ConfigError, table, variable
from ..mapping.urls import scrub
from . import MISUSED, fail
from .output import report

_LINK = re.compile(r"\[[^]]+\]\(([^)#]+)[^)]*\)")

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic since click 8.4

HIDDEN = "(set, not shown)"


class Form(_ParamType):
    """Text whose form the help shows, and whose words a shell completes. It is checked with the other settings."""

    def __init__(self, reader: Reader[Any]) -> None:
        self.reader = reader
        self.name = reader.form

    def get_metavar(self, *_: Any, **__: Any) -> str:
        """Return the form; click 8.1 and 8.2 pass different arguments."""
        return self.reader.form

    def shell_complete(self, _: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the words that begin so."""
        return [CompletionItem(word) for word in self.reader.choices if word.startswith(incomplete)]


class Value(Form):
    """A value that a reader of the settings reads, so that errors have the same words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the value, or raise an error that names the option."""
        try:
            return self.reader(value)
        except ValueError as fault:
            option = max(param.opts, key=len) if param else self.name
            raise click.UsageError(f"{option}={value!r:.120} {fault}", ctx) from None


class Formatter(click.HelpFormatter):
    """Help with bold headings on a terminal."""

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        self.write(f"{'':>{self.current_indent}}{click.style(f'{heading}:', bold=True)}\n")


class Context(click.Context):
    """The context of each command."""

    formatter_class = Formatter


class Command(click.Command):
    """A command with the look of all others."""

    context_class = Context


class CommandWithSettings(Command):
    """A command whose help lists the settings in a separate section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the settings."""
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        own = [option for option in options if option.name not in table()]
        settings = [option for option in options if option.name in table()]
        for title, options in (("Options", own), (f"Settings (or as variables {PREFIX}...)", settings)):
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


def takes_settings(function: Callable[..., None], settings: Mapping[str, Setting] | None = None) -> Callable[..., None]:
    """Add an option for each setting that is not a secret, and pass the options used as the argument `given`."""
    settings = table() if settings is None else settings

    @functools.wraps(function)
    def with_given(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in names}
        given = {name: value for name, value in given.items() if value is not None}
        for name, value in given.items():
            if settings[name].parse is plain_text and not value.strip():
                raise click.UsageError(f"{option_of(name)}={value!r} is empty; leave it out, or give a value")
        function(given=given, **arguments)

    names = [name for name, setting in settings.items() if not setting.secret]
    decorated: Callable[..., None] = with_given
    for name in reversed(names):
        setting = settings[name]
        decorated = click.option(option_of(name), name, type=Form(setting.parse), help=_help(setting))(decorated)
    return decorated


def _help(setting: Setting) -> str:
    """Return the help of a setting without the marks of the documentation; a link becomes the path of its page."""
    text = _LINK.sub(r"docs/\1", setting.help).replace("`", "")
    return f"{text} [{'' if setting.default == 'required' else 'default: '}{setting.default}]"


def read_config(given: Mapping[str, object], environment: Mapping[str, str]) -> Config:
    """Return the settings, or end the command with the fault of each wrong one."""
    try:
        return Config.read(given, environment, option_of)
    except ConfigError as error:
        *others, last = error.faults
        for fault in others:
            report(fault)
        fail(last, MISUSED)


def option_of(setting: str) -> str:
    """Return the command option of a setting."""
    return f"--{setting.replace('_', '-')}"


class Row(NamedTuple):
    """A setting, its value and its source as the commands print them."""

    setting: str
    value: str
    source: str


def rows(readings: Mapping[str, Reading], *, is_only_given: bool = False) -> Iterator[Row]:
    """Yield a row for each setting; if asked, only for those that are given."""
    for name, setting in table().items():
        reading = readings[name]
        if not is_only_given or reading.place is not None:
            value = _printed_value(reading, setting.default, is_secret=setting.secret)
            yield Row(name, value, reading.place or "default")


def as_json(readings: Mapping[str, Reading]) -> list[dict[str, Any]]:
    """Return the rows as values for JSON."""
    return [
        {"setting": row.setting, "variable": variable(row.setting), "value": row.value, "source": row.source}
        for row in rows(readings)
    ]


def _printed_value(reading: Reading, default: str, *, is_secret: bool) -> str:
    if reading.fault:
        return "(wrong)"
    if reading.place is None:
        return default
    if is_secret:
        return HIDDEN
    value = ", ".join(reading.value) if isinstance(reading.value, tuple) else str(reading.value)
    return scrub(value) if "://" in value else value
