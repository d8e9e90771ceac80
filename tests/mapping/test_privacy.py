"""The promises of docs/privacy.md: private values do not leave, in every mode, and harmless ones stay."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from docs.generate import privacy
from otel_rum_exporter.config import Config, ConfigError
from otel_rum_exporter.mapping.path_ids import ID_FORMS, mask_name, mask_path
from otel_rum_exporter.mapping.private_names import PRIVATE_NAMES, treatment_of
from otel_rum_exporter.mapping.redaction import Redactor
from otel_rum_exporter.mapping.secret_forms import SECRET_TEXTS
from otel_rum_exporter.mapping.secret_texts import scrub_text
from tests.mapping import foreign_secrets, secret_corpus
from tests.mapping.harmless_texts import HARMLESS
from tests.spans import APP_MONITOR_ID

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


@cache
def corpus() -> list[secret_corpus.Case]:
    """Return all cases. They are made in a test: each worker collects the tests, and one of them needs the cases."""
    return list(secret_corpus.cases())


def test_the_corpus_is_large_and_can_find_a_leak() -> None:
    """Each case has something to look for, and a span without redaction has it."""
    kinds = {case.kind for case in corpus()}
    assert len(kinds) >= 60
    assert len(corpus()) == len(kinds) * 20
    assert all(case.parts for case in corpus())


def test_nothing_of_the_corpus_leaves() -> None:
    """Each secret in each place."""
    assert {case.kind: case.parts for case in corpus() if secret_corpus.leaks(case)} == {}


def test_only_the_foreign_secrets_that_the_page_names_leave() -> None:
    """They were written after the tables, and are tried in texts, in each part of URLs, and in resources.

    All cases take some seconds, so only the longer runs try all of them.
    """
    cases = foreign_secrets.cases(every=1 if "FUZZ_REQUESTS" in os.environ else 20)
    left = {case.kind.rpartition(" in ")[0] for case in cases if foreign_secrets.leaks(case)}
    assert left == foreign_secrets.NOT_RECOGNISED


@pytest.mark.parametrize("secret", foreign_secrets.SECRETS, ids=lambda secret: secret.kind)
def test_texts_of_foreign_secrets_are_scrubbed_once(secret: foreign_secrets.Foreign) -> None:
    """A log body is such a text; scrubbing it twice changes nothing."""
    once = scrub_text(secret.text)
    assert scrub_text(once) == once
    assert any(part in once for part in secret.parts) == (secret.kind in foreign_secrets.NOT_RECOGNISED)


@pytest.mark.parametrize("text", HARMLESS)
def test_realistic_texts_without_secrets_stay(text: str) -> None:
    """Each of them is sent as it is."""
    assert scrub_text(text) == text


@pytest.mark.parametrize("make", [privacy.names, privacy.texts, privacy.ids, privacy.words])
def test_the_page_is_up_to_date(make: Any) -> None:
    """`make docs` writes it."""
    assert make() in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("row", PRIVATE_NAMES, ids=lambda row: row.what)
def test_every_name_that_the_page_shows_is_private(row: Any) -> None:
    """Names after `not` or `except` are sent."""
    shown = re.split(r"; not|, except", row.shown)[0]
    for name in re.findall(r"`([^`…]+)`", shown):
        full = name.replace("*", "x")
        full = f"http.request.header{full}" if full.startswith(".") else full
        assert Redactor().attributes({full: "ann", "kept": 1}, ()) == {"kept": 1}, full


@pytest.mark.parametrize("row", SECRET_TEXTS, ids=lambda row: row.what)
def test_every_example_of_a_text_loses_its_secret(row: Any) -> None:
    """Twice is the same as once."""
    once = scrub_text(row.example)
    assert once != row.example
    assert scrub_text(once) == once


@pytest.mark.parametrize(("what", "example", "_"), ID_FORMS)
def test_every_example_of_an_id_is_masked(what: str, example: str, _: str) -> None:
    """In a path."""
    assert mask_path(f"/x/{example}/y") == "/x/*/y", what


@pytest.mark.parametrize(
    "name",
    [
        *("server.address", "network.local.address", "service.name", "host.name", "code.function.name", "db.name"),
        *("db.system", "db.operation.name", "db.query.summary", "db.collection.name", "db.namespace", "rpc.method"),
        *("messaging.destination.name", "user_agent.original", "user_agent.name", "browser.platform", "thread.name"),
        *("http.route", "http.request.method", "exception.type", "graphql.operation.name", "gen_ai.token.type"),
        *("http.request.header.accept", "cart.items", "order.state", "feature_flag.key", "auth.method", "cloud.region"),
        *("telemetry.sdk.name", "faas.name", "k8s.pod.name", "deployment.environment.name", "otel.scope.name", "plan"),
    ],
)
def test_names_of_semantic_conventions_stay(name: str) -> None:
    """A table that takes too much costs what RUM is for."""
    assert Redactor().attributes({name: "teapot"}, ()) == {name: "teapot"}, treatment_of(name)


@pytest.mark.parametrize(
    ("attributes", "sent"),
    [
        (
            {"gen_ai.usage.input_tokens": 12, "max_tokens": 100, "token": 123456},
            {"gen_ai.usage.input_tokens": 12, "max_tokens": 100},
        ),
        ({"password": 123456, "password.length": 12, "ssn": 123456789}, {"password.length": 12}),
        (
            {"user.authenticated": True, "has_password": True, "email_verified": False},
            {"user.authenticated": True, "has_password": True, "email_verified": False},
        ),
        ({"n": 4111111111111111, "at": 1795046400000000000}, {"n": "***", "at": "1795046400000000000"}),
        ({"n": 4001234567893, "of": 4001234567890123458}, {"n": "***", "of": "***"}),
        ({"n": 400123456784, "of": 4001234567890}, {"n": 400123456784, "of": 4001234567890}),
        ({"http.request.body.size": 12, "http.request.body": "a"}, {"http.request.body.size": 12}),
    ],
)
def test_numbers_that_are_counts_stay(attributes: dict[str, Any], sent: dict[str, Any]) -> None:
    """A number can also be a secret."""
    assert Redactor().attributes(attributes, ()) == sent


@pytest.mark.parametrize(
    "text",
    [
        *("Unexpected token: <", "    token = read_token(path)", "KeyError: 'token'", "is a == b ? a : b", "GET /cart"),
        *(
            "HTTP 503 from shop.example:8443",
            "took 1795046400000 ns",
            "react@18.2.0 failed",
            "Bearer authentication failed",
        ),
        *(
            "version 1.2.3-rc4",
            "127.0.0.1:5432 refused",
            "2026-11-28 12:30:00",
            "span 00f067aa0ba902b7",
            "a-b-c-d-e-f-g",
        ),
    ],
)
def test_harmless_texts_stay(text: str) -> None:
    """A message that is masked without need has less meaning."""
    assert scrub_text(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("GET /cart", "checkout", "step 2", "job-42", "GetItem", "dynamodb.PutItem", "grpc.health.v1.Health/Check"),
        *(
            "GET /items/{id}",
            "/users/<int:pk>",
            "HTTP/1.1",
            "/api/v1/products",
            "/docs/1.0/start",
            "loadPage2",
            "s3.GetObject",
        ),
        *(
            "/products/teapot",
            "/static/app.min.js",
            "us-east-1",
            "SELECT shop.orders",
            "getCustomerOrderDetailsById",
            "utf-8",
        ),
    ],
)
def test_names_without_ids_stay(name: str) -> None:
    """Pages and types need few names, but their own."""
    assert mask_name(name) == name


def test_ids_keep_the_extension_of_a_file() -> None:
    """It is the type of the resource."""
    assert mask_path("/static/app.3f2a9c01.js") == "/static/app.*.js"
    assert mask_path("/orders/42.json") == "/orders/*.json"


def test_strict_mode_sends_no_text_of_the_application() -> None:
    """Numbers, truth values and names of semantic conventions stay."""
    strict = Redactor("strict")
    given = {"http.request.method": "GET", "note": "ann", "n": 1, "on": True, "password": "x"}
    assert strict.attributes(given, ()) == {"http.request.method": "GET", "note": "***", "n": 1, "on": True}
    assert strict.text("exception.message", "no ann") == "***"
    stack = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g("ann")\nKeyError: ann'
    assert "ann" not in strict.stack("exception.stacktrace", stack)
    assert 'File "a.py", line 1' in strict.stack("exception.stacktrace", stack)


def test_off_mode_sends_what_was_recorded_but_no_ids_of_sessions() -> None:
    """URLs and names stay masked, because pages and types need few values."""
    off = Redactor("off")
    assert off.attributes({"password": "x", "note": "Bearer abc123def", "user.id": "ann"}, ()) == {
        "password": "x",
        "note": "Bearer abc123def",
    }
    assert off.text("exception.message", "password=x") == "password=x"
    assert off.name("GET /u/ann@example.com") == "GET /u/*"
    assert off.url("url", "https://u:p@a.example/x/4711?token=x") == "https://a.example/x/*"


def test_a_function_decides_about_the_rest() -> None:
    """It gets what would leave; None leaves an attribute out."""
    seen: list[str] = []

    def hook(name: str, value: Any) -> Any:
        seen.append(name)
        return None if name == "plan" else value

    redactor = Redactor.of(hook)
    assert redactor.attributes({"plan": "pro", "password": "x", "a": {"b": "c"}}, ()) == {"a": {"b": "c"}}
    assert seen == ["plan", "a.b"]


def test_a_function_that_raises_sends_nothing() -> None:
    """It must not cost the record."""

    def hook(name: str, value: Any) -> Any:
        raise RuntimeError(name)

    redactor = Redactor.of(hook)
    assert redactor.attributes({"plan": "pro"}, ()) == {"plan": "***"}
    assert redactor.text("exception.message", "no") == "***"


@pytest.mark.parametrize("value", ["strict", "STANDARD", "off", lambda _, value: value])
def test_the_setting_reads_modes_and_functions(value: Any) -> None:
    """In code a function, else a word."""
    found = Config.read({"app_monitor_id": APP_MONITOR_ID, "redaction": value}, {}).redaction
    assert callable(found) or found == value.lower()


def test_another_mode_is_refused() -> None:
    """A typing error must not switch redaction off."""
    with pytest.raises(ConfigError, match="is not one of strict, standard, off"):
        Config.read({"app_monitor_id": APP_MONITOR_ID, "redaction": "none"}, {})
