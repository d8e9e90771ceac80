"""Stack traces as text: their frames in the forms of many languages, and the exceptions in a Python traceback.

Apart from `js_error`, because what a stack says does not depend on RUM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from .._pattern import lazy_pattern
from ..rum.truncation import PYTHON_TRACEBACK

MAX_CHARS = 16_000
"""Longest part of a stack that is searched: the end of a Python traceback, the beginning of any other."""

MAX_LINE_CHARS = 500
MAX_PARSED = 128


class Frame(NamedTuple):
    """A frame: its file, its line, and the column if the stack has it."""

    file: str
    line: int
    column: int | None = None

    @property
    def place(self) -> str:
        """File and line, without the folder, which the same frame does not have in every form."""
        return f"{_FOLDERS.sub('', self.file)}:{self.line}"


class Raised(NamedTuple):
    """An exception in a stack: its type without its module, the first line of its message, and where it was raised."""

    type: str
    message: str
    place: str


class Chain(NamedTuple):
    """The place where an exception was raised, the exceptions that caused it, and those that a group holds."""

    place: str
    causes: tuple[Raised, ...] = ()
    members: tuple[Raised, ...] = ()


class _PythonRaised(NamedTuple):
    """An exception in a Python traceback: whether it is a group, and whether it caused the next one."""

    raised: Raised
    is_group: bool
    is_cause: bool = False


_FOLDERS = lazy_pattern(r".*[/\\]", re.DOTALL)
_SOURCES = (
    "go|rb|erb|rake|ru|swift|mm?|cc?|cpp|h|rs|dart|exs?|erl|gleam|php|lua|cs|fs|vb|jl|cr|hs|ps1|zig|java|kts?|scala|clj"
    "|py|[cm]?[jt]sx?|vue|svelte"
)
_FORMS = (
    # JavaScript, evaluated: `at eval (eval at f (/srv/app.js:4:2), <anonymous>:1:1)`, `f@/app.js line 4 > eval:1:1`
    r"\(eval at [^()]*\((?P<file>[^()]+):(?P<line>\d{1,9}):(?P<column>\d{1,9})\)",
    r"@(?P<file>\S+) line (?P<line>\d{1,9}) > \w",
    # JavaScript in parentheses: `at f (/srv/app.js:4:2)`, `(address at index.android.bundle:1:2)`
    # Next.js has folders in parentheses: `at f (webpack-internal:///(rsc)/./app/(shop)/page.tsx:4:2)`
    (
        r"\((?:address at )?(?P<file>[^()]+?(?:(?<=/)\([^()/]+\)/[^()]*?){0,8}):(?P<line>\d{1,9})"
        r":(?P<column>\d{1,9})\)\s*$"
    ),
    # JavaScript without: `f@https://a.example/app.js:1:20`, `at C:\app.js:4:2`; a package may be `/npm/jquery@3.7.1/`
    r"(?:^[^@:]*@|^|\s)(?P<file>[^\s()]+?):(?P<line>\d{1,9}):(?P<column>\d{1,9})\s*$",
    # The JVM, OpenTelemetry's form of PHP: `at com.shop.Cart.total(Cart.kt:42)`, obfuscated `at a.b(SourceFile:42)`
    r"^\s*at (?:\S+/)?(?P<function>[^\s()/]+) ?\((?P<file>(?:[A-Za-z]:)?[^\s():]+):(?P<line>\d{1,9})\)",
    # .NET, in several languages: `at Shop.Cart.Total() in /src/Cart.cs:line 42`
    r"^\s*\S+ (?P<function>\S.*?\)) \w+ (?P<file>\S.*):\w{1,12} (?P<line>\d{1,9})\.?\s*$",
    # Mono and Unity: `at Shop.Cart.Total (Int32 n) [0x00012] in /src/Cart.cs:42`, `Cart.Total () (at Cart.cs:42)`
    r"^\s*(?:at )?(?P<function>\S+) \([^()]*\) (?:\[0x\w+\] in |\(at )(?P<file>[^<>()]+):(?P<line>\d{1,9})\)?\s*$",
    # PHP: `#0 /srv/cart.php(42): Cart->total()`, `Exception: no in /srv/cart.php:42`, `in /srv/cart.php on line 42`
    r"^#\d+ (?P<file>/\S+|[A-Za-z]:\S+)\((?P<line>\d{1,9})\): ",
    r"\bin (?P<file>\S+\.\w{1,5}) on line (?P<line>\d{1,9})\s*$",
    # Perl: `no at /srv/Cart.pm line 42.`, `Cart::total(1) called at app.pl line 9`
    r"\bat (?P<file>[^\s()]+\.(?:p[lm]|psgi|cgi|t)) line (?P<line>\d{1,9})(?=[.,\s]|$)",
    # Swift, Erlang, OCaml: `Fatal error: no: file Shop/Cart.swift, line 42`, `(src/cart.erl, line 42)`
    r"(?:\bfile |\()\"?(?P<file>[^\s\"()]+\.\w{1,6})\"?, line (?P<line>\d{1,9})",
    (r'\{file,"(?P<file>[^"]+)"\},\{line,(?P<line>\d{1,9})\}'),
    # Elixir, with the application of the frame: `(shop 0.1.0) lib/shop/cart.ex:42: Shop.Cart.total/1`
    r"^\s*\((?P<function>\w+)[^()]*\) (?P<file>[^\s():]+\.(?:ex|exs|erl)):(?P<line>\d{1,9}):",
    # Ruby, Go, Swift, Rust, Lua: a source file and a line
    (
        rf"(?:^|[\s(])(?P<file>(?:[A-Za-z]:)?[^\s():]+\.(?:{_SOURCES}))"
        r":(?P<line>\d{1,9})(?::(?P<column>\d{1,9}))?(?![\w.])"
    ),
)
_PYTHON_FRAME = lazy_pattern(r'^[ |>]*File "([^"\n]+)", line (\d{1,9})', re.MULTILINE)
_MARK = lazy_pattern(r"[.:/(@]")

_OF_GO = (
    "bufio|bytes|compress|context|crypto|database|encoding|errors|fmt|go|hash|html|image|internal|io|log|math|mime|net"
    "|os|reflect|regexp|runtime|slices|sort|strconv|strings|sync|syscall|testing|text|time|unicode"
)
_LIBRARY_FILE = lazy_pattern(
    rf"""(?:^|[/\\])(?:node_modules|bower_components|site-packages|dist-packages|vendor|gems|pkg[/\\]mod|rustc
        |\.?cargo[/\\](?:registry|git)|\.julia|_build[/\\]\w+[/\\]lib|[\w.-]+@v?\d[\w.+-]*)[/\\]
      | [/\\]lib(?:64)?[/\\](?:python\d|ruby|lua[/\\])|[/\\]Python3\d+[/\\]Lib[/\\]|[/\\](?:lualib|perl5?)[/\\]
      | [/\\]go(?:lang)?[^/\\]*[/\\](?:[\w.]+[/\\]){{0,2}}src[/\\](?:{_OF_GO})[/\\]|^(?:{_OF_GO})/[^@]+\.go$
      | ^(?:node:|ext:|internal/|native\b|dart:|package:flutter/|<|\[|deps/|library/(?:std|core|alloc)/)
      | ^(?:file://)?/(?:var/(?:runtime|lang)|opt/(?:python|nodejs|ruby))/
      | ^(?:chrome|moz|safari(?:-web)?)-extension:
      | ^(?:webpack/|Swift/|/_/src/)|\bwebpack/(?:bootstrap|runtime)|^app:///node_modules/
    """,
    re.VERBOSE,
)
_LIBRARY_FUNCTION = lazy_pattern(
    r"(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|android|androidx|com\.android|dalvik|scala|groovy|clojure"
    r"|org\.(?:springframework|apache|hibernate|eclipse|jboss|reactivestreams)|com\.(?:google|fasterxml|zaxxer)"
    r"|io\.(?:netty|grpc|reactivex|opentelemetry|ktor|micrometer|undertow)|reactor|okhttp3|okio|retrofit2"
    r"|System|Microsoft|UnityEngine|Illuminate|Symfony|Slim|GuzzleHttp|OpenTelemetry|Zend|Laminas|Doctrine)[.\\]"
    r"|(?:absinthe|bandit|cowboy|ecto|finch|mint|oban|opentelemetry|phoenix|plug|telemetry|tesla)(?:_\w+)?$"
    r"|(?:elixir|stdlib|kernel|ranch|postgrex|myxql|db_connection|thousand_island|jason|req|logger|ex_unit|mix)$"
)
_GO_RECORDER = lazy_pattern(r"[/\\](?:runtime[/\\]debug|go\.opentelemetry\.io)[/\\]")

_GROUP_LINE = lazy_pattern(r"^ *(?:\| ?|\+ |\+-.*)")
_RAISED = lazy_pattern(r"([A-Za-z_][\w.]{0,200})(?:: (.*))?$")
_HEAD = lazy_pattern(r"(?:Uncaught |Exception in thread [^\n]{1,80}? )?([A-Za-z_$][\w.$]{0,200}): ([^\n]{0,1000})\n")
_HEAD_FORMS = (
    # Elixir: `** (KeyError) no key`
    r"\*\* \((?P<type>[\w.]{1,200})\) (?P<message>.*)",
    # Monolog: `[object] (RuntimeException(code: 0): no item at /srv/Cart.php:42)`
    r"\((?P<type>[\w\\]{1,200})\(code: \S{1,20}\): (?P<message>.*?) at \S+:\d+\)",
    # Ruby: `/srv/cart.rb:42:in 'total': no item (KeyError)`, Rails: `KeyError (no item):`
    r":in [`'].{0,200}': (?P<message>.*) \((?P<type>[A-Z][\w:]{0,200})\)$",
    r"^(?P<type>[A-Z][\w:]{0,200}) \((?P<message>.*)\):?$",
    # Go: `panic: no item`; Rust: `thread 'main' panicked at src/cart.rs:42:9:`
    r"^(?P<type>panic): (?P<message>.*)",
    r"^thread '.{0,200}' (?P<type>panicked)(?P<message>) at ",
    # JavaScript, the JVM, .NET, PHP, also after what a logger wrote: `TypeError: no item`
    (
        r"(?:^|[\s>])(?P<type>(?:[\w$]{1,80}[.\\]){1,20}[A-Z][\w$]{0,160}"
        r"|[A-Z]?[\w$]{0,160}(?:Error|Exception|Failure|Fault|Throwable)): (?P<message>.*)"
    ),
)
_MAX_HEAD_LINES = 8
_MAX_LOGGED_LINES = 200
_PATTERNS = tuple(map(lazy_pattern, _FORMS))
_HEAD_PATTERNS = tuple(map(lazy_pattern, _HEAD_FORMS))
_CAUSED_BY = lazy_pattern(r"^Caused by: ([\w.$]{1,200})(?:: (.*))?$")


def with_lines(stack: str) -> str:
    """Return a stack with line feeds; some exporters write them escaped, as in JSON."""
    return stack.replace("\\n", "\n").replace('\\"', '"') if "\n" not in stack and "\\n" in stack else stack


def is_python(stack: str) -> bool:
    """Return whether a stack is a Python traceback."""
    return PYTHON_TRACEBACK in stack and 'File "' in stack


def application_frame(stack: str) -> Frame | None:
    """Return the innermost frame of the application, else the innermost frame; None if no frame is known."""
    innermost = None
    for frame, is_library in _frames(stack):
        if not is_library:
            return frame
        innermost = innermost or frame
    return innermost


def raised_of(stack: str) -> tuple[str, str] | None:
    """Return type and message of the exception in a stack; None if the text is no stack with both."""
    if is_python(stack):
        for line in reversed(stack[-MAX_CHARS:].splitlines()):
            found = _RAISED.match(line[:MAX_LINE_CHARS])
            if found:
                return found[1], found[2] or ""
        return None
    found = _HEAD.match(stack)
    if found and next(_frames(stack), None):
        return found[1], found[2].strip()
    return None


@lru_cache(maxsize=MAX_PARSED)
def logged_in(text: str) -> tuple[str, str, str] | None:
    """Return type, message and stack of the exception in a text that a logger wrote; None if it has none.

    The stack begins with the nearest line above its first frame that names an exception.
    """
    lines = text[:MAX_CHARS].splitlines()[:_MAX_LOGGED_LINES]
    first = next((index for index, line in enumerate(lines) if next(_frames(line), None)), None)
    if first is None:
        return None
    for index in range(first, max(-1, first - _MAX_HEAD_LINES), -1):
        line = lines[index][:MAX_LINE_CHARS]
        found = next(filter(None, (form.search(line) for form in _HEAD_PATTERNS)), None)
        if found:
            start = found.start() if index < first or next(_frames(line[found.start() :]), None) else 0
            stack = "\n".join([line[start:].lstrip(), *lines[index + 1 :]])
            return found["type"], found["message"].strip(), stack
    return None


def chain_of(stack: str, kind: str) -> Chain:
    """Return where an exception of this type (without its module) was raised, and the exceptions in its stack."""
    parsed = _parsed(stack)
    return parsed if isinstance(parsed, Chain) else _python_chain(parsed, kind)


@lru_cache(maxsize=MAX_PARSED)
def _parsed(stack: str) -> Chain | list[_PythonRaised]:
    """Return the chain of a stack, or the exceptions of a Python traceback that has several."""
    if is_python(stack):
        raised, place = _python_raised(stack)
        return raised if len(raised) > 1 else Chain(raised[0].raised.place if raised else place)
    first = next(_frames(stack), None)
    place = first[0].place if first else stack.strip()[:MAX_LINE_CHARS]
    return Chain(place, tuple(_causes(stack[:MAX_CHARS])) if "Caused by: " in stack else ())


def _frames(stack: str) -> Iterator[tuple[Frame, bool]]:
    """Yield the frames, the innermost first, and whether each is a library's."""
    if 'File "' in stack and _PYTHON_FRAME.search(stack):
        for line in reversed(stack[-MAX_CHARS:].split("\n")):
            if 'File "' in line and (found := _PYTHON_FRAME.match(line)):
                yield Frame(found[1], int(found[2])), bool(_LIBRARY_FILE.search(found[1]))
        return
    for line in stack[:MAX_CHARS].splitlines():
        short = line[:MAX_LINE_CHARS]
        found_form = next(filter(None, (form.search(short) for form in _PATTERNS)), None)
        if found_form is None:
            continue
        parts = found_form.groupdict()
        file, column, function = parts["file"], parts.get("column"), parts.get("function") or ""
        if not (function or _MARK.search(file)):
            continue
        is_library = bool(_LIBRARY_FILE.search(file) or _LIBRARY_FUNCTION.match(function) or _GO_RECORDER.search(file))
        yield Frame(file, int(parts["line"]), int(column) if column else None), is_library


def _causes(stack: str) -> Iterator[Raised]:
    """Yield the exceptions that a JVM stack names as causes."""
    lines = stack.splitlines()
    for index, line in enumerate(lines):
        found = _CAUSED_BY.match(line[:MAX_LINE_CHARS])
        frame = next(_frames("\n".join(lines[index + 1 : index + 3])), None) if found else None
        if found and frame:
            yield Raised(_short(found[1]), found[2] or "", frame[0].place)


def _python_raised(stack: str) -> tuple[list[_PythonRaised], str]:
    """Return the exceptions in a Python traceback, and the last place in it.

    An exception raised while another was handled has that one in its traceback too, but is an error of its own.
    """
    raised: list[_PythonRaised] = []
    frame: re.Match[str] | None = None
    is_group = is_open = False
    for line in stack[-MAX_CHARS:].splitlines():
        text = _GROUP_LINE.sub("", line) if "|" in line or "+" in line else line
        if text.endswith(PYTHON_TRACEBACK):
            frame, is_group, is_open = None, text.startswith("Exception Group"), True
        elif 'File "' in text and (found := _PYTHON_FRAME.match(text)):
            frame, is_open = found, True
        elif text.startswith("The above exception was the direct cause") and raised:
            raised[-1] = raised[-1]._replace(is_cause=True)
        elif text.startswith("During handling of the above exception") and raised:
            raised = []
        elif is_open and text and not text.startswith(" ") and (found := _RAISED.match(text[:MAX_LINE_CHARS])):
            raised.append(_PythonRaised(Raised(_short(found[1]), found[2] or "", _place_of(frame)), is_group))
            is_open = False
    return raised, _place_of(frame)


def _place_of(frame: re.Match[str] | None) -> str:
    return Frame(frame[1], int(frame[2])).place if frame else ""


def _python_chain(raised: Sequence[_PythonRaised], kind: str) -> Chain:
    """Return the chain of the last exception of a type, else of the last one."""
    own = next((index for index in reversed(range(len(raised))) if raised[index].raised.type == kind), len(raised) - 1)
    causes = tuple(one.raised for one in raised[:own] if one.is_cause)
    members = tuple(one.raised for one in raised[own + 1 :] if not one.is_group and not one.is_cause)
    return Chain(raised[own].raised.place, causes, members if raised[own].is_group else ())


def _short(kind: str) -> str:
    return kind.rpartition(".")[2]
