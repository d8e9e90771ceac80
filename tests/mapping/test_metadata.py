"""RUM's metadata from the resource, the trace and the span."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from otel_rum_exporter import __version__
from otel_rum_exporter.mapping import metadata
from otel_rum_exporter.mapping.metadata import MAX_PAGE_TAGS
from otel_rum_exporter.mapping.span_view import SpanView
from tests.mapping.test_attribute_values import ANY_VALUES
from tests.spans import make_config, make_span


def trace(attributes: dict[str, Any], kind: SpanKind = SpanKind.SERVER) -> dict[str, Any]:
    """Return the metadata that a span sets for everything below it."""
    return metadata.of_trace(SpanView.of(make_span("x", attributes, kind=kind)))


def test_a_servers_resource_sets_no_device() -> None:
    """A server's os.* is not the user's. The default domain is the service name."""
    resource = {"service.name": "shop", "os.name": "Debian", "os.version": "12"}
    expected = {
        "version": "1.0.0",
        "aws:client": "otel-rum-exporter",
        "aws:clientVersion": __version__,
        "domain": "shop",
        "platformType": "web",
    }
    assert expected == metadata.of_resource(resource, make_config(), is_server=True)
    client = metadata.of_resource(resource, make_config(), is_server=False)
    assert client == {**expected, "deviceType": "desktop", "osName": "Debian", "osVersion": "12"}


def test_a_phone_is_a_mobile_device() -> None:
    """RUM's dimensions are device, system and country."""
    resource = {"os.name": "iOS", "client.geo.country.iso_code": "CH", "app.build_id": "1.0+b7"}
    found = metadata.of_resource(resource, make_config(domain="app.example"), is_server=False)
    assert (found["deviceType"], found["countryCode"], found["domain"]) == ("mobile", "CH", "app.example")
    assert "aws:releaseId" not in found


def test_a_browser_resource_sets_brand_and_region() -> None:
    """Neither the engine nor the fake brand is the browser's name."""
    resource = {
        "browser.brands": ("Not;A=Brand 99", "Chromium 139", "Google Chrome 139"),
        "geo.region.iso_code": "CA-QC",
        "browser.mobile": True,
    }
    found = metadata.of_resource(resource, make_config(), is_server=False)
    assert (found["browserName"], found["browserVersion"]) == ("Google Chrome", "139")
    assert (found["subdivisionCode"], found["deviceType"]) == ("QC", "mobile")


def test_a_request_served_sets_page_domain_and_browser_below_it() -> None:
    """RUM parses the user agent itself, except for the device type."""
    attributes = {
        "http.route": "users/<int:uid>/",
        "server.address": "shop.example:8443",
        "user_agent.original": "Mozilla/5.0 (iPhone) Mobile/15E148",
        "http.request.header.accept_language": ("de-CH,de;q=0.9",),
    }
    assert trace(attributes) == {
        "pageId": "/users/<int:uid>/",
        "domain": "shop.example",
        "aws:userAgent": "Mozilla/5.0 (iPhone) Mobile/15E148",
        "deviceType": "mobile",
        "browserLanguage": "de-CH",
    }


def test_a_screen_sets_its_position_in_the_session() -> None:
    """ADOT's SDKs set these attributes; AWS's web client sends both keys with every event of the page."""
    attributes = {"screen.name": "Cart", "app.screen.interaction": 3, "app.screen.parent_screen.name": "Home"}
    expected = {"pageId": "Cart", "title": "Cart", "interaction": 3, "parentPageId": "Home"}
    assert trace(attributes, SpanKind.INTERNAL) == expected


def test_all_spans_on_a_screen_share_its_metadata() -> None:
    """So it is encoded once for all of them."""
    screen = {"app.screen.name": "Order 4711"}
    assert trace(screen, SpanKind.INTERNAL) == {"title": "Order *", "pageId": "Order *"}
    assert trace(screen, SpanKind.INTERNAL) is trace({**screen, "app.items": 1}, SpanKind.INTERNAL)


def test_a_page_may_have_tags() -> None:
    """RUM groups pages by them. Values that are not texts are ignored."""
    tags = {"http.route": "/cart", "rum.page.tags": ("checkout", 7, "x" * 300)}
    assert trace(tags)["pageTags"] == ["checkout", "x" * 256]
    assert "pageTags" not in trace({**tags, "rum.page.tags": "checkout"})
    assert len(trace({**tags, "rum.page.tags": ["t"] * 50})["pageTags"]) == MAX_PAGE_TAGS


def test_a_document_sets_its_url_without_secrets() -> None:
    """Only for a browser's document: a request served has a route."""
    url = "https://me:pw@shop.example/cart/42?token=SECRET#top"
    found = trace({"browser.document.url.full": url}, SpanKind.INTERNAL)
    assert found == trace({"page.url": url}, SpanKind.INTERNAL)
    assert found == {"pageUrl": "https://shop.example/cart/*", "pageId": "/cart/*", "domain": "shop.example"}
    assert "pageUrl" not in trace({"url.full": url, "http.route": "/cart/<id>"})


def test_an_http_library_is_no_browser() -> None:
    """A request from another service sets its page, but no browser."""
    assert trace({"http.route": "/api/x", "user_agent.original": "python-requests/2.34"}) == {"pageId": "/api/x"}


def test_a_path_without_route_is_a_page_with_masked_ids() -> None:
    """Scanners' requests do not each create a page id."""
    assert trace({"http.target": "/users/42?x=1"})["pageId"] == "/users/*"


def test_a_request_made_sets_nothing() -> None:
    """`python-requests` is not the user's browser, and the called server is not the domain."""
    attributes = {"user_agent.original": "python-requests/2", "server.address": "api.example", "http.route": "/x"}
    assert trace(attributes, SpanKind.CLIENT) == {}


def test_custom_attributes_take_the_keys_and_values_that_rum_keeps() -> None:
    """Dots become underscores, reserved names get a prefix, values are scalars of at most 256 characters."""
    attributes = {"team.id": "a" * 300, "version": "7", "roles": ["a", "b"], "ratio": float("nan"), "beta": True}
    names = ("team.id", "version", "roles", "ratio", "beta", "missing")
    assert metadata.custom(attributes, make_config(metadata_attributes=names)) == {
        "team_id": "a" * 256,
        "otel_version": "7",
        "roles": '["a","b"]',
        "ratio": "NaN",
        "beta": True,
    }


@pytest.mark.parametrize("version", ["140.0.7339.82", "10.0.22631", "17.5.1", "22.04"])
def test_versions_of_browser_and_system_are_no_ids(version: str) -> None:
    """Although they are numbers with separators."""
    attributes = {"user_agent.version": version, "user_agent.os.version": version}
    assert trace(attributes, SpanKind.INTERNAL) == {"browserVersion": version, "osVersion": version}
    of_resource = metadata.of_resource({"user_agent.version": version}, make_config(), is_server=False)
    assert of_resource["browserVersion"] == version


def test_two_names_that_collide_keep_the_first() -> None:
    """`a.b` and `a_b` are one key in RUM."""
    assert metadata.custom({"a.b": 1, "a_b": 2}, make_config(metadata_attributes=["a.b", "a_b"])) == {"a_b": 1}


@given(st.text(min_size=1, max_size=300))
def test_any_attribute_name_becomes_a_key_that_rum_keeps(name: str) -> None:
    """RUM silently removes attributes with other keys."""
    key = metadata.custom_key(name)
    assert re.fullmatch(r"(?!pageTags)(?!aws:)[a-zA-Z0-9_:]{1,128}", key)
    assert key not in metadata.RESERVED_KEYS


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("http.route", "http.target", "server.address", "url.path", "user_agent.original", "screen.name"),
                *("http.request.header.accept_language", "os.name", "browser.document.url.full"),
                *("geo.country.iso_code", "rum.page.tags", "app.screen.interaction", "location.href"),
            ]
        ),
        ANY_VALUES,
    ),
    st.sampled_from(SpanKind),
)
def test_metadata_is_text_whatever_the_attributes_are(attributes: dict[str, Any], kind: SpanKind) -> None:
    """For any attribute values; all built-in values but two are short strings."""
    found = {**trace(attributes, kind), **metadata.of_resource(attributes, make_config(), is_server=False)}
    tags, interaction = found.pop("pageTags", []), found.pop("interaction", 0)
    assert isinstance(interaction, int)
    assert all(isinstance(value, str) and len(value) <= 256 for value in (*found.values(), *tags))


@pytest.mark.parametrize("key", ["pageTags", "aws:x", "domain"])
def test_a_built_in_key_cannot_be_overwritten_by_an_attribute(key: str) -> None:
    """An attribute with a built-in name gets a prefix."""
    assert metadata.custom_key(key).startswith("otel_")
