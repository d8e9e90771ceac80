"""Which names are this computer's."""

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
def test_own_hosts_are_told_from_foreign_ones(*, header: str, bound: str, own: bool) -> None:
    """Loopback, the bound host, and any address when bound to all of them."""
    assert is_own_name(header, bound) is own


@pytest.mark.parametrize(("name", "loopback"), [("::1", True), ("LOCALHOST", True), ("0.0.0.0", False), ("a.b", False)])
def test_loopback_names_are_known(*, name: str, loopback: bool) -> None:
    """What is not surely loopback is not."""
    assert is_loopback(name) is loopback
