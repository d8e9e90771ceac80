"""A shop in each WSGI framework."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import django
import django.conf
import django.http
import django.test
import django.urls
import falcon
import flask
import werkzeug.test
import werkzeug.wrappers
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.falcon import FalconInstrumentor
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware as WsgiMiddleware

from tests.mapping.contrib.shop import HTML, REQUESTS, SHOP, boom
from tests.mapping.contrib.telemetry import BoomError, Telemetry


def _ask_wsgi(app: Callable[..., Any]) -> None:
    client = werkzeug.test.Client(app)
    for method, path, headers in REQUESTS:
        with contextlib.suppress(BoomError):
            client.open(path, method=method, headers=headers, base_url="http://shop.example").close()


def wsgi(telemetry: Telemetry) -> None:
    """Serve an application without a framework, and so without routes."""

    @werkzeug.wrappers.Request.application
    def shop(request: werkzeug.wrappers.Request) -> werkzeug.wrappers.Response:
        if request.path == "/boom":
            boom()
        if request.path == "/moved":
            return werkzeug.wrappers.Response(status=302, headers={"Location": "/"})
        is_known = request.path in SHOP or request.path.startswith("/products/")
        return werkzeug.wrappers.Response("done", 200 if is_known else 404, content_type=HTML)

    _ask_wsgi(WsgiMiddleware(shop, tracer_provider=telemetry.spans))


def django_shop(telemetry: Telemetry) -> None:
    """Serve with Django; a route is a regular expression. Servers set REQUEST_URI, its test client does not."""

    def gone(_: Any, sku: str) -> django.http.HttpResponse:
        raise django.http.Http404(sku)

    def done(*_: Any, **__: Any) -> django.http.HttpResponse:
        return django.http.HttpResponse("done")

    class Urls:
        urlpatterns = (
            django.urls.path("", done),
            django.urls.path("products/<str:sku>", done),
            django.urls.path("moved", lambda _: django.http.HttpResponseRedirect("/")),
            django.urls.path("orders", done),
            django.urls.path("api/stock", done),
            django.urls.path("gone/<str:sku>", gone),
            django.urls.path("boom", lambda _: boom()),
            django.urls.re_path(r"^healthz$", done),
        )

    with django_settings(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[], LOGGING_CONFIG=None):
        django.setup()
        DjangoInstrumentor().instrument(tracer_provider=telemetry.spans)
        for method, path, headers in REQUESTS:
            django.test.Client(raise_request_exception=False, headers=headers).generic(method, path, REQUEST_URI=path)
        DjangoInstrumentor().uninstrument()


@contextlib.contextmanager
def django_settings(**values: object) -> Iterator[None]:
    """Configure Django temporarily: a process has one configuration, and other tests may have another."""
    settings = vars(django.conf.settings)
    before = settings.copy()
    holder = django.conf.UserSettingsHolder(django.conf.global_settings)
    vars(holder).update(values)
    settings.clear()
    settings["_wrapped"] = holder
    yield
    settings.clear()
    settings.update(before)


def falcon_shop(telemetry: Telemetry) -> None:
    """Serve with Falcon, whose responses are exceptions. Its instrumentation is of the class `falcon.App`."""

    class Done:
        def on_get(self, _: falcon.Request, response: falcon.Response, **__: str) -> None:
            response.text, response.content_type = "done", HTML

        on_post = on_get

    class Moved:
        def on_get(self, *_: Any) -> None:
            raise falcon.HTTPFound("/")

    class Gone:
        def on_get(self, *_: Any, **__: str) -> None:
            raise falcon.HTTPNotFound

    class Boom:
        def on_get(self, *_: Any) -> None:
            boom()

    FalconInstrumentor().instrument(tracer_provider=telemetry.spans)
    app = falcon.App()
    for path in (*SHOP, "/products/{sku}"):
        app.add_route(path, Done())
    app.add_route("/moved", Moved())
    app.add_route("/gone/{sku}", Gone())
    app.add_route("/boom", Boom())
    _ask_wsgi(app)
    FalconInstrumentor().uninstrument()


def flask_shop(telemetry: Telemetry) -> None:
    """Serve with Flask, whose `abort` raises a response."""
    app = flask.Flask("shop")
    for path in (*SHOP, "/products/<sku>"):
        app.add_url_rule(path, path.replace("/", "_"), lambda **_: "done", methods=["GET", "POST"])
    app.add_url_rule("/moved", "moved", lambda: flask.abort(flask.redirect("/")))
    app.add_url_rule("/gone/<sku>", "gone", lambda sku: flask.abort(404, sku))
    app.add_url_rule("/boom", "boom", boom)
    FlaskInstrumentor().instrument_app(app, tracer_provider=telemetry.spans)
    _ask_wsgi(app)
    FlaskInstrumentor().uninstrument_app(app)


def flask_in_wsgi(telemetry: Telemetry) -> None:
    """Serve Flask within the middleware for any WSGI application; both are instrumented."""
    app = flask.Flask("api")
    app.add_url_rule("/api/", "api", lambda: {"stock": 3})
    FlaskInstrumentor().instrument_app(app, tracer_provider=telemetry.spans)
    client = werkzeug.test.Client(WsgiMiddleware(app, tracer_provider=telemetry.spans))
    for path in ("/api/", "/api/missing"):
        client.get(path).close()
    FlaskInstrumentor().uninstrument_app(app)


def pyramid_shop(telemetry: Telemetry) -> None:
    """Serve with Pyramid, whose responses are exceptions. Its instrumentation takes the global tracer provider only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports modules that are deprecated
        import pyramid.config
        import pyramid.httpexceptions
        import pyramid.response
        from opentelemetry.instrumentation.pyramid import PyramidInstrumentor

    def done(_: Any) -> Any:
        return pyramid.response.Response("done", content_type=HTML)

    def moved(_: Any) -> Any:
        raise pyramid.httpexceptions.HTTPFound("/")

    def gone(_: Any) -> Any:
        raise pyramid.httpexceptions.HTTPNotFound

    config = pyramid.config.Configurator(settings={})
    PyramidInstrumentor().instrument_config(config)
    views = dict.fromkeys((*SHOP, "/products/{sku}"), done)
    views |= {"/moved": moved, "/gone/{sku}": gone, "/boom": lambda _: boom()}
    for path, view in views.items():
        config.add_route(path, path)
        config.add_view(view, route_name=path)
    with mock.patch.object(trace, "_TRACER_PROVIDER", telemetry.spans):
        _ask_wsgi(config.make_wsgi_app())
