"""The entries of the mapping's tables, each with a record or a text that only this entry decides about."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import SpanKind

from otel_rum_exporter.mapping import metadata
from otel_rum_exporter.mapping.events.exception_kinds import is_answer, is_cancellation
from otel_rum_exporter.mapping.events.performance_resource import file_type
from otel_rum_exporter.mapping.path_ids import mask_path
from otel_rum_exporter.mapping.private_names import treatment_of
from otel_rum_exporter.mapping.redaction import STANDARD
from otel_rum_exporter.mapping.secret_texts import scrub_text
from otel_rum_exporter.mapping.span_view import SpanView
from tests.logs import make_log
from tests.mapping.event_drafts import drafts_of, mapped, types
from tests.spans import make_config, make_span

REQUEST = SpanView.of(make_span("GET /x", {"http.response.status_code": 404}, kind=SpanKind.SERVER))

ANSWER_MODULES = [
    *("werkzeug.exceptions", "werkzeug.routing", "aiohttp.web_exceptions", "starlette.exceptions"),
    *("fastapi.exceptions", "falcon.errors", "rest_framework.exceptions", "pyramid.httpexceptions", "webob.exc"),
    *("sanic.exceptions", "litestar.exceptions", "quart.exceptions", "ninja.errors", "blacksheep.exceptions"),
    *("chalice.app", "grpc.aio", "flask_smorest.x", "flask_restful.utils", "flask_restx.errors", "cherrypy._cperror"),
    *("tornado.web", "bottle", "django.http.response", "jakarta.ws.rs", "javax.ws.rs", "org.springframework.web.x"),
    *("org.springframework.security.access", "io.ktor.server.plugins", "Microsoft.AspNetCore.Http"),
    *("Symfony.Component.HttpKernel.Exception", "Illuminate.Auth", "Illuminate.Validation"),
    *("ActionController", "Rack.QueryParser"),
]
ANSWER_NAMES = [
    *("HTTPException", "HttpException", "Http404", "HTTPFound", "HTTPSeeOther", "HTTPNotFound", "HTTPForbidden"),
    *("NotAuthenticated", "AuthenticationFailed", "MethodNotAllowed", "RequestValidationError", "BadRequestKeyError"),
    *("PermissionDenied", "BadRequest", "Forbidden", "NotFound", "Unauthorized", "SuspiciousOperation", "HttpError"),
    *("DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent", "ResponseStatusException", "AbortError"),
    *("NotFoundException", "BadRequestException", "ForbiddenException", "UnauthorizedException", "RecordNotFound"),
    *("NotFoundHttpException", "ModelNotFoundException", "ValidationException", "RoutingError", "Redirect"),
    *("NotFoundError", "BadRequestError", "ForbiddenError", "UnauthorizedError", "TooManyRequests", "Gone"),
]
CLIENTS_OF_SERVICES = [
    *("google.api_core", "grpc._channel", "docker.errors", "elasticsearch", "opensearchpy.x", "botocore.errorfactory"),
    *("boto3.exceptions", "azure.core", "kubernetes.client", "requests.exceptions", "httpx", "urllib.error"),
    *("urllib3.exceptions", "openai", "anthropic", "stripe", "redis.exceptions", "pymongo.errors", "sqlalchemy.exc"),
]


@pytest.mark.parametrize("kind", [*(f"{module}.Odd" for module in ANSWER_MODULES), *ANSWER_NAMES])
def test_an_exception_of_a_framework_is_an_answer_by_its_module_or_its_name(kind: str) -> None:
    """`Odd` is no name of an answer, and a bare name has no module."""
    assert is_answer(REQUEST, kind, "")
    assert not is_answer(REQUEST, "shop.Odd", "")


@pytest.mark.parametrize("module", CLIENTS_OF_SERVICES)
def test_an_exception_of_a_client_is_no_answer(module: str) -> None:
    """Although its name is that of one."""
    assert not is_answer(REQUEST, f"{module}.NotFound", "")


@pytest.mark.parametrize(
    "kind",
    [
        *("AbortError", "CancelledError", "CanceledError", "CancellationException", "JobCancellationException"),
        *("OperationCanceledException", "TaskCanceledException", "CancellationError", "ClientDisconnect"),
        *("GeneratorExit", "KeyboardInterrupt", "SystemExit", "Exit", "Abort", "NS_BINDING_ABORTED", "ERR_CANCELED"),
        *("ERR_ABORTED", "NSURLErrorCancelled", "cancelled", "canceled", "abort", "aborted"),
    ],
)
def test_an_exception_that_cancels_work_is_known_by_its_name(kind: str) -> None:
    """In every language."""
    assert is_cancellation(f"shop.{kind}", "")
    assert not is_cancellation(f"shop.{kind}Odd", "")


@pytest.mark.parametrize(
    ("kind", "extensions"),
    [
        ("stylesheet", "css less"),
        ("document", "htm html php xhtml xml"),
        ("script", "js mjs ts"),
        ("image", "bmp gif ico jpeg jpg png svg tif tiff webp"),
        ("font", "eot otf ttf woff woff2"),
        ("other", "json wasm mp4"),
    ],
)
def test_the_extension_of_a_url_is_its_file_type(kind: str, extensions: str) -> None:
    """In capitals too."""
    for extension in extensions.split():
        assert file_type(f"https://a.example/x.{extension}?v=1", "xmlhttprequest") == kind, extension
        assert file_type(f"/x.{extension.upper()}") == kind, extension


@pytest.mark.parametrize(
    ("initiator", "kind"),
    [
        *(("css", "stylesheet"), ("frame", "document"), ("iframe", "document"), ("image", "image"), ("img", "image")),
        *(("input", "image"), ("script", "script"), ("fetch", "other"), ("link", "other")),
    ],
)
def test_what_requested_a_file_is_its_file_type_without_an_extension(initiator: str, kind: str) -> None:
    """A page that loads `/logo` as an image."""
    assert file_type("https://a.example/logo", initiator) == kind


TOKENS = [
    *("sk-A", "sk_live_A", "pk_test_A", "rk_live_A", "whsec_A", "A3TX", "AKIA", "ASIA", "ABIA", "ACCA"),
    *("gho_A", "ghp_A", "ghs_A", "ghu_A", "ghr_A", "github_pat_A", "glpat-A", "glptt-A", "gldt-A", "glsoat-A"),
    *("glrt-A", "glft-A", "xoxb-A", "xapp-A", "AIzaA", "ya29.A", "GOCSPX-A", "npm_A", "pypi-A", "SG.abcdefghij12."),
    *("hf_A", "doo_v1_A", "dop_v1_A", "dor_v1_A", "shpat_A", "shpss_A", "shpca_A", "shppa_A", "sq0atp-A", "EAAA"),
    *("dckr_pat_A", "ATATT3A", "lin_api_A", "NRAK-A", "PMAK-A", "figd_A", "figo_A", "figu_A", "hvs.A", "hvb.A"),
    *("xkeysib-A", "glsa_A", "ntn_A", "gsk_A", "r8_A", "rzp_live_A", "rzp_test_A", "pscale_tkn_A", "CFPAT-A"),
    *("sbp_A", "AGE-SECRET-KEY-1A", "FwoGA", "LTAIA", "tfp_A", "dp.pt.A", "dp.audit.A", "glc_A", "lin_oauth_A"),
    *("sntrys_A", "sntryu_A", "ATBBA", "AKCpA", "fm1a_A", "fm1r_A", "fm2_A", "sb_secret_A", "secret_A", "pplx-A"),
    *("xai-A", "phx_A", "nfp_A", "AQEA", "IQoJb3JpZ2luA", "1//0A"),
]
HEXADECIMAL = ["key-", "SK", "AC", "v1.", "pul-", "rubygems_", "dapi"]
OTHER_TOKENS = [
    *("0123456789abcdef0123456789abcdef-us12", "abc8Q~" + "Ab1" * 12, "A1b2C3d4E5f6G7.atlasv1." + "Ab1" * 9),
    *("patA1b2C3d4E5f6G7." + "0a1b" * 10, "pat-na1-" + "0a1b" * 9, "sl.B" + "Ab1" * 22),
    *(
        "access_token$production$abcd1234$0123456789",
        "M" + "Ab1" * 8 + ".Gabcde." + "Ab1" * 9,
        "123456789:AA" + "Ab1" * 11,
    ),
]


@pytest.mark.parametrize(
    "token",
    [
        *(prefix + "BCDEFGH23456" * 6 for prefix in TOKENS),
        *(prefix + "0a1b2c3d4e5f60718293" * 2 for prefix in HEXADECIMAL if prefix not in {"SK", "AC", "key-"}),
        *(prefix + "0123456789abcdef" * 2 for prefix in ("SK", "AC", "key-")),
        *OTHER_TOKENS,
    ],
    ids=lambda token: token[:16],
)
def test_a_token_is_masked_by_the_prefix_of_its_issuer(token: str) -> None:
    """Within a sentence; without its first characters it is a word like others."""
    assert scrub_text(f"cannot use {token} here") == "cannot use *** here"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Negotiate YIIabc123def456", "Negotiate ***"),
        ("Digest abc123def456", "Digest ***"),
        ("Basic YW5uOmh1bnRlcjI=", "Basic ***"),
        ("Token abc123def456", "Token ***"),
        ("BEARER abc123def456", "BEARER ***"),
        ("ApiKey abc123def456", "ApiKey ***"),
        ("Apikey abc123def456", "Apikey ***"),
        ("ann\uff20example.com", "***"),
        ("ann%40example.com", "***"),
        ("ann%2540example.com", "***"),
        ("ann&#64;example.com", "***"),
        ("Duplicate entry 'ann' for key", "Duplicate entry *** for key"),
        ('invalid input syntax for type integer: "ann"', "invalid input syntax for type integer: ***"),
        ("Incorrect integer value: 'ann' for column", "Incorrect integer value: *** for column"),
        ("Failing row contains (4, ann, x).", "Failing row contains ***"),
        ("[type=int, input_value='ann', input_type=str]", "[type=int, input_value=***, input_type=str]"),
        ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/***"),
        ("https://hooks.zapier.com/T0/B0/abc", "https://hooks.zapier.com/***"),
        ("https://discord.com/api/webhooks/1/abc", "https://discord.com/api/webhooks/***"),
        ("https://a.webhook.office.com/1/abc", "https://a.webhook.office.com/***"),
        ("https://api.telegram.org/bot1/abc", "https://api.telegram.org/***"),
        ("alter user ann identified by 'hunter2'", "alter user ann identified by ***"),
        ("ALTER USER ann IDENTIFIED BY 'hunter2'", "ALTER USER ann IDENTIFIED BY ***"),
        ("ALTER ROLE ann PASSWORD 'hunter2'", "ALTER ROLE ann PASSWORD ***"),
        ("run --api-key hunter2", "run --api-key ***"),
        ("curl -u ann:hunter2 x", "curl -u *** x"),
        ("open '/home/ann/a.txt'", "open '/home/***/a.txt'"),
        (r"open C:\Users\ann\a.txt", r"open C:\Users\***\a.txt"),
        ("[SQL: SELECT 1]\n[parameters: (1)]\n(Background on", "[SQL: ***]\n[parameters: ***]\n(Background on"),
        ("[SQL: SELECT 1]\n(Background on", "[SQL: ***]\n(Background on"),
        ("[SQL: SELECT 1]\n\nnext", "[SQL: ***]\n\nnext"),
        ("[SQL: SELECT 1]\nnext", "[SQL: ***]\nnext"),
        (r"[SQL: SELECT 1]\n[parameters: (1)]\n(Background on", r"[SQL: ***]\n[parameters: ***]\n(Background on"),
        (r"[SQL: SELECT 1]\n(Background on", r"[SQL: ***]\n(Background on"),
        ("[parameters: (1)]\nnext", "[parameters: ***]\nnext"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA", "-----BEGIN ***-----END RSA"),
        ("Private-Lines: 1\nabc\nPrivate-MAC: x", "Private-Lines: ***Private-MAC: x"),
    ],
)
def test_a_text_loses_the_secret_in_it(text: str, expected: str) -> None:
    """And nothing else."""
    assert scrub_text(text) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "authorization", "cookie", "credential", "csrf", "password", "passphrase", "passcode", "pwd"),
        *("secret", "token", "jwt", "signature", "session_id", "ssn", "social_security", "card_number", "cvv", "cvc"),
        *(
            "iban",
            "first_name",
            "phone",
            "email",
            "date_of_birth",
            "passport",
            "national_id",
            "tax_id",
            "recovery_code",
        ),
        *("kennwort", "contraseña", "mot de passe", "senha", "wachtwoord", "saml_response", "auth", "pass", "pin"),
        *("otp", "sig", "sid", "address", "city", "zip", "nonce"),
    ],
)
def test_a_value_after_the_name_of_a_secret_is_masked(name: str) -> None:
    """In the form of a keyword."""
    assert scrub_text(f"cannot log in, {name}='zq81'").replace("'", "") == f"cannot log in, {name}=***"


def test_the_user_of_a_directory_is_masked() -> None:
    """`uid` is one within a distinguished name only."""
    assert scrub_text("bind uid=ann,ou=people,dc=example") == "bind uid=***,ou=people,dc=example"


@pytest.mark.parametrize(
    "segment",
    [
        *("4711", "2024-05-17", "7f9c24e8-3b12-4c5d-9e8f-0a1b2c3d4e5f", "5f3a9c01deadbeef", "DEADBEEF" * 4),
        *(
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "eyJhbGciOiJI",
            "k3jH8sD0qPzXv1mN5bTyU",
            "ann@example.com",
            "ann%40example.com",
        ),
        *("order-2024-000123", "usr_abc", "INV0012", "AB123", "AB-12-3456", "cus_NffrFeUfNV", "arn:aws:iam::1:user"),
        *("urn:isbn:1", "sha256:abc", "@ann", "~ann"),
    ],
)
def test_a_segment_in_the_form_of_an_id_is_masked(segment: str) -> None:
    """Its neighbours stay."""
    assert mask_path(f"/orders/{segment}/edit") == "/orders/*/edit"


LOGGED = {
    "type": (
        "error.name",
        "error.kind",
        "error.class",
        "err.type",
        "err.name",
        "exc_type",
        "error.object",
        "error.type",
    ),
    "message": ("error.message", "error.msg", "err.message", "exc_value", "error.value"),
    "stack": (
        *("error.stack", "error.stack_trace", "error.stacktrace", "err.stack", "exc_info", "exc_text", "exception"),
        *("stack_trace", "stacktrace", "stack", "exception.stack"),
    ),
}
LOGGED_VALUES = {"type": "Odd", "message": "no total", "stack": "at pay (https://a.example/app.js:40:11)"}


@pytest.mark.parametrize(("field", "name"), [(field, name) for field, names in LOGGED.items() for name in names])
def test_an_attribute_of_a_log_library_arrives_in_its_field_of_the_error(field: str, name: str) -> None:
    """Each of these names alone, beside the usual names of the other two."""
    usual = {"type": "exc_type", "message": "exc_value", "stack": "exc_text"} | {field: name}
    attributes = {usual[part]: value for part, value in LOGGED_VALUES.items()}
    ((kind, details),) = mapped(make_log(None, attributes, body="failed", severity=SeverityNumber.ERROR))
    assert kind == "js_error_event"
    assert {part: details[part] for part in LOGGED_VALUES} == LOGGED_VALUES


MEMBERS = {
    "type": ("type", "name", "kind", "exc_type", "class"),
    "message": ("message", "msg", "value", "exc_value"),
    "stack": ("stack", "stacktrace", "stack_trace", "trace"),
}


@pytest.mark.parametrize("container", ["error", "err", "exception"])
@pytest.mark.parametrize(("field", "name"), [(field, name) for field, names in MEMBERS.items() for name in names])
def test_a_member_of_a_logged_map_arrives_in_its_field_of_the_error(container: str, field: str, name: str) -> None:
    """In each of the attributes that log libraries write maps to."""
    usual = {"type": "type", "message": "message", "stack": "stack"} | {field: name}
    members = {usual[part]: value for part, value in LOGGED_VALUES.items()}
    ((_, details),) = mapped(make_log(None, {container: members}, body="failed", severity=SeverityNumber.ERROR))
    assert {part: details[part] for part in LOGGED_VALUES} == LOGGED_VALUES


@pytest.mark.parametrize(
    "attributes",
    [
        *({"faas.trigger": "timer"}, {"faas.invocation_id": "a"}, {"faas.execution": "a"}, {"job.system": "a"}),
        *({"job.name": "a"}, {"job.id": "a"}, {"code.cron": "a"}, {"process.command_args": ["a"]}),
        {"cicd.pipeline.name": "a"},
    ],
    ids=str,
)
def test_a_unit_of_work_is_an_event_also_from_a_library(attributes: dict[str, Any]) -> None:
    """Its other steps are not."""
    scope = "opentelemetry.instrumentation.celery"
    assert types(make_span("work", attributes, scope=scope)) == ["work"]
    assert types(make_span("work", scope=scope)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("db.system.name", "db.system", "db.query.text", "db.statement", "db.operation.name", "db.operation"),
        *("messaging.system", "rpc.system", "rpc.system.name"),
    ],
)
def test_a_call_to_another_system_is_no_event(name: str) -> None:
    """By one of its attributes, without the scope of a library."""
    assert types(make_span("call", {name: "a"}, kind=SpanKind.CLIENT)) == []
    assert types(make_span("call", {name: "a"})) != []


@pytest.mark.parametrize("name", ["rpc.system", "rpc.system.name"])
def test_a_call_of_an_aws_sdk_is_no_event_although_it_has_attributes_of_http(name: str) -> None:
    """Some instrumentations set both."""
    request = {"http.request.method": "GET", "url.full": "https://s3.amazonaws.com/", "http.response.status_code": 500}
    assert types(make_span("S3.Get", {**request, name: "aws-api"}, kind=SpanKind.CLIENT)) == []
    assert types(make_span("S3.Get", {**request, name: "other"}, kind=SpanKind.CLIENT)) != []


RESERVED = [
    *("browserLanguage", "browserName", "browserVersion", "countryCode", "deviceType", "domain", "interaction"),
    *("osName", "osVersion", "pageId", "pageTags", "pageTitle", "pageUrl", "parentPageId", "platformType"),
    *("referrerUrl", "subdivisionCode", "title", "url", "version", "aws:client"),
]


@pytest.mark.parametrize("key", RESERVED)
def test_an_attribute_with_the_name_of_a_key_of_rum_gets_a_prefix(key: str) -> None:
    """RUM would take it for its own, or drop it."""
    assert metadata.custom_key(key) == f"otel_{key}"


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("browser.language", "browserLanguage", "de"),
        ("user_agent.name", "browserName", "Firefox"),
        ("user_agent.version", "browserVersion", "140.0"),
        ("user_agent.original", "aws:userAgent", "Mozilla/5.0"),
        ("client.geo.country.iso_code", "countryCode", "DE"),
        ("geo.country.iso_code", "countryCode", "DE"),
        ("app.build_id", "aws:releaseId", "build-7"),
        ("os.name", "osName", "Debian"),
        ("browser.platform", "osName", "Linux"),
        ("os.type", "osName", "linux"),
        ("os.version", "osVersion", "13.1"),
    ],
)
def test_an_attribute_of_the_resource_arrives_in_its_key_of_the_metadata(name: str, key: str, value: str) -> None:
    """The first of several names that is set."""
    assert metadata.of_resource({name: value}, make_config(), is_server=False)[key] == value


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("screen.name", "title", "Cart"),
        ("app.screen.name", "title", "Cart"),
        ("user_agent.name", "browserName", "Firefox"),
        ("user_agent.version", "browserVersion", "140.0"),
        ("user_agent.os.name", "osName", "Debian"),
        ("user_agent.os.version", "osVersion", "13.1"),
        ("client.geo.country.iso_code", "countryCode", "DE"),
    ],
)
def test_an_attribute_of_a_span_arrives_in_its_key_of_the_metadata(name: str, key: str, value: str) -> None:
    """Together with all spans below it."""
    assert metadata.of_trace(SpanView.of(make_span("a", {name: value})))[key] == value


@pytest.mark.parametrize(
    ("system", "device"), [("Android", "mobile"), ("iOS", "mobile"), ("iPadOS", "mobile"), ("macOS", "desktop")]
)
def test_the_operating_system_decides_about_the_device(system: str, device: str) -> None:
    """In any case of its letters."""
    assert metadata.of_resource({"os.name": system}, make_config(), is_server=False)["deviceType"] == device


@pytest.mark.parametrize(
    "name",
    [
        *("url.full", "http.url", "url.original", "url.path", "http.target", "http.request.header.referer"),
        *("http.request.header.origin", "http.response.header.location", "http.response.header.content_location"),
    ],
)
def test_an_attribute_that_holds_a_url_loses_its_query_and_the_ids_of_its_path(name: str) -> None:
    """A free text keeps them."""
    sent = STANDARD.value(name, "https://shop.example/orders/4711?q=ann", ())
    assert sent == "https://shop.example/orders/*"


@pytest.mark.parametrize(
    "name",
    [
        *("auth.type", "token_kind", "auth.method", "auth.scheme", "auth.provider", "auth.mechanism", "token.status"),
        *("auth.result", "auth.outcome", "auth.flow", "password_policy", "auth.enabled", "password.required"),
        *("token_expired", "token.valid", "email_verified", "email.template", "token_category"),
        *("token.subject_type", "secret_algorithm"),
    ],
)
def test_a_kind_of_a_secret_is_sent(name: str) -> None:
    """It is no secret itself."""
    assert treatment_of(name).value == "sent"


@pytest.mark.parametrize(
    "word",
    [
        *("tokens", "count", "counts", "usage", "length", "size", "max", "min", "total", "limit", "ttl", "expires"),
        *("age", "expires_in", "expiry", "attempts", "retries", "remaining", "duration", "seconds", "millis", "ms"),
        *("bytes", "num", "budget", "rate", "cost", "version", "rows", "ratio", "number_of", "affected", "returned"),
        "index",
    ],
)
def test_a_count_of_secrets_is_sent_as_a_number(word: str) -> None:
    """A text with that name is not."""
    name = f"token_{word}"
    assert STANDARD.attributes({name: 12}, ()) == {name: 12}
    assert STANDARD.attributes({name: "abc"}, ()) == {}


@pytest.mark.parametrize(
    ("kind", "details", "is_at_start"),
    [
        ("session_start_event", {"version": "1.0.0"}, True),
        ("page_view_event", {"pageId": "/"}, True),
        ("dom_event", {"version": "1.1.0", "event": "click"}, True),
        ("js_error_event", {"version": "1.0.0", "type": "E", "message": "no"}, False),
        ("time_to_interactive_event", {"version": "1.0.0", "value": 12}, False),
    ],
)
def test_an_event_of_a_span_has_the_time_of_its_start_or_of_its_end(
    kind: str, details: dict[str, Any], *, is_at_start: bool
) -> None:
    """A page, a click and a session start with the span; a measurement ends with it."""
    span = make_span("step", {"rum.event.type": kind, "rum.event.details": details})
    (draft,) = drafts_of(span)
    assert draft[1] == (span.start_time if is_at_start else span.end_time)
