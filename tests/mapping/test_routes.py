"""Routes of frameworks become templates that people can read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from otel_rum_exporter.mapping.routes import readable
from tests.mapping.event_drafts import mapped
from tests.spans import make_span


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        (r"^archive/(?P<year>[0-9]{4})/$", "archive/<year>/"),
        (r"^users/(?P<pk>\d+)/posts/(\d+)/?$", "users/<pk>/posts/*/"),
        (r"^api/v1/(?:page-(?P<n>\d+)/)?$", "api/v1/page-<n>/"),
        (r"^(?P<slug>[-a-zA-Z0-9_]+)\.html$", "<slug>.html"),
        ("api/{controller=Home}/{id?}", "api/{controller}/{id}"),
        (r"^$", ""),
        (r"^\Z", ""),
        (r"/a/[0-9]+/b", "/a/*/b"),
        (r"/x/\d+/y", "/x/*/y"),
        (r"/orders/:id(\d+)", "/orders/:id"),
        ("/orders/:id(.:format)", "/orders/:id"),
        ("/a(/:b)", "/a/:b"),
        ("/orders/{id:[0-9]{2}}", "/orders/{id}"),
        ("/{path:path}", "/{path}"),
        ("/(((", "/*"),
        (r"/^\/users\/(\d+)\/?$/", "/users/*/"),
        (r"/^\/stock\/([^/]+)$/i", "/stock/*"),
        (r"^\/api\/(?:v1|v2)\/users\/([^/]+)$", "/api/*/users/*"),
        ("/<regex('[a-z]{2}'):lang>/x", "/<regex:lang>/x"),
        ("/<any(about, help):page>", "/<any:page>"),
        (r"^(?P<slug>[a-z]+)/$", "<slug>/"),
    ],
)
def test_a_pattern_becomes_a_template(route: str, shown: str) -> None:
    """Of Django, Express, Rails, Spring and Starlette."""
    assert readable(route) == shown


@pytest.mark.parametrize(
    "route",
    [
        *("/", "/products/<sku>", "/products/{sku}", "customers/<int:key>/", "/files/*", "/users/:id", "/a.b/c-d_e~"),
        *("/[id]", "/shop/[...slug]", "/docs/[[...slug]]", "/users/$id/posts", "/<string:name>"),
    ],
)
def test_a_template_stays_as_it_is(route: str) -> None:
    """Most frameworks set templates."""
    assert readable(route) == route


@given(st.text(st.sampled_from("^$()[]{}\\\\?*+.:/<>Pdab1|"), max_size=60))
def test_any_route_is_read_to_its_end(route: str) -> None:
    """An application can set anything as a route."""
    shown = readable(route)
    assert isinstance(shown, str)
    assert len(shown) <= 3 * len(route) + 1


def test_a_route_that_is_only_in_the_name_is_read() -> None:
    """Tornado's instrumentation never puts a path there, and a path has no parameters."""
    page = {"http.method": "GET", "http.target": "/stock/7", "http.status_code": 200}
    for name, attributes in (("GET /stock/{sku}", {}), ("GET /stock/list", {"tornado.handler": "shop.Stock"})):
        (_, view), _ = mapped(make_span(name, {**page, **attributes}, kind=SpanKind.SERVER))
        assert view["pageId"] == name.removeprefix("GET ")
        posted = make_span(name, {**page, **attributes, "http.method": "POST"}, kind=SpanKind.SERVER)
        assert [kind for kind, _ in mapped(posted)] == [f"POST_stock_{'sku' if 'sku' in name else 'list'}"]
    for name, attributes in (("GET /stock/7", {}), ("GET", {"tornado.handler": "tornado.web.ErrorHandler"})):
        ((kind, _),) = mapped(make_span(name, {**page, **attributes}, kind=SpanKind.SERVER))
        assert kind == "GET_unrouted"


def test_ids_are_masked_in_a_path_that_is_set_as_the_route() -> None:
    """API Gateway's HTTP APIs have no other."""
    page = {
        "http.method": "GET",
        "http.route": "/stock/4711",
        "http.target": "/stock/4711?x=1",
        "http.status_code": 200,
    }
    (_, view), _ = mapped(make_span("stock", page, kind=SpanKind.SERVER))
    assert view["pageId"] == "/stock/*"


def test_page_and_type_of_a_request_have_the_template() -> None:
    """A page whose name is a regular expression means nothing to a reader."""
    page = {"http.method": "GET", "http.route": r"^archive/(?P<year>[0-9]{4})/$", "http.status_code": 200}
    (_, view), _ = mapped(make_span("GET ^archive/(?P<year>[0-9]{4})/$", page, kind=SpanKind.SERVER))
    assert view["pageId"] == "/archive/<year>/"
    ((kind, _),) = mapped(make_span("x", {**page, "http.method": "PUT"}, kind=SpanKind.SERVER))
    assert kind == "PUT_archive_year"
