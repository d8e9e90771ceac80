"""Exceptions that are no errors: answers of frameworks, cancellations, and those of calls to other services."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanContext, SpanKind

from tests.logs import make_log
from tests.mapping.event_drafts import types
from tests.spans import exception_event, make_span

ERROR = "js_error_event"
GRPC_CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""In the order of their numbers: https://grpc.github.io/grpc/core/md_doc_statuscodes.html"""

ANSWERS = [
    ("fastapi.exceptions.HTTPException", "404: no such order"),
    ("starlette.exceptions.HTTPException", "401: Unauthorized"),
    ("fastapi.exceptions.RequestValidationError", "1 validation error"),
    ("werkzeug.exceptions.NotFound", "404 Not Found: The requested URL was not found"),
    ("werkzeug.routing.exceptions.RequestRedirect", "308 Permanent Redirect: None"),
    ("werkzeug.exceptions.BadRequestKeyError", "400 Bad Request: 'name'"),
    ("aiohttp.web_exceptions.HTTPFound", "Found"),
    ("aiohttp.web_exceptions.HTTPConflict", "Conflict"),
    ("django.http.response.Http404", "No Order matches the given query."),
    ("django.core.exceptions.PermissionDenied", ""),
    ("rest_framework.exceptions.NotAuthenticated", "Authentication credentials were not provided."),
    ("rest_framework.exceptions.MethodNotAllowed", 'Method "PUT" not allowed.'),
    ("falcon.errors.HTTPNotFound", "<HTTPNotFound: 404 Not Found>"),
    ("tornado.web.HTTPError", "HTTP 403: Forbidden"),
    ("pyramid.httpexceptions.HTTPSeeOther", "The resource was found at /new"),
    ("grpc.aio.AbortError", ""),
    ("AbortError", "Locally aborted."),
    ("HTTPException", "409: exists"),
    ("NotFoundException", "Cannot GET /x"),
    (r"Symfony\Component\HttpKernel\Exception\NotFoundHttpException", "No route found"),
    ("org.springframework.web.server.ResponseStatusException", '404 NOT_FOUND "no such order"'),
    ("ActiveRecord::RecordNotFound", "Couldn't find Order with 'id'=4"),
    ("HTTPTooManyRequests", "slow down"),
    ("shop.http.HttpGone", "moved"),
    ("ConflictException", "exists"),
    ("UnprocessableEntityException", "no sku"),
    ("http_errors.UnsupportedMediaTypeError", "csv"),
    ("io.javalin.http.NotFoundResponse", "Not found"),
    ("io.micronaut.http.exceptions.HttpStatusException", "no order"),
    (r"Slim\Exception\HttpNotFoundException", "Not found."),
    (r"yii\web\NotFoundHttpException", "Page not found."),
    ("org.springframework.security.authentication.BadCredentialsException", "Bad credentials"),
    ("org.springframework.http.converter.HttpMessageNotReadableException", "JSON parse error"),
    ("Phoenix.Router.NoRouteError", "no route found for GET /x"),
    ("rest_framework.serializers.ValidationError", "[ErrorDetail(string='required')]"),
    ("rest_framework_simplejwt.exceptions.InvalidToken", "Token is invalid"),
    ("flask_wtf.csrf.CSRFError", "400 Bad Request: The CSRF token is missing."),
    ("slowapi.errors.RateLimitExceeded", "429: 5 per 1 minute"),
    ("Error", "NEXT_REDIRECT;replace;/login;307;"),
    ("Error", "NEXT_HTTP_ERROR_FALLBACK;404"),
]
ERRORS = [
    ("KeyError", "'sku'"),
    ("builtins.ValueError", "404"),
    ("google.api_core.exceptions.NotFound", "404 no bucket"),
    ("requests.exceptions.HTTPError", "404 Client Error: Not Found for url: https://a.example/"),
    ("fastapi.exceptions.HTTPException", "500: boom"),
    ("fastapi.exceptions.ResponseValidationError", "1 validation error"),
    ("werkzeug.exceptions.InternalServerError", "500 Internal Server Error"),
    ("aiohttp.web_exceptions.HTTPServiceUnavailable", "Service Unavailable"),
    ("rest_framework.exceptions.APIException", "A server error occurred."),
    ("Locked", "held by process 7"),
    ("shop.ConflictError", "two writers"),
    ("shop.OrderNotFound", "4711"),
    ("botocore.errorfactory.NotFoundException", "no such table"),
]


@pytest.mark.parametrize(("kind", "message"), ANSWERS)
@pytest.mark.parametrize("status", [302, 404, 422])
def test_an_answer_of_a_framework_is_no_error(kind: str, message: str, status: int) -> None:
    """Neither on the request's span nor on one below it."""
    raised = [exception_event(kind, message)]
    request = {"http.request.method": "POST", "http.route": "/orders", "http.response.status_code": status}
    served = make_span("POST /orders", request, kind=SpanKind.SERVER, events=raised)
    assert ERROR not in types(served)
    assert types(make_span("load", parent=served, events=raised)) == ["load"]


@pytest.mark.parametrize(("kind", "message"), ERRORS)
def test_any_other_exception_below_a_request_is_an_error(kind: str, message: str) -> None:
    """Answers of 500 and above too, and those of the clients of other services."""
    raised = [exception_event(kind, message)]
    served = make_span("POST /orders", kind=SpanKind.SERVER)
    assert types(make_span("load", parent=served, events=raised)) == ["load", ERROR]


@pytest.mark.parametrize("kind", ["Exception", "grpc.aio.AbortError"])
@pytest.mark.parametrize(
    ("code", "is_error"),
    [
        ({"rpc.grpc.status_code": 5}, False),
        ({"rpc.grpc.status_code": "16"}, False),
        ({"rpc.response.status_code": "PERMISSION_DENIED"}, False),
        ({"rpc.grpc.status_code": 13}, True),
        ({"rpc.grpc.status_code": 0}, True),
        ({"rpc.grpc.status_code": [5]}, True),
        ({"rpc.response.status_code": "UNAVAILABLE"}, True),
    ],
    ids=str,
)
def test_a_call_that_grpc_refused_is_no_error(kind: str, code: dict[str, Any], *, is_error: bool) -> None:
    """Both of its servers' `context.abort` raise; a call with the code of a broken server is an error."""
    span = make_span("x/y", {"rpc.system": "grpc", **code}, kind=SpanKind.SERVER, events=[exception_event(kind, "")])
    assert (ERROR in types(span)) is is_error


def test_the_codes_of_a_broken_server_are_errors_and_all_others_are_answers() -> None:
    """By number and by name, as OpenTelemetry's conventions for gRPC say."""
    broken = {"OK", "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
    for number, code in enumerate(GRPC_CODES):
        for value in (number, code):
            attributes = {"rpc.system": "grpc", "rpc.grpc.status_code": value}
            events = [exception_event("grpc.aio.AbortError")]
            span = make_span("x/y", attributes, kind=SpanKind.SERVER, events=events)
            assert (ERROR in types(span)) is (code in broken), code


def test_a_bare_exception_of_another_call_is_an_error() -> None:
    """It has a message, or no call was refused."""
    refused = {"rpc.system": "grpc", "rpc.grpc.status_code": 5}
    for attributes, message in ((refused, "no"), ({}, "")):
        raised = [exception_event("Exception", message)]
        assert ERROR in types(make_span("x/y", attributes, kind=SpanKind.SERVER, events=raised))


@pytest.mark.parametrize(
    ("kind", "status", "is_error"),
    [
        ("com.acme.CartNotFoundException", 404, False),
        ("Elixir.Ecto.NoResultsError", 404, False),
        ("*echo.HTTPError", 404, False),
        ("ZodError", 400, False),
        ("jwt.exceptions.ExpiredSignatureError", 401, False),
        (r"Illuminate\Session\TokenMismatchException", 419, False),
        ("marshmallow.exceptions.ValidationError", 422, False),
        ("System.Collections.Generic.KeyNotFoundException", 404, True),
        ("FileNotFoundError", 404, True),
        ("docker.errors.NotFound", 404, True),
        ("ZodError", 404, True),
        ("ZodError", 500, True),
        ("com.acme.CartNotFoundException", 500, True),
    ],
)
def test_an_exception_that_says_the_same_as_the_status_is_the_answer(kind: str, status: int, *, is_error: bool) -> None:
    """Applications raise their own, and libraries of validation and sessions theirs."""
    attributes = {"http.request.method": "GET", "http.route": "/carts/{id}", "http.response.status_code": status}
    span = make_span("GET", attributes, kind=SpanKind.SERVER, events=[exception_event(kind)])
    assert (ERROR in types(span)) is is_error


@pytest.mark.parametrize(("kind", "message"), [("KeyError", "'sku'"), ("requests.exceptions.HTTPError", "404")])
def test_an_exception_behind_a_404_is_an_error(kind: str, message: str) -> None:
    """The framework did not raise it."""
    request = {"http.request.method": "GET", "http.route": "/x", "http.response.status_code": 404}
    span = make_span("GET /x", request, kind=SpanKind.SERVER, events=[exception_event(kind, message)])
    assert types(span) == ["http_event", ERROR]


def test_an_answer_that_became_a_500_is_an_error() -> None:
    """The status of the request decides on its own span."""
    request = {"http.request.method": "GET", "http.route": "/x", "http.response.status_code": 500.0}
    raised = [exception_event("fastapi.exceptions.HTTPException", "404: gone")]
    assert types(make_span("GET /x", request, kind=SpanKind.SERVER, events=raised)) == ["http_event", ERROR]


@pytest.mark.parametrize("kind", [SpanKind.INTERNAL, SpanKind.CONSUMER])
@pytest.mark.parametrize("is_remote", [False, True])
def test_an_answer_without_a_request_is_an_error(kind: SpanKind, *, is_remote: bool) -> None:
    """A job has no client to answer."""
    remote = SpanContext(77, 76, is_remote=True) if is_remote else None
    raised = [exception_event("fastapi.exceptions.HTTPException", "404: no such order")]
    assert types(make_span("job", kind=kind, parent=remote, events=raised)) == ["job", ERROR]


def test_a_logged_answer_is_no_error() -> None:
    """Django logs a 404 as a warning, with its exception."""
    attributes = {"exception.type": "Http404", "exception.message": "no"}
    assert types(make_log(None, attributes, body="Not Found: /x", severity=SeverityNumber.WARN)) == []


@pytest.mark.parametrize("kind", [SpanKind.CLIENT, SpanKind.PRODUCER])
def test_an_exception_of_a_call_is_reported_by_the_span_that_it_reaches(kind: SpanKind) -> None:
    """If none of them has it, it was handled, as redis-py handles `NoScriptError`."""
    raised = [exception_event("redis.exceptions.NoScriptError", "No matching script")]
    work = make_span("work", events=raised)
    assert ERROR not in types(make_span("EVALSHA", kind=kind, parent=work, events=raised))
    assert types(work) == ["work", ERROR]
    remote = SpanContext(77, 76, is_remote=True)
    for parent in (None, remote):
        assert ERROR in types(make_span("EVALSHA", kind=kind, parent=parent, events=raised)), "there is no such span"


@pytest.mark.parametrize(
    ("kind", "message", "is_error"),
    [
        ("asyncio.exceptions.CancelledError", "", False),
        ("CancelledError", "", False),
        ("kotlinx.coroutines.JobCancellationException", "Job was cancelled", False),
        ("java.util.concurrent.CancellationException", "", False),
        ("System.OperationCanceledException", "The operation was canceled.", False),
        ("AbortError", "The user aborted a request.", False),
        ("starlette.requests.ClientDisconnect", "", False),
        ("GeneratorExit", "", False),
        ("KeyboardInterrupt", "", False),
        ("click.exceptions.Exit", "0", False),
        ("click.exceptions.Abort", "", False),
        ("click.exceptions.ClickException", "no such file", True),
        ("System.Threading.Tasks.TaskCanceledException", "canceled due to the configured HttpClient.Timeout", True),
        ("TimeoutError", "", True),
        ("ConnectionAbortedError", "Software caused connection abort", True),
    ],
)
def test_cancelled_work_is_no_error(kind: str, message: str, *, is_error: bool) -> None:
    """A time-out is one."""
    assert types(make_span("work", events=[exception_event(kind, message)])) == ["work", *[ERROR] * is_error]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([("HTTPException", "404: no order")], []),
        ([("HTTPException", "404: no order"), ("asyncio.exceptions.CancelledError", "")], []),
        ([("HTTPException", "404: no order"), ("KeyError", "'sku'")], [ERROR]),
    ],
)
def test_a_group_of_answers_is_an_answer(members: list[tuple[str, str]], expected: list[str]) -> None:
    """Task groups of web frameworks raise groups, also of a single exception."""
    raised = "".join(
        f"  +-+---------------- {number} ----------------\n    | Traceback (most recent call last):\n"
        f'    |   File "/srv/app.py", line {number}, in order\n    | {kind}{message and f": {message}"}\n'
        for number, (kind, message) in enumerate(members, 1)
    )
    stack = (
        '  + Exception Group Traceback (most recent call last):\n  |   File "/srv/app.py", line 9, in run\n'
        f"  | ExceptionGroup: unhandled errors in a TaskGroup ({len(members)} sub-exceptions)\n{raised}"
        "    +------------------------------------\n"
    )
    group = exception_event("ExceptionGroup", f"unhandled errors in a TaskGroup ({len(members)} sub-exceptions)", stack)
    request = {"http.request.method": "GET", "http.response.status_code": 404, "http.route": "/x"}
    assert types(make_span("GET /x", request, kind=SpanKind.SERVER, events=[group])) == ["http_event", *expected]
