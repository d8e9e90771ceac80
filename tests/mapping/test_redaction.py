"""Secrets and personal data are removed from attributes, URLs and texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_rum_exporter.mapping import secret_texts
from otel_rum_exporter.mapping.attribute_values import MAX_DEPTH
from otel_rum_exporter.mapping.private_names import Treatment, treatment_of
from otel_rum_exporter.mapping.redaction import STANDARD, Redactor
from otel_rum_exporter.mapping.secret_forms import SECRET_TEXTS
from otel_rum_exporter.mapping.secret_texts import MAX_CHARS, scrub_text
from tests.mapping.regex_steps import StepCounter

HEADERS = ("x_forwarded_for", "forwarded", "x_real_ip", "authorization", "cookie", "x_auth_token", "x_csrf_token")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "session.id",
            "user.id",
            "user.email",
            "user.full_name",
            "user.name",
            "enduser.id",
            "session.previous_id",
            "client.address",
            "client.ip",
            "client.socket.address",
            "http.client_ip",
            "source.address",
            "net.peer.ip",
            "net.sock.peer.addr",
            "network.peer.address",
            "url.query",
            "code.locals",
            "db.connection_string",
            "db.query.text",
            "graphql.document",
            "messaging.url",
            "process.command",
            "process.command_args",
            "process.command_line",
        ),
        *(f"http.request.header.{header}" for header in HEADERS),
        *(
            "http.response.header.set-cookie",
            "http.request.header.x-forwarded-for",
            "db.statement",
            "db.query.parameter.0",
        ),
        *("http.response.header.set_cookie", "db.password", "app.api_key", "API-Key", "aws.secret.arn", "auth.Token"),
        *("activation_code", "access_code", "openai_key", "github_pat", "magic_link", "conn_string", "vat_number"),
        *(
            "contraseña",
            "motDePasse",
            "lösenord",
            "пароль",
            "密码",
            "パスワード",
            "비밀번호",
            "kata_sandi",
            "clave",
            "Parola",
        ),
        *(
            "prénom",
            "apellidos",
            "geburtsdatum",
            "fecha_de_nacimiento",
            "telefono",
            "straße",
            "code_postal",
            "user",
            "login",
        ),
        *("ai.prompt.messages", "ai.response.text", "langfuse.observation.input", "retrieval.document.content"),
        *("http.request.header.baggage", "kafka.message.value", "function.args", "user.location"),
        *("displayName", "recipient", "account_holder", "android_id", "contactNumber", "code.stacktrace.locals"),
    ],
)
def test_personal_data_and_secrets_are_not_exportable(name: str) -> None:
    """RUM gets session and user as hashed ids, and no secrets."""
    assert treatment_of(name) is not Treatment.SENT
    assert STANDARD.attributes({name: "SECRET", "kept": 1}, ()) == {"kept": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("http.route", "user_agent.original", "db.operation.name", "service.name", "http.request.header.accept"),
        *(
            "user.plan",
            "login.method",
            "document.content_type",
            "direction",
            "handy_feature",
            "location",
        ),
        *("message.id", "ai.response.finishReason", "tool.name", "code.function", "user.roles"),
    ],
)
def test_attributes_of_the_application_are_exportable(name: str) -> None:
    """Only names in the tables are private."""
    assert STANDARD.attributes({name: "x"}, ()) == {name: "x"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("http.url", "https://u:p@a.example/x?token=SECRET&q=tea", "https://a.example/x?q=tea"),
        ("http.target", "/x?token=SECRET", "/x"),
        ("http.request.header.referer", ("https://a.example/x?token=SECRET",), ["https://a.example/x"]),
        ("http.response.header.location", ["/next?token=SECRET"], ["/next"]),
        ("url.full", 42, 42),
    ],
)
def test_urls_lose_their_secrets_in_every_attribute(name: str, value: Any, expected: Any) -> None:
    """Captured headers are lists; query parameters that the settings name stay."""
    assert STANDARD.attributes({name: value}, ("q",)) == {name: expected}


def test_maps_among_values_are_filtered_too() -> None:
    """Attributes may be nested since SDK 1.45."""
    nested = {"request": {"url.full": "https://a.example/x?token=SECRET", "user.email": "SECRET", "kept": 1}}
    assert STANDARD.attributes(nested, ()) == {"request": {"url.full": "https://a.example/x", "kept": 1}}


@pytest.mark.parametrize(
    "pairs",
    [
        [{"name": "Authorization", "value": "SECRET"}, {"name": "Accept", "value": "*/*"}],
        [["authorization", "SECRET"], ["accept", "*/*"]],
        {"key": "session_token", "value": "SECRET"},
        '[{"name": "password", "value": "SECRET"}]',
    ],
    ids=str,
)
def test_a_value_beside_its_name_is_private_too(pairs: Any) -> None:
    """Headers and parameters are often lists of pairs."""
    assert "SECRET" not in str(STANDARD.attributes({"sent": pairs}, ()))


@pytest.mark.parametrize("pairs", [["password", "email"], [["width", 3], ["height", 4]], {"name": "tea", "value": 3}])
def test_lists_and_maps_that_are_no_secrets_stay(pairs: Any) -> None:
    """A list of names has no values."""
    assert STANDARD.attributes({"sent": pairs}, ()) == {"sent": pairs}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "HTTPConnectionPool(host='a', port=9): Max retries exceeded with url: /x?token=SECRET&email=b@c (Caused by",
            "HTTPConnectionPool(host='a', port=9): Max retries exceeded with url: /x (Caused by",
        ),
        (
            "404 Client Error for url: http://u:SECRET@a.example/n?token=SECRET",
            "404 Client Error for url: http://a.example/n",
        ),
        ('requests.get("https://a.example/x?token=SECRET")', 'requests.get("https://a.example/x")'),
        ("is a == b ? a : b", "is a == b ? a : b"),
        ("login failed: user=ann, password=SECRET.", "login failed: user=ann, password=***"),
        ("cannot read {'api_key': 'SECRET', 'retries': 3}", "cannot read {'api_key': ***, 'retries': 3}"),
        ('{"access_token":"SECRET","ok":true}', '{"access_token":***,"ok":true}'),
        ("sent Authorization: Bearer SECRET\nto a.example", "sent Authorization: ***\nto a.example"),
        ("{'Cookie': 'id=SECRET; b=SECRET'}", "{'Cookie': '***'}"),
        ("AWS_SECRET_ACCESS_KEY=SECRET python app.py", "AWS_SECRET_ACCESS_KEY=*** python app.py"),
        ("    token = read_token(path)", "    token = read_token(path)"),
        ("Unexpected token: <", "Unexpected token: <"),
        ("KeyError: 'token'", "KeyError: 'token'"),
        ("really? yes", "really? yes"),
        ("{'password': ['SECRET', 'b']}", "{'password': ***]}"),
        ("secret => SECRET", "secret => ***"),
        ("password   =   SECRET", "password   =   ***"),
        ("iban :: x", "iban :: x"),
        ("The duplicate key value is (SECRET).", "The duplicate key value is (***)."),
        ('E11000 dup key: { email: "SECRET" }', "E11000 dup key: ***"),
        ("[generated in 0.0001s] ('SECRET',)", "[generated in 0.0001s] ***"),
        ("mysqldump -h db -uroot -pSECRET shop", "mysqldump -h db -uroot -p*** shop"),
        ("sshpass -p SECRET ssh a.example", "sshpass -p *** ssh a.example"),
        ("docker login -u ann -p SECRET a.example", "docker login -u ann -p *** a.example"),
        ("redis-cli -p 6379 -a SECRET ping", "redis-cli -p 6379 -a *** ping"),
        ("openssl -pass pass:SECRET -in a.pem", "openssl -pass pass:*** -in a.pem"),
        ("curl -uann:SECRET https://a.example", "curl -u*** https://a.example"),
        ("Invalid password 'SECRET' for ann", "Invalid password *** for ann"),
        ("the password is SECRET1", "the password is ***"),
        ("Your new password is: SECRET1", "Your new password is: ***"),
        ("your verification code is 123456", "your verification code is ***"),
        ("Incorrect API key provided: SECRET", "Incorrect API key provided: ***"),
        ("invalid token 'SECRET12'", "invalid token ***"),
        ("password=a token: 'SECRET12' of", "password=*** token: *** of"),
        ('Token: "SECRET12"', "Token: ***"),
        ("token = 'SECRET12'", "token = ***"),
        ("invalid token: SECRET12, retry", "invalid token: ***, retry"),
        ("token:SECRET.12_ab", "token:***"),
        ("пароль: SECRET", "пароль: ***"),
        ("contraseña : SECRET", "contraseña : ***"),
        (
            "insert into `users` (`name`) values ('SECRET', 4) - UNIQUE constraint failed: users.name",
            "insert into `users` (`name`) values (***) - UNIQUE constraint failed: users.name",
        ),
        ("SELECT a FROM b WHERE c = 'SECRET' AND d = $1", "SELECT a FROM b WHERE c = *** AND d = $1"),
        ("no (Connection: mysql, SQL: select * from a where b = SECRET)", "no (Connection: mysql, SQL: ***"),
        (
            'query failed: UPDATE a SET b = $1 -- PARAMETERS: ["SECRET"]',
            "query failed: UPDATE a SET b = $1 -- PARAMETERS: ***",
        ),
        ('SELECT a FROM b WHERE c = $1 [["c", "SECRET"]]', "SELECT a FROM b WHERE c = $1 ***"),
        ("[cached since 0.1s ago] {'a': 'SECRET'}", "[cached since 0.1s ago] ***"),
    ],
)
def test_texts_lose_secrets(text: str, expected: str) -> None:
    """Exceptions of HTTP libraries contain the URL that failed."""
    assert expected == scrub_text(text)


@pytest.mark.parametrize(
    ("number", "is_masked"),
    [
        ("400123456784", False),
        ("4001234567893", True),
        ("4001234567890123458", True),
        ("40012345678901234561", False),
        *(
            (f"{first}00123456789012{check}", first in "23456")
            for first, check in zip("1234567", "6420753", strict=True)
        ),
        ("4001234567890121", False),
    ],
)
def test_a_card_number_has_13_to_19_digits_a_first_and_a_check_digit(number: str, *, is_masked: bool) -> None:
    """Orders and invoices have numbers too."""
    assert scrub_text(f"paid {number} twice") == f"paid {'***' if is_masked else number} twice"


PATTERNS = {row.what: row.pattern for row in SECRET_TEXTS}
PARTS = ["token", 'password"', "cookie:", "token.-", "secret='", "authorization ", "key=", "?a=", ";sid=", "://a", "x"]
COUNTS = (25, 50)
"""The numbers of parts in a text; one is twice as long as the other. The counter takes microseconds for each step."""


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", PATTERNS)
def test_text_is_scrubbed_in_linear_time(name: str, part: str) -> None:
    """Applications choose the length of messages, and a text twice as long takes at most about twice the steps."""
    one, two = (StepCounter(PATTERNS[name], part * count + "=") for count in COUNTS)
    assert two.steps < 2.2 * one.steps


@pytest.mark.parametrize("name", PATTERNS)
@settings(max_examples=25)
@given(text=st.lists(st.sampled_from([*PARTS, "'", '"', "@", "=", " ", "\n", "v", ":12", "#", ";"])).map("".join))
def test_the_step_counter_matches_as_re_does(name: str, text: str) -> None:
    """Otherwise its steps would mean nothing."""
    pattern = PATTERNS[name]
    assert StepCounter(pattern, text).spans == [found.span() for found in pattern.finditer(text)]


def test_the_step_counter_finds_quadratic_patterns() -> None:
    """As of a pattern that looks for the end of a word from each of its characters."""
    one, two = (StepCounter(re.compile(r"\w+="), "x" * count) for count in COUNTS)
    assert two.steps > 3.5 * one.steps


@settings(max_examples=100)
@given(st.text(max_size=60), st.text("abcXYZ-_.~%", min_size=1, max_size=10))
def test_no_query_of_a_url_in_a_text_survives(around: str, path: str) -> None:
    """Around it, any text is possible."""
    found = scrub_text(f"{around} https://a.example/{path}?token=SECRET {around}")
    assert not re.search(r"token=SECRET", found)


def test_a_long_text_is_cut_before_it_is_searched() -> None:
    """No event has room for the rest. A statement that is removed makes room for what follows it."""
    assert scrub_text("x" * 100_000) == "x" * MAX_CHARS
    after = scrub_text(f"[SQL: {'x' * 20_000}]\n(Background on this error) {'y' * 20_000} password=hunter2")
    assert after.startswith("[SQL: ***]\n(Background")
    assert "hunter2" not in after


def test_a_function_gets_what_is_left_of_each_kind_of_text() -> None:
    """Also URLs and names, which are scrubbed before."""
    seen: dict[str, Any] = {}
    redactor = Redactor.of(lambda name, value: seen.setdefault(name, value) and "hidden")
    found = [
        redactor.url("http.url", "https://shop.example/cart?token=abc"),
        redactor.name("GET /cart"),
        redactor.label("version", "1.2.3"),
        redactor.text("status.description", "password=hunter2"),
        *redactor.attributes({"color": "red"}, ()).values(),
    ]
    assert found == ["hidden"] * 5
    assert seen == {
        "http.url": "https://shop.example/cart",
        "name": "GET /cart",
        "version": "1.2.3",
        "status.description": "password=***",
        "color": "red",
    }


@pytest.mark.parametrize(
    ("wrap", "levels"),
    [
        (lambda value: {"a": value}, MAX_DEPTH),
        (lambda value: [value], MAX_DEPTH),
        (lambda value: json.dumps({"a": value}), MAX_DEPTH // 2),
        (lambda value: json.dumps([value]), MAX_DEPTH // 2),
    ],
    ids=["maps", "lists", "maps in JSON", "lists in JSON"],
)
def test_values_are_read_to_a_depth(wrap: Callable[[Any], Any], levels: int) -> None:
    """JSON within JSON is a level of its own. What is deeper is left out, as it may be a secret."""
    value: Any = "end"
    for _ in range(levels):
        value = wrap(value)
    assert STANDARD.attributes({"k": value}, ()) == {"k": value}
    assert "end" not in str(STANDARD.attributes({"k": wrap(value)}, ()))


@pytest.mark.parametrize("text", ["hats%20and+shoes", "q=hats%20and+shoes%2C+red", "100%25 wool"])
def test_an_encoded_text_without_a_secret_is_kept(text: str) -> None:
    """Also if a plus stands for a blank."""
    assert scrub_text(text) == text


def test_a_form_loses_its_values_and_a_sentence_with_an_ampersand_does_not() -> None:
    """A body that was captured as an attribute."""
    assert STANDARD.attributes({"body": "q=ann&page=2&next=a=b", "note": "x=1 & y=2"}, ()) == {
        "body": "q=***&page=***&next=***",
        "note": "x=1 & y=2",
    }


@settings(max_examples=300)
@given(st.from_regex(secret_texts._SUSPICIOUS))
def test_no_text_that_may_have_a_secret_passes_for_lack_of_a_sign(text: str) -> None:
    """The cheap searches find at least what the pattern finds."""
    assert secret_texts._has_sign(text)
