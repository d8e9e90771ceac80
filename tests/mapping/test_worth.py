"""Spans that are worth an event: what a person experiences, and units of work, but no steps of libraries."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_rum_exporter.mapping.library_spans import is_library
from tests.mapping.event_drafts import mapped, types
from tests.spans import exception_event, make_config, make_span

CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER = (
    SpanKind.CLIENT,
    SpanKind.CONSUMER,
    SpanKind.INTERNAL,
    SpanKind.PRODUCER,
    SpanKind.SERVER,
)
PYTHON = "opentelemetry.instrumentation."

SPANS: list[tuple[str, str, SpanKind, dict[str, Any], list[str]]] = [
    # scope, name, kind, attributes, types of events
    (f"{PYTHON}sqlite3", "SELECT", CLIENT, {"db.system": "sqlite", "db.statement": "SELECT 1"}, []),
    (f"{PYTHON}sqlalchemy", "connect", CLIENT, {"db.system": "sqlite"}, []),
    (f"{PYTHON}redis", "LLEN LLEN LLEN LLEN", CLIENT, {"db.system": "redis"}, []),
    (f"{PYTHON}pymemcache", "get", CLIENT, {"db.system": "memcached"}, []),
    (f"{PYTHON}elasticsearch", "Elasticsearch/_search", CLIENT, {"db.system": "elasticsearch"}, []),
    (f"{PYTHON}botocore", "S3.GetObject", CLIENT, {"rpc.system": "aws-api", "rpc.service": "S3"}, []),
    (f"{PYTHON}grpc", "/shop.Stock/Get", CLIENT, {"rpc.system": "grpc"}, []),
    (f"{PYTHON}grpc", "/shop.Stock/Get", SERVER, {"rpc.system": "grpc"}, ["shop.Stock_Get"]),
    (f"{PYTHON}jinja2", "jinja2.render", INTERNAL, {"jinja2.template_name": "home.html"}, []),
    (f"{PYTHON}threading", "Thread.run", INTERNAL, {}, []),
    (f"{PYTHON}asyncio", "asyncio coro-x", INTERNAL, {}, []),
    (f"{PYTHON}celery", "apply_async/jobs.mail", PRODUCER, {"celery.action": "apply_async"}, []),
    (f"{PYTHON}celery", "run/jobs.mail", CONSUMER, {"celery.action": "run"}, ["run_jobs.mail"]),
    (f"{PYTHON}kafka", "orders send", PRODUCER, {"messaging.system": "kafka"}, []),
    (f"{PYTHON}kafka", "orders receive", CONSUMER, {"messaging.system": "kafka"}, ["orders_receive"]),
    (f"{PYTHON}boto3sqs", "orders receive", CONSUMER, {"messaging.operation": "receive"}, []),
    (f"{PYTHON}boto3sqs", "orders process", CONSUMER, {"messaging.operation": "process"}, ["orders_process"]),
    (f"{PYTHON}confluent_kafka", "recv", CONSUMER, {}, []),
    (f"{PYTHON}pika", "orders receive", CONSUMER, {"messaging.operation": "receive"}, ["orders_receive"]),
    ("@opentelemetry/instrumentation-aws-sdk", "a receive", CONSUMER, {"messaging.operation.type": "receive"}, []),
    ("io.opentelemetry.kafka-clients-0.11", "a receive", CONSUMER, {"messaging.operation": "receive"}, []),
    (
        f"{PYTHON}remoulade",
        "remoulade/process",
        CONSUMER,
        {"remoulade.actor_name": "send_invoice"},
        ["remoulade_process_send_invoice"],
    ),
    (f"{PYTHON}click", "import-orders", INTERNAL, {"process.command_args": ["import-orders"]}, ["import-orders"]),
    (f"{PYTHON}aws_lambda", "thumbnail", INTERNAL, {"faas.trigger": "datasource"}, ["thumbnail"]),
    ("io.opentelemetry.spring-scheduling-3.1", "Jobs.nightly", INTERNAL, {"job.system": "spring"}, ["Jobs.nightly"]),
    ("io.opentelemetry.jdbc", "SELECT shop.users", CLIENT, {"db.system.name": "postgresql"}, []),
    ("io.opentelemetry.hibernate-6.0", "Session.merge", INTERNAL, {}, []),
    ("@opentelemetry/instrumentation-express", "middleware - session", INTERNAL, {"express.type": "middleware"}, []),
    ("@opentelemetry/instrumentation-fs", "fs readFile", INTERNAL, {}, []),
    ("OpenTelemetry::Instrumentation::ActionView", "render_template.action_view", INTERNAL, {}, []),
    ("OpenTelemetry.Instrumentation.EntityFrameworkCore", "main", CLIENT, {"db.system": "mssql"}, []),
    ("go.opentelemetry.io/contrib/instrumentation/runtime", "gc", INTERNAL, {}, []),
    ("@prisma/instrumentation", "prisma:client:operation", INTERNAL, {}, []),
    ("@fastify/otel", "handler - fastify", INTERNAL, {}, []),
    ("github.com/XSAM/otelsql", "sql.rows", INTERNAL, {}, []),
    ("github.com/redis/go-redis/extra/redisotel", "redis.dial", INTERNAL, {}, []),
    ("gorm.io/plugin/opentelemetry", "gorm.Query", CLIENT, {}, []),
    ("Experimental.System.Net.NameResolution", "DNS lookup", INTERNAL, {}, []),
    ("Microsoft.Extensions.AI", "chat gpt", CLIENT, {"gen_ai.operation.name": "chat"}, []),
    ("google.cloud.spanner", "Spanner.Commit", CLIENT, {}, []),
    ("logfire.asyncpg", "SELECT", CLIENT, {}, []),
    ("logfire", "checkout", INTERNAL, {}, ["checkout"]),
    ("io.opentelemetry.opentelemetry-instrumentation-annotations-1.16", "Cart.total", INTERNAL, {}, ["Cart.total"]),
    ("io.opentelemetry.methods", "Cart.total", INTERNAL, {}, ["Cart.total"]),
    ("opentelemetry_absinthe", "GraphQL Operation", INTERNAL, {}, []),
    ("go.mongodb.org/mongo-driver", "carts.find", CLIENT, {}, []),
    (
        "OpenTelemetry::Instrumentation::ActiveJob",
        "default process",
        CONSUMER,
        {"messaging.system": "active_job", "code.namespace": "CartJob"},
        ["default_process_CartJob"],
    ),
    (
        "OpenTelemetry::Instrumentation::Sidekiq",
        "CartJob process",
        CONSUMER,
        {"messaging.sidekiq.job_class": "CartJob"},
        ["CartJob_process"],
    ),
    ("io.opentelemetry.slow-rendering", "frozenRenders", INTERNAL, {}, ["frozenRenders"]),
    ("shop", "monthly report", INTERNAL, {}, ["monthly_report"]),
    ("shop", "reprice", INTERNAL, {"db.system": "sqlite"}, ["sqlite_REPRICE"]),
    ("shop", "rest", CLIENT, {"db.system": "sqlite"}, []),
    ("", "work", INTERNAL, {}, ["work"]),
]


@pytest.mark.parametrize("row", SPANS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_span_is_worth_an_event_or_not(row: tuple[str, str, SpanKind, dict[str, Any], list[str]]) -> None:
    """Everything that is left out is sent with CUSTOM_EVENTS=all, and no custom event with none."""
    scope, name, kind, attributes, expected = row
    span = make_span(name, attributes, kind=kind)
    span._instrumentation_scope = InstrumentationScope(scope)
    assert types(span) == expected
    assert len(types(span, make_config(custom_events="all"))) == 1
    assert types(span, make_config(custom_events="none")) == []


@pytest.mark.parametrize(
    "scope",
    [
        *("shop", "my.opentelemetry.instrumentation", "io.opentelemetry.android.click", "prismatic", "nextjs-shop", ""),
        *("github.com/acme/shop/otel", "Systematic.Shop", "@acme/shop", "logfire", "google.cloudy"),
    ],
)
def test_a_scope_of_the_application_is_no_library(scope: str) -> None:
    """Similar names included."""
    assert not is_library(scope)


SPRING = {"exception": "none", "method": "GET", "outcome": "SUCCESS", "status": "200"}


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        (
            SERVER,
            {"http.url": "/carts/4", "uri": "/carts/{id}"},
            [("page_view_event", "/carts/{id}"), ("performance_navigation_event", None)],
        ),
        (SERVER, {"http.url": "/", "uri": "root"}, [("page_view_event", "/"), ("performance_navigation_event", None)]),
        (SERVER, {"http.url": "/x", "uri": "/**", "status": "404", "outcome": "CLIENT_ERROR"}, [("http_event", None)]),
        (SERVER, {"http.url": "/actuator/health", "uri": "/actuator/health"}, []),
        (CLIENT, {"http.url": "https://a.example/x", "uri": "/x"}, [("performance_resource_event", None)]),
        (
            CLIENT,
            {"http.url": "https://a.example/x", "uri": "/x", "status": "IO_ERROR", "outcome": "UNKNOWN"},
            [("performance_resource_event", None), ("http_event", None)],
        ),
        (INTERNAL, {"outcome": "SUCCESS"}, [("work", None)]),
    ],
)
def test_a_request_that_micrometer_observed_is_a_request(
    kind: SpanKind, attributes: dict[str, Any], expected: list[tuple[str, str | None]]
) -> None:
    """Spring Boot's spans have its own names of method, status and route."""
    given = attributes if kind is INTERNAL else {**SPRING, **attributes}
    drafts = mapped(make_span("work" if kind is INTERNAL else "http get", given, kind=kind))
    assert [(name, details.get("pageId")) for name, details in drafts] == expected


CHECK = {"http.request.method": "GET", "http.response.status_code": 200}
KUBERNETES = {"user_agent.original": "kube-probe/1.30"}


@pytest.mark.parametrize(
    "attributes",
    [
        *({"url.path": path} for path in ("/health", "/healthz", "/api/health/", "/livez", "/readyz", "/health/ready")),
        *({"url.path": path} for path in ("/ping", "/status", "/up", "/__heartbeat__", "/actuator/health/liveness")),
        *(
            {"url.path": path}
            for path in ("/_health", "/health.json", "/healthcheck.php", "/api/ping", "/api/v1/status")
        ),
        *(
            {"url.path": path}
            for path in ("/elb-status", "/.well-known/health", "/shop/health", "/metrics", "/-/ready")
        ),
        {"http.route": "healthz"},
        {"http.route": "^healthz$"},
        {"http.route": r"^health/?\Z"},
        {"http.target": "/healthz?full=1"},
        {"http.url": "https://shop.example/healthz"},
        {"url.path": "/", **KUBERNETES},
        {"url.path": "/", "http.user_agent": "ELB-HealthChecker/2.0"},
        {"url.path": "/", "http.user_agent": "GoogleHC/1.0"},
        {"url.path": "/", "http.user_agent": "Prometheus/2.45.0"},
        {"url.path": "/", "http.user_agent": "Datadog/Synthetics"},
    ],
    ids=str,
)
def test_a_successful_health_check_makes_no_event_and_a_failed_one_does(attributes: dict[str, Any]) -> None:
    """An orchestrator asks every few seconds."""
    check = make_span("GET", {**CHECK, **attributes}, kind=SERVER)
    assert types(check) == []
    assert types(check, make_config(custom_events="all")) != []
    assert types(make_span("GET", {**CHECK, **attributes, "http.response.status_code": 503}, kind=SERVER)) == [
        "http_event"
    ]


@pytest.mark.parametrize(
    "path", ["/orders/1/status", "/live/concert", "/healthy-food", "/shop/up", "/pingpong", "/wealth"]
)
def test_a_similar_path_is_no_health_check(path: str) -> None:
    """It is a request that a person made."""
    assert len(types(make_span("GET", {**CHECK, "url.path": path}, kind=SERVER))) == 1


@pytest.mark.parametrize("path", ["/products/health", "/live", "/status", "/blog/startup", "/metrics", "/up"])
def test_a_page_that_a_person_opens_is_no_health_check(path: str) -> None:
    """A shop has such a category, and a broadcaster a live stream."""
    browser = {"user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0"}
    asked = {**CHECK, "url.path": path, "http.route": path}
    assert types(make_span("GET", {**asked, **browser}, kind=SERVER)) != []
    assert types(make_span("GET", asked, kind=SERVER)) == []


def test_a_health_check_of_grpc_makes_no_event() -> None:
    """Unless it failed."""
    attributes = {"rpc.system": "grpc", "rpc.service": "grpc.health.v1.Health", "rpc.method": "Check"}
    assert types(make_span("grpc.health.v1.Health/Check", attributes, kind=SERVER)) == []
    failed = make_span("grpc.health.v1.Health/Check", attributes, kind=SERVER, status=Status(StatusCode.ERROR))
    assert len(types(failed)) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SELECT * FROM users WHERE email = 'ann@example.com'", "SELECT_users"),
        ("insert into `sale` (a) values (1)", "INSERT_sale"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH_x"),
        ("SELECT shop.users", "SELECT_shop.users"),
        ("LLEN LLEN LLEN", "LLEN"),
        ("compile /srv/app/templates/home.html", "compile"),
        (r"render C:\\shop\\home.html", "render"),
        ("load 5f3a9c01deadbeef", "load"),
        ("job 42", "job"),
        ("GET", "GET_unrouted"),
        ("HEAD /", "HEAD_unrouted"),
        ("Select a gift from the list", "SELECT_the"),
        ("Update profile", "Update_profile"),
        ("42", "otel.span"),
    ],
)
def test_a_type_has_few_values_and_means_something(name: str, kind: str) -> None:
    """RUM counts every type."""
    assert [found for found, _ in mapped(make_span(name))] == [kind]


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"http.route": "/orders/{number}"}, "POST_orders_number"),
        ({"http.route": "/"}, "POST_home"),
        ({"http.route": "^$"}, "POST_home"),
        ({"url.path": "/"}, "POST_home"),
        ({"url.path": "/wp-login.php"}, "POST_unrouted"),
        ({}, "POST_unrouted"),
    ],
)
def test_the_type_of_a_request_is_its_method_and_route(attributes: dict[str, Any], kind: str) -> None:
    """The home page and unrouted requests differ."""
    span = make_span("POST", {"http.method": "POST", "http.status_code": 200, **attributes}, kind=SERVER)
    assert types(span) == [kind]


def test_the_type_of_a_call_to_a_database_is_its_system_and_operation() -> None:
    """With CUSTOM_EVENTS=all; names of such spans contain statements."""
    every = make_config(custom_events="all")
    named = {"db.system.name": "postgresql", "db.operation.name": "SELECT"}
    assert types(make_span("SELECT * FROM a", named, kind=CLIENT), every) == ["postgresql_SELECT"]
    assert types(make_span("PING", {"db.system": "redis"}, kind=CLIENT), every) == ["redis_PING"]


def test_an_exception_of_a_call_that_its_library_handled_is_no_error() -> None:
    """redis-py loads a script after NoScriptError. What the caller does not handle is on the span that it reaches."""
    failed = make_span(
        "EVALSHA",
        {"db.system": "redis"},
        kind=CLIENT,
        status=Status(StatusCode.ERROR),
        events=[exception_event("redis.exceptions.NoScriptError", "No matching script.")],
    )
    assert types(failed) == []
