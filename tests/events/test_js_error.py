"""Exceptions as RUM's errors."""

from otel_rum_exporter.events.js_error import fingerprint, js_error_details

STACK = """Traceback (most recent call last):
  File "/app/outer.py", line 3, in outer
    inner()
  File "/app/inner.py", line 12, in inner
    raise ValueError("no")
ValueError: no
"""


def exception(stack: str = STACK, message: str = "no") -> dict[str, str]:
    """Make the attributes of a recorded exception."""
    return {"exception.type": "ValueError", "exception.message": message, "exception.stacktrace": stack}


def test_a_python_exception_tells_the_line_that_raised_it() -> None:
    """The innermost frame is the last of a Python traceback."""
    assert js_error_details(exception(), 4000) == {
        "version": "1.0.0",
        "type": "ValueError",
        "message": "no",
        "filename": "/app/inner.py",
        "lineno": 12,
        "stack": STACK,
    }


def test_a_javascript_stack_stays_as_it_is() -> None:
    """RUM maps it to sources itself."""
    stack = "TypeError: x\n    at f (https://a.example/app.js:1:20)"
    details = js_error_details(exception(stack), 4000)
    assert details["stack"] == stack
    assert "filename" not in details


def test_message_and_type_are_always_text() -> None:
    """RUM refuses an error whose message is none, whatever the application recorded."""
    assert js_error_details({"exception.message": 42}, 4000) == {"version": "1.0.0", "type": "Error", "message": ""}


def test_one_exception_on_nested_spans_has_one_fingerprint() -> None:
    """Python records it on each span, with more frames at the beginning."""
    head, _, tail = STACK.partition("\n")
    longer = f'{head}\n  File "/app/main.py", line 1, in <module>\n    outer()\n{tail}'
    assert fingerprint("t", exception()) == fingerprint("t", exception(longer))
    assert fingerprint("t", exception()) != fingerprint("t", exception(message="other"))
    assert fingerprint("t", exception()) != fingerprint("u", exception())
