"""The segments of a path that are ids by their form."""

from __future__ import annotations

import pytest

from otel_rum_exporter.mapping.path_ids import is_id, mask_name, mask_path


@pytest.mark.parametrize("segment", ["QJM9UayY20948V", "44NV2EGjujwiNmo", "nGmSdnMyuwQyXcRzfkFj"])
def test_a_long_text_of_short_pieces_is_an_id(segment: str) -> None:
    """Of 14 letters and digits or more: random text has pieces of two to three."""
    assert is_id(segment)


@pytest.mark.parametrize("segment", ["btyvAYmqgq5U", "OZSHCoHPbzRKZ", "iPhone15ProMax", "OAuth2Callback", "v2beta1"])
def test_a_shorter_text_with_such_pieces_may_be_a_name(segment: str) -> None:
    """Of products and versions."""
    assert not is_id(segment)


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/static/app.3f2a9c01.js", "/static/app.*.js"),
        ("/static/app.17.js", "/static/app.*.js"),
        ("/static/app.7.js", "/static/app.7.js"),
        ("/invoices/4711.pdf", "/invoices/*.pdf"),
        ("/users/ann@example.com", "/users/*"),
        ("/a/20261129T101112Z/b", "/a/*/b"),
        ("/at/0x7f3a2b1c", "/at/*"),
        ("/hosts/2001:db8::1", "/hosts/*"),
        ("/x/uuid:9e107d9d-372b-b682-6bd8-1d3542a419d6", "/x/*"),
        ("/x/img_9e107d9d-372b-b682-6bd8-1d3542a419d6-big.png", "/x/*.png"),
        ("/x/a::b::c", "/x/a::b::c"),
        ("/docs/3.11/library", "/docs/3.11/library"),
        ("/docs/python-3.11", "/docs/python-3.11"),
        ("/near/lat,52.51", "/near/lat,*.*"),
        ("/tracking/1Z999AA10123456784", "/tracking/*"),
    ],
)
def test_the_parts_of_a_segment_that_are_ids_are_masked(path: str, masked: str) -> None:
    """A single digit is none, and extensions stay."""
    assert mask_path(path) == masked


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("load 6afe3c1a-8d5d-4b6f-9a3c-5e7f90b1c2d3", "load *"),
        ("ship  (ORD-2024-000123), now", "ship  (*), now"),
        ("GET /orders/4711 again", "GET /orders/* again"),
        ("v2 of 12345!", "v2 of *!"),
        ("load 17 rows of step-2", "load 17 rows of step-2"),
    ],
)
def test_the_words_of_a_name_that_are_ids_are_masked(name: str, masked: str) -> None:
    """Signs around them stay, and so do numbers of up to three digits."""
    assert mask_name(name) == masked
