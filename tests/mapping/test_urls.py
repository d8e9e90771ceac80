"""URLs lose secrets, and paths lose ids."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_rum_exporter.mapping import urls
from otel_rum_exporter.mapping.path_ids import mask_path


@pytest.mark.parametrize(
    ("given_url", "allowed", "expected"),
    [
        ("https://a.example/p?q=1#f", (), "https://a.example/p"),
        ("https://me:pw@a.example:8443/p", (), "https://a.example:8443/p"),
        ("https://a.example/p?token=s&page=2&x", ("page",), "https://a.example/p?page=2"),
        ("https://a.example/p?page=&token=s", ("page",), "https://a.example/p?page="),
        ("https://a.example/p?", (), "https://a.example/p"),
        ("https://a.example/@ann?x=1", (), "https://a.example/@ann"),
        ("/relative?x=1", (), "/relative"),
        ("webpack-internal:///./a.js?x=1", (), "webpack-internal:///./a.js"),
        ("https://a.example/cart;jsessionid=SECRET/x", (), "https://a.example/cart/x"),
        ("http://[::1/broken?secret=1", (), "http://[::1/broken"),
        ("http://me:pw@[::1/broken?secret=1", (), "[::1/broken"),
    ],
)
def test_scrub_keeps_only_what_is_allowed(given_url: str, allowed: tuple[str, ...], expected: str) -> None:
    """User info, fragment and unlisted query parameters are removed, also from malformed URLs."""
    assert expected == urls.scrub(given_url, allowed)


@example("http://b:?@")
@given(st.from_regex(r"https?://[a-z.:/%@;=&?#-]{0,30}", fullmatch=True))
def test_scrub_has_the_same_result_without_parsing(given_url: str) -> None:
    """Most URLs are not parsed; an allowed parameter forces parsing."""
    assert urls.scrub(given_url) == urls.scrub(given_url, ["no such parameter"])


@given(st.from_regex(r"https?://[a-z.:/%=&?#-]{0,30}", fullmatch=True))
def test_path_has_the_same_result_without_parsing(given_url: str) -> None:
    """The standard library is the reference."""
    assert urls.path(given_url) == (urlsplit(given_url).path or "/")


@given(st.text(max_size=40).filter(lambda text: "SECRET" not in text), st.sampled_from(["?", "#"]))
def test_scrub_removes_every_query(prefix: str, separator: str) -> None:
    """For any text, everything after `?` or `#` is removed."""
    assert "SECRET" not in urls.scrub(f"{prefix}{separator}SECRET")


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("shop.example", 443, "https://shop.example/p"),
        ("shop.example:8443", 8443, "https://shop.example:8443/p"),
        ("shop.example:8443", None, "https://shop.example:8443/p"),
        ("[::1]:8443", 8443, "https://[::1]:8443/p"),
        ("[::1]", 443, "https://[::1]/p"),
        ("::1", 8443, "https://[::1]:8443/p"),
        ("me:pw@shop.example", 443, "https://shop.example/p"),
        (None, 443, "/p"),
    ],
)
def test_compose_counts_a_port_once_and_omits_the_default(host: str | None, port: int | None, expected: str) -> None:
    """`server.address` may contain the port that `server.port` also has."""
    assert expected == urls.compose("https", host, port, "/p")


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443), ("ws", 80), ("wss", 443)])
def test_compose_omits_the_default_port_of_each_scheme(scheme: str, port: int) -> None:
    """Another port stays."""
    assert urls.compose(scheme, "a.example", port, "/p") == f"{scheme}://a.example/p"
    assert urls.compose(scheme, "a.example", port + 1, "/p") == f"{scheme}://a.example:{port + 1}/p"


def test_a_target_that_is_a_url_is_unchanged() -> None:
    """Requests to proxies have absolute targets."""
    assert urls.compose("http", "proxy", 80, "http://other/x") == "http://other/x"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/users/42/orders", "/users/*/orders"),
        ("/o/7f9c24e8-3b12-4c5d-9e8f-0a1b2c3d4e5f", "/o/*"),
        ("/blob/5f3a9c01deadbeef", "/blob/*"),
        ("/reset/eyJhbGciOiJIUzI1NiJ9abc", "/reset/*"),
        ("/products/teapot", "/products/teapot"),
        ("/v1/decade", "/v1/decade"),
        ("/", "/"),
    ],
)
def test_mask_path_masks_ids_and_keeps_names(path: str, expected: str) -> None:
    """A path without a route becomes one page, not one page per id."""
    assert expected == mask_path(path)


@pytest.mark.parametrize(
    "target", ["https://a.example/pay;jsessionid=SECRET/x?y=z", "/pay;a=b;c=d/x#y", "http://[/pay;x"]
)
def test_a_path_has_no_parameters(target: str) -> None:
    """Java servers put sessions there, and paths become page names."""
    assert "SECRET" not in urls.path(target)
    assert ";" not in urls.path(target)


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    """Instrumentations may set any text as a URL."""
    urls.hostname(text)
    urls.path(text)
    mask_path(text)
    urls.split_host(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://app.example/#/orders/42", "/orders/42"),
        ("https://app.example/#!/cart?q=1", "/cart"),
        ("https://app.example/index.html#/cart;a=1", "/cart"),
        ("https://app.example/shop/#/cart", "/shop#/cart"),
        ("https://app.example/#/", "/"),
        ("https://app.example/a#access_token=SECRET", "/a"),
        ("https://app.example/#/access_token=SECRET&x=/y", "/access_token"),
        ("https://app.example/a#section", "/a"),
        ("https://app.example/a", "/a"),
        ("#/cart", "/cart"),
    ],
)
def test_a_route_in_the_fragment_is_the_page(url: str, expected: str) -> None:
    """Hash routers keep the page there. Other fragments may hold secrets."""
    assert urls.page(url) == expected
