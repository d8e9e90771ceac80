"""The public names, their types, and that no other type of the package appears in their signatures."""

from __future__ import annotations

import dataclasses
import importlib.resources
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

import otel_rum_exporter
from otel_rum_exporter import (
    Config,
    ConfigError,
    DropReason,
    LedgerSnapshot,
    RumClient,
    RumLogExporter,
    RumSessionMiddleware,
    RumSessionProcessor,
    RumSessionWsgiMiddleware,
    RumSpanExporter,
    Settings,
    local,
)
from tests.spans import APP_MONITOR_ID

if TYPE_CHECKING:
    from typing_extensions import assert_type

PUBLIC = (
    Config,
    ConfigError,
    DropReason,
    LedgerSnapshot,
    RumClient,
    RumLogExporter,
    RumSessionMiddleware,
    RumSessionProcessor,
    RumSessionWsgiMiddleware,
    RumSpanExporter,
    Settings,
)


def test_the_public_names_are_these_and_no_others() -> None:
    """No name becomes public by accident."""
    assert otel_rum_exporter.__all__ == [*(one.__name__ for one in PUBLIC), "__version__"]
    assert set(otel_rum_exporter.__all__) <= set(dir(otel_rum_exporter))
    assert "LocalRum" in local.__all__


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    """Names are imported when they are first used; a wrong one fails as in any module."""
    with pytest.raises(AttributeError, match="RumExporter"):
        otel_rum_exporter.RumExporter  # noqa: B018 - the access fails


def test_the_package_is_marked_as_typed() -> None:
    """PEP 561, in the installed package."""
    assert importlib.resources.files(otel_rum_exporter).joinpath("py.typed").is_file()


def test_a_ledger_is_a_snapshot_that_does_not_change() -> None:
    """It can be kept, compared and subtracted."""
    exporter = RumSpanExporter(app_monitor_id=APP_MONITOR_ID, region="eu-west-1")
    ledger = exporter.ledger
    assert ledger == LedgerSnapshot() == exporter.ledger
    with pytest.raises(dataclasses.FrozenInstanceError):
        ledger.delivered = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        ledger.dropped[DropReason.REFUSED] = 1  # type: ignore[index]
    assert ledger.dropped[DropReason.REFUSED] == ledger.spans[None] == 0
    exporter.shutdown()


def _functions(public: type) -> Iterator[Callable[..., Any]]:
    """Yield the constructor, public methods and properties of a class."""
    for name, member in inspect.getmembers(public):
        if name == "__init__" or not name.startswith("_"):
            function = member.fget if isinstance(member, property) else member
            if inspect.isfunction(function) or inspect.ismethod(function):
                yield function


def _types(hint: Any) -> Iterator[Any]:
    """Yield the types that a hint is made of."""
    yield hint
    for part in typing.get_args(hint):
        yield from _types(part) if not isinstance(part, list) else (one for item in part for one in _types(item))


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_signatures_have_no_type_that_is_not_public(public: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user could not name it, and a change of it would not be seen as one of the public API."""
    from typing_extensions import Self, Unpack

    from otel_rum_exporter.exporter import exporters

    monkeypatch.setattr(exporters, "RumClient", RumClient, raising=False)
    names = {"Self": Self, "Unpack": Unpack}
    hints = [typing.get_type_hints(function, localns=names) for function in _functions(public)]
    hints.append(typing.get_type_hints(public, localns=names))
    found = {one for of_one in hints for hint in of_one.values() for one in _types(hint)}
    leaked = {
        one
        for one in found
        if str(getattr(one, "__module__", "")).startswith("otel_rum_exporter") and one not in PUBLIC
    }
    assert not leaked


@pytest.mark.parametrize("public", [RumSpanExporter, RumLogExporter, RumSessionProcessor], ids=lambda one: one.__name__)
def test_no_parameter_is_there_for_tests(public: type) -> None:
    """Tests replace the clock instead."""
    assert not {"now_ns", "clock", "now"} & set(inspect.signature(public).parameters)


if TYPE_CHECKING:
    # mypy checks these.
    _exporter = RumSpanExporter(app_monitor_id=APP_MONITOR_ID, session_sample_rate=0.5, excluded_names=["health"])
    assert_type(_exporter.ledger, LedgerSnapshot)
    assert_type(RumLogExporter().ledger, LedgerSnapshot)
    assert_type(_exporter.ledger.accepted, int)
    assert_type(_exporter.ledger.stored, int)
    assert_type(_exporter.ledger.dropped, Mapping[DropReason, int])
    assert_type(_exporter.ledger.spans, Mapping[DropReason | None, int])
    assert_type(_exporter.force_flush(), bool)
    assert_type(Config.read({}, {}), Config)
    assert_type(ConfigError([]).faults, tuple[str, ...])
    RumSpanExporter(timeout_milis=1)  # type: ignore[call-arg]
    RumSpanExporter(client=1)  # type: ignore[arg-type]
    RumSessionProcessor(lambda: ("session", "user"))
    RumSessionProcessor(lambda: "session")  # type: ignore[arg-type, return-value]
    RumSessionMiddleware(object(), session=lambda scope: (scope["path"], None))
