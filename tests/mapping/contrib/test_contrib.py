"""Every event that OpenTelemetry's Python instrumentations lead to, exactly, and none besides.

Each driver runs a library with its instrumentation, without a server of its own or with one in this process.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability

from tests.mapping.contrib.telemetry import Telemetry
from tests.mapping.event_drafts import drafts_of

CONVENTIONS = {"old": "", "stable": "http,database"}
"""Values of OTEL_SEMCONV_STABILITY_OPT_IN for the old and the stable names."""


class Row(NamedTuple):
    """An instrumentation, the function that drives it, the scopes of what it records, and the events."""

    name: str
    driver: str
    scopes: set[str]
    events: tuple[str, ...]


def drive(name: str, telemetry: Telemetry) -> None:
    """Call a driver, `module.function`.

    Its module is imported here: at the top of this one, its libraries took a third of the time of the collection.
    """
    module, _, function = name.partition(".")
    getattr(import_module(f"tests.mapping.contrib.{module}"), function)(telemetry)


def pages(product: str, home: str = "/") -> tuple[str, ...]:
    """Return the events of two pages."""
    return tuple(
        f"{kind} {page}" for kind in ("page_view_event", "performance_navigation_event") for page in (home, product)
    )


FAILED = ("http_event GET /gone/* 404", "http_event GET /nothing 404", "http_event GET /boom 500")
BOOM = "js_error_event BoomError in shop.py"
WORK = ("GET_moved", "POST_orders", "GET_api_stock")
SHOP = (*pages("/products/{sku}"), *WORK, *FAILED, BOOM)
"""The events of most frameworks. The redirection and the data are no pages, and the health check is nothing."""

UNANSWERED = "http_event GET /boom BoomError"
"""A server answers for an application that raises, outside of its span."""

UNROUTED = (
    *("page_view_event /", "performance_navigation_event /", *["GET_unrouted"] * 3, "POST_unrouted"),
    *FAILED[:2],
    *(UNANSWERED, BOOM),
)


def requests_made(*more: str) -> tuple[str, ...]:
    """Return the events of the requests of a client, of which `more` depend on the library."""
    made = ("/products/logo.png", "/moved", "/missing", "/closed")
    return (*(f"performance_resource_event {path}" for path in made), "http_event GET /missing 404", *more)


REDIRECTED = "performance_resource_event /products/logo.png"

ROWS = (
    Row(
        "aiohttp-client",
        "web_clients.aiohttp_of_client",
        {"aiohttp_client"},
        requests_made("http_event GET /closed ClientConnectorError"),
    ),
    Row(
        "aiohttp-server",
        "async_servers.aiohttp_of_server",
        {"aiohttp_server"},
        (*pages("/products/{sku}"), *WORK, *FAILED[:2], UNANSWERED, BOOM),
    ),
    Row("asgi", "async_servers.asgi", {"asgi"}, UNROUTED),
    Row(
        "asyncclick",
        "steps.asyncclick_commands",
        {"asyncclick"},
        ("import-orders", "fail", "js_error_event BoomError in steps.py"),
    ),
    Row("asyncio", "steps.asyncio_tasks", {"asyncio"}, ("js_error_event BoomError in steps.py",)),
    Row(
        "aws-lambda",
        "steps.lambda_functions",
        {"aws_lambda"},
        ("thumbnail", "GET_products", "broken", "js_error_event BoomError in steps.py"),
    ),
    Row("boto3sqs", "services.boto3sqs", {"boto3sqs"}, ("orders_process",)),
    Row("botocore", "services.botocore", {"botocore.sqs", "botocore.dynamodb", "botocore"}, ()),
    Row(
        "celery",
        "services.celery_tasks",
        {"celery"},
        (
            "run_shop.send_invoice",
            *["run_shop.fetch_rates"] * 2,
            "run_shop.charge_card",
            "js_error_event BoomError in services.py",
        ),
    ),
    Row(
        "click",
        "steps.click_commands",
        {"click"},
        (
            "import-orders",
            "refuse",
            "fail",
            "end-early",
            "decline",
            "js_error_event UsageError in steps.py",
            "js_error_event BoomError in steps.py",
        ),
    ),
    Row("dbapi", "databases.dbapi", {"tests.mapping.contrib.databases"}, ()),
    Row("django", "wsgi_servers.django_shop", {"django"}, (*pages("/products/<str:sku>"), *WORK, *FAILED, BOOM)),
    Row("exceptions", "steps.uncaught_exceptions", {"exceptions"}, ("js_error_event BoomError in steps.py",)),
    Row("falcon", "wsgi_servers.falcon_shop", {"falcon"}, (*pages("/products/{sku}"), *WORK, *FAILED)),
    Row("fastapi", "async_servers.fastapi_shop", {"fastapi"}, SHOP),
    Row("flask", "wsgi_servers.flask_shop", {"flask"}, (*pages("/products/<sku>"), *WORK, *FAILED, BOOM)),
    Row(
        "grpc",
        "services.grpc_calls",
        {"grpc", "shop"},
        (
            "stocktaking",
            "shop.Stock_Get",
            "shop.Stock_Find",
            "shop.Stock_Break",
            "js_error_event BoomError in services.py",
        ),
    ),
    Row(
        "httpx", "web_clients.httpx_client", {"httpx"}, requests_made("http_event GET /closed ConnectError", REDIRECTED)
    ),
    Row(
        "jinja2",
        "steps.jinja2_templates",
        {"jinja2", "shop"},
        ("mail", "js_error_event ZeroDivisionError in <template>"),
    ),
    Row("logging", "steps.log_lines", {"shop", "shop.orders"}, ("js_error_event BoomError in steps.py",)),
    Row("logs of the SDK", "steps.emitted_exceptions", {"shop"}, ("js_error_event BoomError in steps.py",)),
    Row("pymemcache", "databases.memcached_client", {"pymemcache"}, ()),
    Row("pyramid", "wsgi_servers.pyramid_shop", {"pyramid.callbacks"}, SHOP),
    Row("redis", "databases.redis_client", {"redis"}, ()),
    Row(
        "remoulade",
        "services.remoulade_actors",
        {"remoulade"},
        ("remoulade_process_send_invoice", "remoulade_process_charge_card"),
    ),
    Row(
        "requests", "web_clients.requests_client", {"requests"}, requests_made("http_event GET /closed ConnectionError")
    ),
    Row(
        "sqlalchemy",
        "databases.sqlalchemy_engine",
        {"sqlalchemy", "shop"},
        ("monthly_report", "js_error_event OperationalError in databases.py"),
    ),
    Row("sqlite3", "databases.sqlite3_driver", {"sqlite3"}, ()),
    Row(
        "starlette",
        "async_servers.starlette_shop",
        {"starlette"},
        (*pages("/products/{sku}"), *WORK, *FAILED[:2], UNANSWERED, BOOM),
    ),
    Row("structlog", "steps.structlog_lines", {"structlog"}, ("js_error_event BoomError in steps.py",)),
    Row("threading", "steps.threads", {"shop"}, ("monthly_report", "reprice")),
    Row(
        "tornado",
        "async_servers.tornado_shop",
        {"tornado"},
        (
            *(*pages("/products/{_}"), *WORK, *FAILED, *FAILED, BOOM),
            *(
                f"performance_resource_event {path}"
                for path in (
                    "/",
                    "/products/*",
                    "/moved",
                    "/orders",
                    "/api/stock",
                    "/gone/*",
                    "/nothing",
                    "/boom",
                    "/healthz",
                )
            ),
        ),
    ),
    Row("tortoiseorm", "databases.tortoise_orm", {"tortoiseorm"}, ()),
    Row("urllib", "web_clients.urllib_client", {"urllib"}, requests_made("http_event GET /closed URLError")),
    Row(
        "urllib3",
        "web_clients.urllib3_client",
        {"urllib3"},
        requests_made("http_event GET /closed MaxRetryError", REDIRECTED),
    ),
    Row("wsgi", "wsgi_servers.wsgi", {"wsgi"}, UNROUTED),
)

SERVER, OF_DBAPI = "needs a server", "needs a server; its spans are those of dbapi"
LEFT_OUT = {
    "aio-pika": SERVER,
    "aiokafka": SERVER,
    "aiopg": OF_DBAPI,
    "asyncpg": SERVER,
    "boto": "its library is for Python 2",
    "cassandra": SERVER,
    "confluent-kafka": SERVER,
    "elasticsearch": "needs an older version of the semantic conventions than the others",
    "kafka-python": SERVER,
    "mysql": OF_DBAPI,
    "mysqlclient": OF_DBAPI,
    "pika": SERVER,
    "psycopg": OF_DBAPI,
    "psycopg2": OF_DBAPI,
    "pymongo": SERVER,
    "pymssql": OF_DBAPI,
    "pymysql": OF_DBAPI,
    "system-metrics": "records metrics only",
}
"""Instrumentations of the same repository without a driver, and why."""


@pytest.fixture(params=CONVENTIONS)
def telemetry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    """Collect telemetry in one convention; instrumentations otherwise read it once per process."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", CONVENTIONS[request.param])
    monkeypatch.setattr(Stability, "_initialized", False)
    monkeypatch.setattr(Stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    return Telemetry()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_instrumentation_leads_to_these_events(row: Row, telemetry: Telemetry) -> None:
    """In the old and the stable conventions; each event is as RUM accepts it, and has no secret."""
    drive(row.driver, telemetry)
    assert telemetry.scopes() == row.scopes
    assert telemetry.events() == Counter(row.events)


SERVERS = [row for row in ROWS if row.driver.startswith(("async_servers.", "wsgi_servers."))]
WITHOUT_ROUTE = {"falcon": (*UNROUTED[:-2], "http_event GET /boom 500")}
"""Events of instrumentations that set the route on SERVER spans only."""


@pytest.mark.parametrize("row", SERVERS, ids=lambda row: row.name)
def test_a_server_below_a_span_that_never_ends_leads_to_the_same_events(row: Row, telemetry: Telemetry) -> None:
    """As below that of Click for `python -m uvicorn`. Most instrumentations then record requests as INTERNAL."""
    with telemetry.below_a_command():
        drive(row.driver, telemetry)
    assert telemetry.events() == Counter(WITHOUT_ROUTE.get(row.name, row.events))


NESTED = {
    "FastAPI in ASGI": ("async_servers.fastapi_in_asgi", ("GET_unrouted", "http_event GET /api/missing 404")),
    "FastAPI in FastAPI": ("async_servers.fastapi_in_fastapi", ("GET_api", "http_event GET /api/missing 404")),
    "Flask in WSGI": ("wsgi_servers.flask_in_wsgi", ("GET_unrouted", "http_event GET /api/missing 404")),
}


@pytest.mark.parametrize("batch_spans", [1, 100])
@pytest.mark.parametrize("is_below_command", [False, True])
@pytest.mark.parametrize(("driver", "events"), NESTED.values(), ids=NESTED)
def test_an_application_within_another_leads_to_the_events_of_the_outer_one(
    driver: str,
    events: tuple[str, ...],
    telemetry: Telemetry,
    *,
    is_below_command: bool,
    batch_spans: int,
) -> None:
    """The inner spans repeat the outer ones. They end first, and may be exported in an earlier batch."""
    with telemetry.below_a_command() if is_below_command else contextlib.nullcontext():
        drive(driver, telemetry)
    assert telemetry.events(batch_spans=batch_spans) == Counter(events)


def test_the_messages_of_a_request_are_spans_and_no_events(telemetry: Telemetry) -> None:
    """ASGI's instrumentation makes a span for each part of a response."""
    drive("async_servers.fastapi_in_asgi", telemetry)
    assert sum(span.name.endswith(" http send") for span in telemetry.finished) >= 4
    assert telemetry.events() == Counter(NESTED["FastAPI in ASGI"][1])


def test_an_uncaught_exception_has_the_time_at_which_it_was_observed(telemetry: Telemetry) -> None:
    """Its record has the name of the exception's class, and no timestamp."""
    drive("steps.uncaught_exceptions", telemetry)
    (record,) = telemetry.log_records
    assert (record.log_record.event_name, record.log_record.timestamp) == ("BoomError", None)
    (draft,) = drafts_of(record)
    assert (draft[0], draft[1]) == ("com.amazon.rum.js_error_event", record.log_record.observed_timestamp)


def test_every_instrumentation_that_is_installed_has_a_driver_or_a_reason() -> None:
    """Those of other projects are not known here."""
    prefix = "opentelemetry-instrumentation-"
    installed = {
        found.name.removeprefix(prefix)
        for found in distributions()
        if found.name.startswith(prefix)
        and any("opentelemetry-python-contrib" in url for url in found.metadata.get_all("Project-URL", ()))
    }
    assert installed
    assert installed <= {row.name for row in ROWS} | set(LEFT_OUT)
    assert LEFT_OUT.keys().isdisjoint(row.name for row in ROWS)


def test_every_instrumentation_is_in_the_table_of_the_docs() -> None:
    """A reader searches docs/mapping.md for the name."""
    page = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text(encoding="utf-8")
    table = page.partition("## By library")[2].partition("\n## ")[0]
    without_library = {"logs of the SDK", "boto", "system-metrics"}
    named = ({row.name for row in ROWS} | LEFT_OUT.keys()) - without_library
    assert named <= set(re.findall(r"`([^`]+)`", table))
    nothing = {row.name for row in ROWS if not row.events}
    (line,) = (line for line in table.splitlines() if line.endswith("| nothing |") and "`sqlite3`" in line)
    assert nothing <= set(re.findall(r"`([^`]+)`", line))
