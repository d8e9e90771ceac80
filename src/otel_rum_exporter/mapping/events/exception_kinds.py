"""Exceptions that are no errors: answers of web frameworks below 500, and cancellations.

They are known by type and message, apart from `js_error`, because requests need the same decisions.
"""

from __future__ import annotations

import re
from functools import cache

from ..._pattern import lazy_pattern
from ..caches import cache_short_texts
from ..record_view import SERVER, View
from ..span_view import SpanView

ANSWER_MODULES = (
    *(
        "werkzeug.exceptions",
        "werkzeug.routing",
        "aiohttp.web_exceptions",
        "starlette.exceptions",
        "fastapi.exceptions",
        "falcon",
    ),
    *("rest_framework.exceptions", "pyramid.httpexceptions", "webob.exc", "sanic.exceptions", "litestar.exceptions"),
    *("quart.exceptions", "ninja.errors", "blacksheep.exceptions", "chalice.app", "grpc.aio"),
    *("flask_smorest", "flask_restful", "flask_restx", "cherrypy", "tornado.web", "bottle", "django.http.response"),
    *("jakarta.ws.rs", "javax.ws.rs", "org.springframework.web", "org.springframework.security.access"),
    *("io.ktor.server.plugins", "Symfony.Component.HttpKernel.Exception", "Illuminate.Auth", "Illuminate.Validation"),
    *("Illuminate.Session", "Illuminate.Http", "Illuminate.Routing", "Ecto", "Pundit", "CanCan", "echo", "fiber"),
    *("Microsoft.AspNetCore.Http", "ActionController", "ActionDispatch", "Rack", "Sinatra", "Plug", "Phoenix.Router"),
    *("rest_framework", "rest_framework_simplejwt", "ninja_extra", "flask_limiter", "flask_jwt_extended", "flask_wtf"),
    "connexion",  # codespell:ignore connexion
    "io.vertx.ext.web",  # codespell:ignore vertx
    *("slowapi.errors", "webargs", "microdot", "emmett.http", "web.webapi", "robyn.exceptions"),
    *("org.springframework.http", "org.springframework.security", "io.micronaut.http", "io.javalin.http", "io.helidon"),
    *("Slim.Exception", "yii.web", "Cake.Http.Exception", "CodeIgniter.Exceptions", "Grape"),
)
"""Modules and packages whose exceptions are answers to the request."""

ANSWER_NAMES = frozenset(
    {
        *("HTTPException", "HttpException", "Http404", "HTTPFound", "HTTPSeeOther", "HTTPNotFound", "HTTPForbidden"),
        *(
            "NotAuthenticated",
            "AuthenticationFailed",
            "MethodNotAllowed",
            "RequestValidationError",
            "BadRequestKeyError",
        ),
        *(
            "PermissionDenied",
            "BadRequest",
            "Forbidden",
            "NotFound",
            "Unauthorized",
            "SuspiciousOperation",
            "HttpError",
        ),
        *("DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent", "ResponseStatusException", "AbortError"),
        *("NotFoundException", "BadRequestException", "ForbiddenException", "UnauthorizedException", "RecordNotFound"),
        *("NotFoundHttpException", "ModelNotFoundException", "ValidationException", "RoutingError", "Redirect"),
        *("NotFoundError", "BadRequestError", "ForbiddenError", "UnauthorizedError", "TooManyRequests", "Gone"),
    }
)
"""Names of such exceptions, for types without a module and for classes that applications derive."""

_REFUSALS = (
    *("BadRequest", "Unauthori[sz]ed", "Forbidden", "(?:Page|Route)?NotFound", "MethodNotAllowed", "NotAcceptable"),
    *("Gone", "PayloadTooLarge", "UnsupportedMediaType", "UnprocessableEntity", "UnprocessableContent"),
    *("TooManyRequests", "RateLimitExceeded"),
)
_OTHER_ANSWERS = (
    *(
        "MultipleChoices",
        "Moved\\w*",
        "Found",
        "SeeOther",
        "NotModified",
        "UseProxy",
        "\\w+Redirect",
        "PaymentRequired",
    ),
    *("ProxyAuthenticationRequired", "RequestTimeout", "Conflict", "LengthRequired", "PreconditionFailed", "Locked"),
    *("\\w*TooLarge", "\\w*TooLong", "\\w*NotSatisfiable", "ExpectationFailed", "ImATeapot", "MisdirectedRequest"),
    *("FailedDependency", "TooEarly", "UpgradeRequired", "Precondition\\w+", "UnavailableForLegalReasons"),
)
ANSWER_PHRASES = (
    rf"(?:HTTP|Http)_?(?:{'|'.join((*_REFUSALS, *_OTHER_ANSWERS))})(?:Error|Exception|Response|Problem)?"
    rf"|(?:{'|'.join(_REFUSALS)})(?:(?:HTTP|Http)?(?:Error|Exception)|Response|Problem)?"
    rf"|(?:{'|'.join(_OTHER_ANSWERS)})(?:(?:HTTP|Http)(?:Error|Exception)|Response)|ConflictException"
)
"""Names that frameworks make of statuses' phrases. Few phrases can stand alone: `Locked` is also a state of files.

Compiled at the first exception, because that takes a millisecond.
"""

ANSWERS_OF_STATUS: dict[int, str] = {
    400: r"Validation|BadRequest|Invalid\w*(?:Request|Input|Param)|UserInput|Zod|Malformed",
    401: r"Unauth|Authentication|Credential|Token|Jwt|JWT|Signature",
    403: r"Forbidden|AccessDenied|PermissionDenied|NotAuthorized|C[Ss][Rr][Ff]",
    404: r"(?<!Key)(?<!File)(?<!Class)(?<!Module)(?<!Method)(?<!Library)NotFound|DoesNotExist|NoResult|NoRoute",
    409: r"Conflict|AlreadyExists|Duplicate",
    410: r"Gone|Expired",
    413: r"TooLarge",
    419: r"C[Ss][Rr][Ff]|Token",
    422: r"Validation|Unprocessable|Invalid|Zod",
    429: r"TooMany|Throttl|RateLimit",
}
"""By the status of a request served, words with the same meaning in names of exceptions that applications define."""

_NEXT = ("NEXT_REDIRECT", "NEXT_NOT_FOUND", "NEXT_HTTP_ERROR_FALLBACK")
"""Messages with which Next.js leaves a page for another."""

FOREIGN_MODULES = (
    *("google", "grpc._channel", "docker", "elasticsearch", "opensearchpy", "botocore", "boto3", "azure", "kubernetes"),
    *("requests", "httpx", "urllib", "urllib3", "openai", "anthropic", "stripe", "redis", "pymongo", "sqlalchemy"),
)
"""Modules of clients of other services: their exceptions have the same names, but are not this request's answer."""

SERVER_ERROR_NAMES = lazy_pattern(
    r"InternalServerError|InternalError|NotImplemented|BadGateway|Unavailable|GatewayTimeout|VersionNotSupported"
    r"|InsufficientStorage|LoopDetected|ServerError|ResponseValidationError|FastAPIError|^APIException|Invalid\w*Type"
)
"""Answers of 500 and above, which are errors."""

CANCELLATIONS = frozenset(
    {
        *("AbortError", "CancelledError", "CanceledError", "CancellationException", "JobCancellationException"),
        *("OperationCanceledException", "TaskCanceledException", "CancellationError", "ClientDisconnect"),
        *(
            "GeneratorExit",
            "KeyboardInterrupt",
            "SystemExit",
            "Exit",
            "Abort",
            "NS_BINDING_ABORTED",
            "ERR_CANCELED",
            "ERR_ABORTED",
        ),
        *("NSURLErrorCancelled", "cancelled", "canceled", "abort", "aborted"),
    }
)
"""Types of exceptions with which work is cancelled, and browsers' names of aborted requests."""

RPC_CODES = frozenset({"rpc.response.status_code", "rpc.grpc.status_code"})
RPC_REFUSALS = frozenset(
    {
        *(1, 3, 5, 6, 7, 8, 9, 10, 11, 16),
        *("CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"),
        *("FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNAUTHENTICATED"),
    }
)
"""Codes of gRPC that are no errors of the server: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/"""

_STATUS = lazy_pattern(r"(?:HTTP |<HTTP\w{1,40}: |\()?([1-5][0-9]{2})\b")
"""The status at the start of a message, as in `404: gone`, `HTTP 404: …` or `<HTTPGone: 410 …>`."""

_CANCELLED = lazy_pattern(
    r"aborted a request|\b(?:operation|signal|fetch|request|task|job)\b.{0,40}?\b(?:aborted|cancel(?:l)?ed)\b"
    r"|context canceled|^\W*(?:abort(?:ed)?|cancel(?:l)?ed)\W*$",
    re.IGNORECASE,
)
_TIMED_OUT = lazy_pattern(r"time[- ]?d?[- ]?out|deadline", re.IGNORECASE)
_MAX_CHARS = 300
MAX_CACHED_TYPES = 256


@cache_short_texts(MAX_CACHED_TYPES, _MAX_CHARS)
def _is_always_error(kind: str) -> bool:
    return not (_is_answer_type(kind) or _is_cancellation_type(kind) or kind.endswith("ExceptionGroup"))


def is_usual_error(view: View, kind: str, message: str) -> bool:
    """Return whether an exception is an error by its type alone: neither an answer, nor a cancellation, nor a group.

    Nearly all exceptions are, and one look-up decides it. False for requests served: `is_answer` decides there.
    """
    return _is_always_error(kind) and view.kind is not SERVER and not message.startswith(_NEXT)


def is_answer(view: View, kind: str, message: str) -> bool:
    """Return whether an exception is a framework's answer below 500, which the status of the request reports.

    It needs a request: on the first span of a process that is no request served, such an exception is an error.
    """
    is_aborted = not message and kind.rpartition(".")[2] == "Exception"  # as gRPC's `context.abort` raises
    if not (
        _is_answer_type(kind)
        or (view.kind is SERVER and _says_the_same(kind, view.status() or 0))
        or message.startswith(_NEXT)
        or (is_aborted and view.kind is SERVER and view.keys.has(RPC_CODES))
    ):
        return False
    if view.kind is SERVER:
        status = view.status()
        if status:
            return status < 500
        if view.keys.has(RPC_CODES):
            return (view.integer(*RPC_CODES) or view.text(*RPC_CODES)) in RPC_REFUSALS
    elif view.is_local_root and isinstance(view, SpanView):
        return False
    return not _is_server_error(kind, message)


def is_cancellation(kind: str, message: str) -> bool:
    """Return whether an exception of this type and message cancels work; a time-out is a failure.

    gRPC's AbortError is an answer, with a status of its own.
    """
    return _is_cancellation_type(kind) and not _TIMED_OUT.search(message[:_MAX_CHARS])


def is_cancelled_message(message: str) -> bool:
    """Return whether a text says that a request was aborted or cancelled, and not that it timed out."""
    start = message[:_MAX_CHARS]
    return bool(_CANCELLED.search(start)) and not _TIMED_OUT.search(start)


@cache_short_texts(MAX_CACHED_TYPES, _MAX_CHARS)
def _is_answer_type(kind: str) -> bool:
    module, _, name = _dotted(kind).rpartition(".")
    if _is_in(module, FOREIGN_MODULES):
        return _is_in(module, ANSWER_MODULES)
    return _is_in(module, ANSWER_MODULES) or name in ANSWER_NAMES or re.fullmatch(ANSWER_PHRASES, name) is not None


@cache_short_texts(MAX_CACHED_TYPES, _MAX_CHARS)
def _is_cancellation_type(kind: str) -> bool:
    return not kind.startswith("grpc.") and kind.replace("\\", ".").rpartition(".")[2] in CANCELLATIONS


def _dotted(kind: str) -> str:
    """Return a type with dots between its module and its name: other languages have other separators and prefixes."""
    return kind.replace("\\", ".").replace("::", ".").removeprefix("*").removeprefix("Elixir.")


def _says_the_same(kind: str, status: int) -> bool:
    """Return whether an exception's name says the same as the status of the answer."""
    words = ANSWERS_OF_STATUS.get(status)
    module, _, name = _dotted(kind[:_MAX_CHARS]).rpartition(".")
    return words is not None and not _is_in(module, FOREIGN_MODULES) and re.search(words, name) is not None


def _is_in(module: str, modules: tuple[str, ...]) -> bool:
    return module in modules or module.startswith(_prefixes(modules))


@cache
def _prefixes(modules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{one}." for one in modules)


def _is_server_error(kind: str, message: str) -> bool:
    """Return whether an answer has a status of 500 or above, by its message, else by its name."""
    status = _STATUS.match(message)
    if status:
        return int(status[1]) >= 500
    return bool(SERVER_ERROR_NAMES.search(kind.replace("\\", ".").rpartition(".")[2]))
