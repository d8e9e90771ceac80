"""Instrumented web applications with the session middleware inside or outside of their instrumentation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import flask
import httpx
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider

from otel_rum_exporter.sessions.middleware import RumSessionMiddleware, RumSessionWsgiMiddleware

# Django and FastAPI are imported where they are used: each worker collects all tests, and few run these.
if TYPE_CHECKING:
    import fastapi

PATH = "/api/orders"
"""Its response has status 200, after a span with the name `work`."""

BROKEN_PATH = "/api/broken"
"""It raises an exception."""

Get = Callable[..., int]
"""Send a GET request with a Cookie header, and return the status."""


def get_from_asgi(application: Any) -> Get:
    """Return a client of an ASGI application."""

    def get(cookies: str | None = None, path: str = PATH) -> int:
        async def request() -> int:
            transport = httpx.ASGITransport(application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                response = await client.get(path, headers={} if cookies is None else {"cookie": cookies})
                return response.status_code

        return asyncio.run(request())

    return get


def get_from_wsgi(application: Any) -> Get:
    """Return a client of a WSGI application."""

    def get(cookies: str | None = None, path: str = PATH) -> int:
        transport = httpx.WSGITransport(application, raise_app_exceptions=False)
        with httpx.Client(transport=transport, base_url="http://shop.example") as client:
            return client.get(path, headers={} if cookies is None else {"cookie": cookies}).status_code

    return get


def _work(provider: TracerProvider) -> Callable[[], str]:
    def work() -> str:
        with provider.get_tracer("shop").start_as_current_span("work"):
            return "none"

    return work


def _fail() -> str:
    raise ValueError("broken")


def _fastapi_application(provider: TracerProvider) -> fastapi.FastAPI:
    import fastapi
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    application = fastapi.FastAPI()
    application.get(PATH)(_work(provider))
    application.get(BROKEN_PATH)(_fail)
    FastAPIInstrumentor.instrument_app(application, tracer_provider=provider)
    return application


def flask_application(provider: TracerProvider) -> flask.Flask:
    """Return a Flask application without instrumentation and middleware."""
    application = flask.Flask("shop")
    application.get(PATH)(_work(provider))
    application.get(BROKEN_PATH)(_fail)
    return application


def instrument_flask(application: flask.Flask, provider: TracerProvider | None = None) -> None:
    """Put the middleware around a Flask application, outside of its instrumentation. None is the global provider."""
    application.wsgi_app = RumSessionWsgiMiddleware(  # type: ignore[method-assign]
        application.wsgi_app, tracer_provider=provider
    )
    instrumentor: Any = FlaskInstrumentor()
    instrumentor.instrument_app(application, tracer_provider=provider)


def fastapi_inside(provider: TracerProvider) -> Iterator[Get]:
    """Add the middleware to FastAPI, inside of its instrumentation."""
    application = _fastapi_application(provider)
    application.add_middleware(RumSessionMiddleware, tracer_provider=provider)
    yield get_from_asgi(application)


def fastapi_outside(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around FastAPI, outside of its instrumentation."""
    yield get_from_asgi(RumSessionMiddleware(_fastapi_application(provider), tracer_provider=provider))


def flask_outside(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around Flask, outside of its instrumentation."""
    application = flask_application(provider)
    instrument_flask(application, provider)
    yield get_from_wsgi(application)


def flask_inside(provider: TracerProvider) -> Iterator[Get]:
    """Put OpenTelemetry's WSGI middleware around the session middleware, and that around Flask."""
    application = RumSessionWsgiMiddleware(flask_application(provider), tracer_provider=provider)
    yield get_from_wsgi(OpenTelemetryMiddleware(application, tracer_provider=provider))


def _django_project(provider: TracerProvider) -> Iterator[None]:
    import django
    from django.conf import settings as django_settings
    from django.http import HttpRequest, HttpResponse
    from django.test import override_settings
    from django.urls import path
    from opentelemetry.instrumentation.django import DjangoInstrumentor

    work = _work(provider)

    def orders(_: HttpRequest) -> HttpResponse:
        return HttpResponse(work())

    def broken(_: HttpRequest) -> HttpResponse:
        return HttpResponse(_fail())

    class Urls:
        urlpatterns = (path(PATH[1:], orders), path(BROKEN_PATH[1:], broken))

    if not django_settings.configured:
        django_settings.configure()
    django.setup()
    with override_settings(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[]):
        DjangoInstrumentor().instrument(tracer_provider=provider)
        yield
        DjangoInstrumentor().uninstrument()


def django_wsgi(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around a WSGI application of Django."""
    from django.core.wsgi import get_wsgi_application

    for _ in _django_project(provider):
        yield get_from_wsgi(RumSessionWsgiMiddleware(get_wsgi_application(), tracer_provider=provider))


def django_asgi(provider: TracerProvider) -> Iterator[Get]:
    """Put the middleware around an ASGI application of Django."""
    from django.core.asgi import get_asgi_application

    for _ in _django_project(provider):
        yield get_from_asgi(RumSessionMiddleware(get_asgi_application(), tracer_provider=provider))


APPLICATIONS = (fastapi_inside, fastapi_outside, flask_inside, flask_outside, django_wsgi, django_asgi)
