"""Instrumentations of work within a process: commands, functions, threads, tasks, templates and log lines."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from types import SimpleNamespace
from unittest import mock

import asyncclick
import asyncclick.testing
import click
import click.testing
import jinja2
import structlog
from opentelemetry import _logs
from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation.asyncclick import AsyncClickInstrumentor
from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor
from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor
from opentelemetry.instrumentation.click import ClickInstrumentor
from opentelemetry.instrumentation.exceptions import UnhandledExceptionInstrumentor
from opentelemetry.instrumentation.jinja2 import Jinja2Instrumentor
from opentelemetry.instrumentation.logging import LoggingInstrumentor
from opentelemetry.instrumentation.structlog import StructlogInstrumentor
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from tests.mapping.contrib.telemetry import BoomError, Telemetry


def boom() -> None:
    """Fail as an application does."""
    raise BoomError("no")


def click_commands(telemetry: Telemetry) -> None:
    """Run commands that succeed, are used wrongly, fail, end early without an error, and are declined at a question."""

    @click.group()
    def shop() -> None:
        pass

    @shop.command()
    @click.option("--token")
    def import_orders(token: str | None) -> None:
        pass

    @shop.command()
    def refuse() -> None:
        raise click.UsageError("no")

    @shop.command()
    def fail() -> None:
        raise BoomError("no")

    @shop.command()
    def end_early() -> None:
        raise click.exceptions.Exit(0)

    @shop.command()
    def decline() -> None:
        raise click.Abort

    ClickInstrumentor().instrument(tracer_provider=telemetry.spans)
    runner = click.testing.CliRunner()
    for arguments in (["import-orders", "--token", "SECRET"], ["refuse"], ["fail"], ["end-early"], ["decline"]):
        runner.invoke(shop, arguments)
    ClickInstrumentor().uninstrument()


def asyncclick_commands(telemetry: Telemetry) -> None:
    """Run a command that succeeds, and one that fails."""

    @asyncclick.group()
    async def shop() -> None:
        pass

    @shop.command()
    async def import_orders() -> None:
        pass

    @shop.command()
    async def fail() -> None:
        raise BoomError("no")

    AsyncClickInstrumentor().instrument(tracer_provider=telemetry.spans)
    for name in ("import-orders", "fail"):
        asyncio.run(asyncclick.testing.CliRunner().invoke(shop, [name]))
    AsyncClickInstrumentor().uninstrument()


def thumbnail(_event: object, _context: object) -> dict[str, object]:
    """Serve as a Lambda function."""
    return {"statusCode": 200}


def broken(_event: object, _context: object) -> str:
    """Serve as a Lambda function that fails."""
    raise BoomError("no")


def lambda_functions(telemetry: Telemetry) -> None:
    """Run a function for S3, the same for API Gateway, and one that fails."""
    context = SimpleNamespace(
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:thumbnail", aws_request_id="17"
    )
    record = {"eventSource": "aws:s3", "s3": {"object": {"key": "SECRET.png"}}}
    request = {
        "version": "2.0",
        "routeKey": "GET /products/{sku}",
        "rawPath": "/products/4711",
        "rawQueryString": "token=SECRET",
        "headers": {"user-agent": "stock-sync/2", "host": "shop.example"},
        "requestContext": {
            "http": {"method": "GET", "path": "/products/4711", "protocol": "HTTP/1.1", "userAgent": "stock-sync/2"},
            "domainName": "shop.example",
        },
    }
    module = sys.modules[__name__]
    for handler, event in (("thumbnail", {"Records": [record]}), ("thumbnail", request), ("broken", {})):
        context.function_name = handler
        with mock.patch.dict(os.environ, {"_HANDLER": f"{__name__}.{handler}", "AWS_LAMBDA_FUNCTION_NAME": handler}):
            AwsLambdaInstrumentor().instrument(tracer_provider=telemetry.spans, skip_dep_check=True)
            with contextlib.suppress(BoomError):
                getattr(module, handler)(event, context)
            AwsLambdaInstrumentor().uninstrument()


def asyncio_tasks(telemetry: Telemetry) -> None:
    """Run coroutines, of which one fails, a function in a thread, and a task that is cancelled."""

    async def fetch_stock() -> None:
        await asyncio.sleep(0)

    async def fail() -> None:
        raise BoomError("no")

    async def work() -> None:
        await asyncio.gather(fetch_stock(), fail(), return_exceptions=True)
        task = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(len, "")

    names = {"OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE": "fetch_stock,fail,sleep"}
    names |= {"OTEL_PYTHON_ASYNCIO_TO_THREAD_FUNCTION_NAMES_TO_TRACE": "len"}
    names |= {"OTEL_PYTHON_ASYNCIO_FUTURE_TRACE_ENABLED": "true"}
    with mock.patch.dict(os.environ, names):
        AsyncioInstrumentor().instrument(tracer_provider=telemetry.spans)
        asyncio.run(work())
        AsyncioInstrumentor().uninstrument()


def threads(telemetry: Telemetry) -> None:
    """Start a thread, which continues the application's span; the instrumentation makes none."""
    ThreadingInstrumentor().instrument()
    tracer = telemetry.spans.get_tracer("shop")

    def work() -> None:
        with tracer.start_as_current_span("reprice"):
            pass

    with tracer.start_as_current_span("monthly report"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    ThreadingInstrumentor().uninstrument()


def jinja2_templates(telemetry: Telemetry) -> None:
    """Load, compile and render a template, and one that fails."""
    Jinja2Instrumentor().instrument(tracer_provider=telemetry.spans)
    templates = jinja2.Environment(loader=jinja2.DictLoader({"home.html": "{{ name }}", "bad.html": "{{ 1 / 0 }}"}))
    templates.get_template("home.html").render(name="SECRET")
    with telemetry.spans.get_tracer("shop").start_as_current_span("mail"), contextlib.suppress(ZeroDivisionError):
        templates.get_template("bad.html").render()
    Jinja2Instrumentor().uninstrument()


def log_lines(telemetry: Telemetry) -> None:
    """Log lines, and an exception twice. The instrumentation takes the global provider only."""
    with mock.patch.object(_logs._internal, "_LOGGER_PROVIDER", telemetry.logs):
        LoggingInstrumentor().instrument()
    logger = logging.getLogger("shop.orders")
    logger.warning("odd")
    logger.error("payment failed")
    try:
        boom()
    except BoomError:
        logger.exception("payment failed")
        logging.getLogger("shop").exception("order failed")
    LoggingInstrumentor().uninstrument()


def emitted_exceptions(telemetry: Telemetry) -> None:
    """Emit an exception, whose attributes the SDK reads itself."""
    try:
        boom()
    except BoomError as error:
        severity = SeverityNumber.ERROR
        telemetry.logs.get_logger("shop").emit(severity_number=severity, body="failed", exception=error)


def structlog_lines(telemetry: Telemetry) -> None:
    """Log a line, and an exception."""
    structlog.reset_defaults()
    StructlogInstrumentor().instrument(logger_provider=telemetry.logs)
    logger = structlog.get_logger("shop")
    logger.warning("odd", token="SECRET")
    try:
        boom()
    except BoomError:
        logger.exception("payment failed")
    StructlogInstrumentor().uninstrument()
    structlog.reset_defaults()


def uncaught_exceptions(telemetry: Telemetry) -> None:
    """End the program by an exception."""
    with mock.patch.object(sys, "excepthook"):
        UnhandledExceptionInstrumentor().instrument(logger_provider=telemetry.logs)
        try:
            boom()
        except BoomError as error:
            sys.excepthook(BoomError, error, error.__traceback__)
        UnhandledExceptionInstrumentor().uninstrument()
