"""The place at which an exception was raised, in the stacks of many languages."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_rum_exporter.mapping.stack_trace import application_frame, chain_of, raised_of

FIRST_IS_APPLICATION = {
    "Node.js": (
        (
            "TypeError: x\n    at checkout (/srv/app/dist/checkout.js:42:13)\n"
            "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"
        ),
        ("/srv/app/dist/checkout.js", 42, 13),
    ),
    "Node.js, an ES module": ("Error: x\n    at async file:///srv/app.mjs:1:20", ("file:///srv/app.mjs", 1, 20)),
    "Node.js on Windows": ("Error: x\n    at total (C:\\shop\\cart.js:4:5)", ("C:\\shop\\cart.js", 4, 5)),
    "Node.js, a path with spaces": ("Error: x\n    at f (/srv/my app/a.js:4:5)", ("/srv/my app/a.js", 4, 5)),
    "webpack": ("Error: x\n    at f (webpack://shop/./src/cart.js:10:5)", ("webpack://shop/./src/cart.js", 10, 5)),
    "webpack, in development": (
        "E: x\n    at f (webpack-internal:///./src/a.js:3:1)",
        ("webpack-internal:///./src/a.js", 3, 1),
    ),
    "Next.js, folders in parentheses": (
        "E: x\n    at f (webpack-internal:///(rsc)/./app/(shop)/page.tsx:12:3)",
        ("webpack-internal:///(rsc)/./app/(shop)/page.tsx", 12, 3),
    ),
    "Node.js, evaluated": (
        "E: x\n    at eval (eval at f (/srv/a.js:3:1), <anonymous>:1:7)\n    at f (/srv/a.js:3:1)",
        ("/srv/a.js", 3, 1),
    ),
    "Firefox": (
        "f@https://a.example:3000/app.js:1:20\n@https://a.example/b.js:7:1",
        ("https://a.example:3000/app.js", 1, 20),
    ),
    "Capacitor": ("Error\n    at f (capacitor://localhost/main.js:2:9)", ("capacitor://localhost/main.js", 2, 9)),
    "React Native, Hermes": (
        "Error: x\n    at f (address at index.android.bundle:1:23456)",
        ("index.android.bundle", 1, 23456),
    ),
    "React Native, JSC": (
        "total@/private/var/App.app/main.jsbundle:12:34",
        ("/private/var/App.app/main.jsbundle", 12, 34),
    ),
    "Java": ("java.lang.X: no\n\tat com.shop.Cart.total(Cart.java:42)", ("Cart.java", 42, None)),
    "Java, a module": ("X: no\n\tat app//com.shop.Cart.total(Cart.java:42) ~[a.jar:1]", ("Cart.java", 42, None)),
    "Kotlin": ("X: no\n\tat com.shop.CartKt$total$1.invokeSuspend(Cart.kt:7)", ("Cart.kt", 7, None)),
    ".NET": ("X: no\n   at Shop.Cart.Total(Int32 n) in /src/Cart.cs:line 42", ("/src/Cart.cs", 42, None)),
    ".NET on Windows": (
        "X: no\n   at Shop.Cart.Total() in C:\\src\\My Cart.cs:line 42",
        ("C:\\src\\My Cart.cs", 42, None),
    ),
    ".NET in German": (
        "X: no\n   bei Shop.Cart.Total() in C:\\src\\Cart.cs:Zeile 42.",
        ("C:\\src\\Cart.cs", 42, None),
    ),
    "PHP": (
        "Exception: no in /srv/Cart.php:42\nStack trace:\n#0 /srv/index.php(3): total()",
        ("/srv/Cart.php", 42, None),
    ),
    "PHP, the frames alone": ("#0 /srv/index.php(3): Cart->total()\n#1 {main}", ("/srv/index.php", 3, None)),
    "PHP, OpenTelemetry": (
        "Exception: no\n at Cart.total(Cart.php:42)\n at {main}(index.php:3)",
        ("Cart.php", 42, None),
    ),
    "Ruby": (
        "/srv/cart.rb:42:in 'Cart#total': no (RuntimeError)\n\tfrom /srv/app.rb:3:in '<main>'",
        ("/srv/cart.rb", 42, None),
    ),
    "Go": ("goroutine 1 [running]:\nmain.total(0x1)\n\t/srv/app/cart.go:42 +0x1d", ("/srv/app/cart.go", 42, None)),
    "Swift": ("Fatal error: Index out of range: file Shop/Cart.swift, line 42", ("Shop/Cart.swift", 42, None)),
    "Swift, with the place first": ("Shop/Cart.swift:42: Fatal error: nil", ("Shop/Cart.swift", 42, None)),
    "Swift, a backtrace": ("0 total() + 12 in Shop at /src/Cart.swift:42:13", ("/src/Cart.swift", 42, 13)),
    "Swift, symbols": ("0   Shop   0x0104 $s4Shop5total + 120 (Cart.swift:42)", ("Cart.swift", 42, None)),
    "Dart": ("#0      Cart.total (package:shop/cart.dart:42:13)", ("package:shop/cart.dart", 42, 13)),
    "Rust": ("   0: shop::total\n             at ./src/cart.rs:42:5", ("./src/cart.rs", 42, 5)),
    "JavaScript from a package of a version": (
        "E: x\n    at https://cdn.example/npm/cart@3.7.1/cart.js:2:1",
        ("https://cdn.example/npm/cart@3.7.1/cart.js", 2, 1),
    ),
    "Firefox, evaluated": ("f@https://a.example/b.js line 12 > eval:4:1", ("https://a.example/b.js", 12, None)),
    "Chrome, evaluated": (
        "E: x\n    at eval (eval at f (https://a.example/b.js:4:2), <anonymous>:1:1)",
        ("https://a.example/b.js", 4, 2),
    ),
    "Android, obfuscated": (
        "X: no\n\tat a.b.c(SourceFile:42)\n\tat android.os.X.y(X.java:1)",
        ("SourceFile", 42, None),
    ),
    "Clojure": (" at shop.cart$total.invokeStatic (cart.clj:42)", ("cart.clj", 42, None)),
    "Mono": ("X: no\n  at Shop.Cart.Total (Int32 n) [0x00012] in /src/Cart.cs:42 ", ("/src/Cart.cs", 42, None)),
    "Unity": ("X: no\nShop.Cart.Total () (at Assets/Cart.cs:42)", ("Assets/Cart.cs", 42, None)),
    "Perl": ("no item at /srv/lib/Cart.pm line 42.", ("/srv/lib/Cart.pm", 42, None)),
    "Perl, with a handle": ("no item at lib/Cart.pm line 42, <STDIN> line 3.", ("lib/Cart.pm", 42, None)),
    "Lua": ("lua: cart.lua:42: no item\nstack traceback:\n\t[C]: in ?", ("cart.lua", 42, None)),
    "Erlang": ('[{maps,get,[a]},{cart,total,1,[{file,"src/cart.erl"},{line,42}]}]', ("src/cart.erl", 42, None)),
    "Erlang's shell": (
        "** exception error: no\n  in call from cart:total/1 (cart.erl, line 42)",
        ("cart.erl", 42, None),
    ),
    "OCaml": ('Raised at Cart.total in file "src/cart.ml", line 42, characters 5-20', ("src/cart.ml", 42, None)),
    "Python, without a head": (
        '  File "/srv/a.py", line 1, in f\n  File "/srv/b.py", line 2, in g',
        ("/srv/b.py", 2, None),
    ),
    "loguru": ('Traceback\n  File "/srv/a.py", line 1, in f\n> File "/srv/b.py", line 2, in g', ("/srv/b.py", 2, None)),
    "Elixir": ("    (shop 0.1.0) lib/shop/cart.ex:42: Shop.Cart.total/1", ("lib/shop/cart.ex", 42, None)),
}

LIBRARIES_FIRST = {
    "Python": (
        (
            'Traceback (most recent call last):\n  File "/srv/app.py", line 9, in f\n    get()\n'
            '  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode\n    raise\n'
            '  File "/venv/lib/python3.11/site-packages/lib/x.py", line 2, in g\n    raise\nValueError: no\n'
        ),
        ("/srv/app.py", 9),
    ),
    "Node.js": (
        "E: x\n    at a (/srv/node_modules/pg/lib/client.js:1:2)\n    at b (node:net:3:4)\n    at c (/srv/app.js:5:6)",
        ("/srv/app.js", 5),
    ),
    "webpack": (
        "E: x\n    at a (webpack://shop/./node_modules/react-dom/index.js:1:2)\n    at b (webpack://shop/./src/a.js:5:6)",
        ("webpack://shop/./src/a.js", 5),
    ),
    "a browser extension": (
        "E: x\n    at a (chrome-extension://abc/a.js:1:2)\n    at https://a.example/b.js:5:6",
        ("https://a.example/b.js", 5),
    ),
    "Java": (
        (
            "X: no\n\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)\n"
            "\tat org.springframework.util.Assert.notNull(Assert.java:201)\n\tat com.shop.Cart.total(Cart.java:42)"
        ),
        ("Cart.java", 42),
    ),
    ".NET": (
        (
            "X: no\n   at System.Linq.Enumerable.First() in /_/src/Linq/First.cs:line 3\n"
            "   at Shop.Cart.Total() in /src/Cart.cs:line 42"
        ),
        ("/src/Cart.cs", 42),
    ),
    "PHP": (
        "no in /srv/vendor/guzzle/Client.php:7\n#0 /srv/vendor/guzzle/a.php(3): x()\n#1 /srv/Cart.php(42): get()",
        ("/srv/Cart.php", 42),
    ),
    "Ruby": (
        "/usr/lib/ruby/3.2.0/json.rb:7:in 'parse': no\n\tfrom /gems/a/a.rb:3:in 'b'\n\tfrom /srv/cart.rb:42:in 'c'",
        ("/srv/cart.rb", 42),
    ),
    "Go": (
        (
            "goroutine 1 [running]:\nruntime/debug.Stack()\n\t/usr/local/go/src/runtime/debug/stack.go:24 +0x5e\n"
            "x.RecordError()\n\t/go/pkg/mod/go.opentelemetry.io/otel/span.go:4 +0x5\nmain.total()\n\t/srv/cart.go:42"
        ),
        ("/srv/cart.go", 42),
    ),
    "Go, with short paths": (
        "net/http.f()\n\tnet/http/server.go:18\n\ta.example/gin@v1.9.1/gin.go:4\n\ta.example/shop/a.go:42",
        ("a.example/shop/a.go", 42),
    ),
    "Go of a package manager": (
        "encoding/json.f()\n\t/opt/brew/go/1.22.0/libexec/src/encoding/json/a.go:55\nmain.f()\n\t/srv/cart.go:42",
        ("/srv/cart.go", 42),
    ),
    "Rust": (
        "0: a::b\n  at /root/.cargo/registry/src/i/anyhow-1.0.75/src/error.rs:83:36\n1: shop\n  at ./src/cart.rs:42:9",
        ("./src/cart.rs", 42),
    ),
    "Elixir": (
        (
            "    (elixir 1.15.7) lib/map.ex:535: Map.fetch!/2\n    (phoenix_live_view 0.20) lib/a.ex:1: A.b/1\n"
            "    (shop 0.1.0) lib/shop/cart.ex:42: Shop.Cart.total/1"
        ),
        ("lib/shop/cart.ex", 42),
    ),
    "AWS Lambda": (
        (
            'Traceback (most recent call last):\n  File "/var/task/app.py", line 42, in f\n'
            '  File "/var/runtime/botocore/client.py", line 5, in g\nValueError: no\n'
        ),
        ("/var/task/app.py", 42),
    ),
    "a package of a version": (
        "E: x\n    at a (https://cdn.example/npm/jquery@3.7.1/jquery.js:2:1)\n    at b (https://a.example/b.js:5:6)",
        ("https://a.example/b.js", 5),
    ),
    "no application": ("E: x\n    at a (node:net:3:4)\n    at b (node:events:5:6)", ("node:net", 3)),
}


GROUP = """import traceback
def failed(error):
    try:
        raise error
    except Exception as caught:
        return caught
try:
    raise ExceptionGroup("two", [failed(ValueError("in a task")), failed(KeyError("sku"))])
except ExceptionGroup as group:
    stack = "".join(traceback.format_exception(group))
"""


@pytest.mark.parametrize("row", FIRST_IS_APPLICATION)
def test_file_and_line_are_read_from_stacks_of_many_languages(row: str) -> None:
    """Not only from JavaScript's and Python's."""
    stack, expected = FIRST_IS_APPLICATION[row]
    assert application_frame(stack) == expected


@pytest.mark.parametrize("row", LIBRARIES_FIRST)
def test_the_frame_is_the_application_s_where_it_is_known(row: str) -> None:
    """Else the innermost one."""
    stack, expected = LIBRARIES_FIRST[row]
    found = application_frame(stack)
    assert found is not None
    assert found[:2] == expected


@pytest.mark.parametrize(
    "text", ["", "no stack", "at 12:34:56", "Error: at https://a.example:3000", "key: value: 1:2", "1:2:3", "a (b) c:"]
)
def test_a_text_without_frames_has_none(text: str) -> None:
    """Times and ports are no lines."""
    assert application_frame(text) is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_a_group_has_its_members() -> None:
    """A bar stands before each line of their tracebacks."""
    namespace: dict[str, Any] = {}
    exec(compile(GROUP, "/srv/group.py", "exec"), namespace)
    chain = chain_of(namespace["stack"], "ExceptionGroup")
    assert [(one.type, one.message) for one in chain.members] == [("ValueError", "in a task"), ("KeyError", "'sku'")]
    assert chain.place == "group.py:8"
    assert application_frame(namespace["stack"]) == ("/srv/group.py", 4, None)


def test_only_a_direct_cause_is_part_of_the_chain() -> None:
    """An exception in a handler is another error."""
    for is_direct, expected in ((True, ["ValueError"]), (False, [])):
        try:
            try:
                int("first")
            except ValueError as error:
                if is_direct:
                    raise RuntimeError("second") from error
                raise RuntimeError("second")  # noqa: B904 - the other form
        except RuntimeError as caught:
            stack = "".join(traceback.format_exception(caught))
        assert [one.type for one in chain_of(stack, "RuntimeError").causes] == expected
        assert raised_of(stack) == ("RuntimeError", "second")


CUT = """  File "/srv/a.py", line 1, in f
ValueError: first

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/b.py", line 2, in g
KeyError: second"""
"""The end of a long stack."""


def test_a_stack_whose_beginning_was_cut_is_no_group() -> None:
    """It has the chain of what is left."""
    assert chain_of(CUT, "ValueError") == ("a.py:1", (), ())
    assert [one.type for one in chain_of(CUT, "KeyError").causes] == ["ValueError"]


def test_a_line_before_a_traceback_is_no_exception() -> None:
    """A logger wrote it."""
    stack = f"LookupError: no order\nTraceback (most recent call last):\n{CUT}"
    assert chain_of(stack, "LookupError") == chain_of(stack, "KeyError")


def test_a_message_that_names_a_file_is_no_python_traceback() -> None:
    """Its frames have the form of another language."""
    stack = 'java.io.FileNotFoundException: File "a.txt" is missing\n\tat shop.Cart.open(Cart.java:4)'
    assert chain_of(stack, "FileNotFoundException").place == "Cart.java:4"


def test_causes_of_the_jvm_are_part_of_the_chain() -> None:
    """With the frame that raised them."""
    stack = "a.Outer: o\n\tat a.B.c(B.java:1)\nCaused by: a.Inner: i\n\tat a.D.e(D.java:2)\n\t... 9 more"
    (cause,) = chain_of(stack, "Outer").causes
    assert cause == ("Inner", "i", "D.java:2")


@given(
    st.text()
    | st.lists(st.sampled_from([*"|+ -@(:/.1", "at ", 'File "', "\n", "Traceback (most recent call last):"])).map(
        "".join
    )
)
def test_any_text_can_be_searched(text: str) -> None:
    """Clients choose it."""
    application_frame(text)
    chain_of(text, "X")
    raised_of(text)


@pytest.mark.parametrize("part", ["@", "a@", "at (", "a:1:", "x ", "x in ", '  File "x', "/a.go:"])
def test_a_long_line_is_cut(part: str) -> None:
    """Minified code and messages make lines of any length; patterns see the first part only."""
    assert application_frame(part * 100_000 + "\n    at f (/srv/app.js:4:2)") in {None, ("/srv/app.js", 4, 2)}
