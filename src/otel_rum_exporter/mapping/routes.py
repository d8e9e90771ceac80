r"""Routes as templates that people can read: some frameworks set the regular expression of a route.

Django: `^archive/(?P<year>[0-9]{4})/$`, Express: `/orders/:id(\d+)` and `/^\/orders\/(\d+)$/`, Spring:
`/orders/{id:[0-9]+}`, Rails: `/orders/:id(.:format)`, Werkzeug: `/<regex('[a-z]+'):name>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .._attributes import ROUTE, TARGETS
from .._pattern import lazy_pattern
from . import urls
from .caches import cache_short_texts
from .path_ids import mask_path
from .record_view import View

MAX_CACHED_ROUTES = 1000
MAX_CACHED_CHARS = 1024

HANDLER = "tornado.handler"
"""An attribute of spans whose name has the route, if there is one, and never a path."""

_HAS_PARAMETER = lazy_pattern(r"/(?:[{<:]\w|\*)")
_HAS_PATTERN = lazy_pattern(r"[\^$(\\\[]|\{[^}]*[:=?]")
_OF_JAVASCRIPT = lazy_pattern(r"/(\^.*)/[a-z]{0,8}")
"""A regular expression as JavaScript writes it."""

_OF_NEXT = lazy_pattern(r"\[{1,2}(?:\.{3})?[\w-]+\]{1,2}(?=/|\Z)")
"""A parameter of Next.js, which is a whole segment."""

_NAMED = lazy_pattern(r"\?P?<(\w+)>")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ANCHORS_AND_CLASSES = {
    "A": "",
    "Z": "",
    "z": "",
    "b": "",
    "B": "",
    "d": "*",
    "w": "*",
    "s": "*",
    "D": "*",
    "W": "*",
    "S": "*",
}


def of_request(view: View) -> str | None:
    """Return the readable route of a request served: `http.route`, else the one in its name; None if it has none.

    API Gateway sets the path as the route, so ids are masked in a route that equals the path.
    """
    route = view.text(ROUTE)
    if route is None:
        named = view.name.partition(" ")[2]
        is_route = named.startswith("/") and (HANDLER in view.attributes or _HAS_PARAMETER.search(named))
        return mask_path(readable(named)) if is_route else None
    target = view.text(*TARGETS)
    return mask_path(route) if target and urls.path(target) == route else readable(route)


@cache_short_texts(MAX_CACHED_ROUTES, MAX_CACHED_CHARS)
def readable(route: str) -> str:
    """Return a route without the syntax of regular expressions. A group becomes its name, or `*` if it has none."""
    if not _HAS_PATTERN.search(route):
        return route
    written = _OF_JAVASCRIPT.fullmatch(route)
    return _template(written[1] if written else route)


def _template(route: str) -> str:
    found, at = "", 0
    while at < len(route):
        read = _READERS.get(route[at])
        text, at = read(route, at) if read else (route[at], at + 1)
        found += text
    return re.sub(r"\.?\*[*+?]*", "*", re.sub(r"(?<=[>}*/])[+?]+", "", found)).replace("//", "/")


def _nothing(_: str, at: int) -> tuple[str, int]:
    return "", at + 1


def _dollar(route: str, at: int) -> tuple[str, int]:
    """Read an end, or the parameter `$id` of Remix and TanStack."""
    return ("$" if route[at + 1 : at + 2].isalpha() else ""), at + 1


def _converter(route: str, at: int) -> tuple[str, int]:
    """Read a parameter of Werkzeug, without the arguments of its converter."""
    found = re.compile(r"<(\w*)(?:\(.*?\))?(:?\w+)>").match(route, at)
    return (f"<{found[1]}{found[2]}>", found.end()) if found else ("<", at + 1)


def _escaped(route: str, at: int) -> tuple[str, int]:
    letter = route[at + 1 : at + 2]
    return _ANCHORS_AND_CLASSES.get(letter, letter), at + 2


def _group(route: str, at: int) -> tuple[str, int]:
    end = _end(route, at)
    inner = route[at + 1 : end - 1]
    named = _NAMED.match(inner)
    if named:
        return f"<{named[1]}>", end
    if inner.startswith("?:") and "|" not in inner:
        return _template(inner[2:]), _without_quantifier(route, end)
    if inner.startswith((".:", "?")) and not inner.startswith("?:"):  # a format of Rails; a flag or a look-around
        return "", end
    return (inner if re.fullmatch(r"/?:\w+", inner) else "*"), end


def _class(route: str, at: int) -> tuple[str, int]:
    segment = _OF_NEXT.match(route, at) if at and route[at - 1] == "/" else None
    return (segment[0], segment.end()) if segment else ("*", _end(route, at))


def _braces(route: str, at: int) -> tuple[str, int]:
    end = _end(route, at)
    name = re.split(r"[:=?]", route[at + 1 : end - 1], maxsplit=1)[0]
    return ("" if re.fullmatch(r"[\d,]*", name) else f"{{{name}}}"), end


def _parameter(route: str, at: int) -> tuple[str, int]:
    """Read a parameter of Express, with the pattern and the quantifier behind its name."""
    end = re.compile(r":\w*").match(route, at).end()  # type: ignore[union-attr] # it matches the colon
    name = route[at:end]
    if name != ":" and route[end : end + 1] == "(" and not route.startswith("(.:", end):
        end = _end(route, end)
    return name, _without_quantifier(route, end) if name != ":" else end


def _without_quantifier(route: str, at: int) -> int:
    return at + 1 if route[at : at + 1] in {"?", "*", "+"} else at


def _end(route: str, at: int) -> int:
    """Return the index behind the bracket that closes the one at an index."""
    opening, depth, is_escaped = route[at], 0, False
    for index in range(at, len(route)):
        letter = route[index]
        if is_escaped:
            is_escaped = False
        elif letter == "\\":
            is_escaped = True
        elif letter == opening:
            depth += 1
        elif letter == _CLOSING[opening]:
            depth -= 1
            if depth == 0:
                return index + 1
    return len(route)


_READERS: dict[str, Callable[[str, int], tuple[str, int]]] = {
    "^": _nothing,
    "$": _dollar,
    "<": _converter,
    "\\": _escaped,
    "(": _group,
    "[": _class,
    "{": _braces,
    ":": _parameter,
}
