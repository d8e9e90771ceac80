"""Regular expressions that are compiled at their first use.

To compile those of the mapping takes 45 ms, a fifth of the import of boto3, and most programs need few of them.
"""

from __future__ import annotations

import re
from typing import Any, cast


def lazy_pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern that is compiled when one of its attributes is first read. Thread-safe."""
    return cast("re.Pattern[str]", _Pattern(source, flags))


class _Pattern:
    """A pattern, with the attributes of the compiled one from its first use on."""

    def __init__(self, source: str, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self._source, self._flags)
        self.__dict__.update((own, getattr(compiled, own)) for own in dir(compiled) if not own.startswith("_"))
        return getattr(compiled, name)
