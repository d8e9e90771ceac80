"""Host names of this computer."""

import pytest

from otel_rum_exporter.local.host import is_loopback, is_own_name


@pytest.mark.parametrize(
    ("header", "bound", "own"),
    [
        ("localhost", "127.0.0.1", True),
        ("localhost:8787", "127.0.0.1", True),
        ("rum.localhost:1", "127.0.0.1", True),
        ("127.0.0.1:8787", "127.0.0.1", True),
        ("127.8.8.8", "127.0.0.1", True),
        ("[::1]:8787", "127.0.0.1", True),
        ("::1", "127.0.0.1", True),
        ("Workstation:80", "workstation", True),
        ("192.168.1.5:8787", "192.168.1.5", True),
        ("192.168.1.5:8787", "0.0.0.0", True),
        ("[fe80::1]:8787", "::", True),
        ("192.168.1.5", "127.0.0.1", False),
        ("evil.example", "0.0.0.0", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("127.0.0.1.evil.example:80", "0.0.0.0", False),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
        (":::", "127.0.0.1", False),
    ],
)
def test_own_names_are_loopback_the_bound_host_and_addresses(*, header: str, bound: str, own: bool) -> None:
    """Any address is accepted only when bound to all addresses."""
    assert is_own_name(header, bound) is own


@pytest.mark.parametrize(("name", "loopback"), [("::1", True), ("LOCALHOST", True), ("0.0.0.0", False), ("a.b", False)])
def test_loopback_names_are_recognised(*, name: str, loopback: bool) -> None:
    """An unknown name is not loopback."""
    assert is_loopback(name) is loopback
