"""Patterns that are compiled at their first use."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest

import otel_rum_exporter.mapping
import otel_rum_exporter.rum
from otel_rum_exporter import _pattern
from otel_rum_exporter._pattern import lazy_pattern


def test_a_pattern_is_compiled_once_and_at_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its flags."""
    compiled: list[str] = []
    compile_ = re.compile

    def counted(source: str, flags: int) -> re.Pattern[str]:
        compiled.append(source)
        return compile_(source, flags)

    monkeypatch.setattr(re, "compile", counted)
    greeting = lazy_pattern("(hello) world", re.IGNORECASE)
    assert compiled == []
    found = greeting.search("Hello World!")
    assert found is not None
    assert found[1] == "Hello"
    assert greeting.sub("bye", "HELLO WORLD!") == "bye!"
    assert (greeting.pattern, greeting.groups) == ("(hello) world", 1)
    assert compiled == ["(hello) world"]


@pytest.mark.parametrize("package", [otel_rum_exporter.mapping, otel_rum_exporter.rum])
def test_each_pattern_of_the_package_can_be_compiled(package: object) -> None:
    """An error in one would be found by the first text only."""
    found = 0
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):  # type: ignore[attr-defined]
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, _pattern._Pattern):
                assert value.pattern
                found += 1
    assert found
