"""A corpus of secrets and personal data: kinds and forms, made from a seed, and the share of them that leaves.

`python -m tests.mapping.secret_corpus` prints the share. The values are random, and none was ever valid.
"""

from __future__ import annotations

import random
import string
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_rum_exporter.config import Config
from otel_rum_exporter.mapping.events.http_event import xray_trace_id
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.metadata import of_trace
from otel_rum_exporter.mapping.span_view import SpanView
from tests.spans import APP_MONITOR_ID, exception_event, make_span

SEED = 13
FORMS_PER_KIND = 20

Random = random.Random


def _chars(r: Random, alphabet: str, count: int) -> str:
    return "".join(r.choice(alphabet) for _ in range(count))


def _token(r: Random, count: int = 24) -> str:
    return _chars(r, string.ascii_letters + string.digits, count - 2) + "7q"


def _word(r: Random) -> str:
    return "zq" + _chars(r, string.ascii_lowercase, 8) + "x"


def _digits(r: Random, count: int) -> str:
    return r.choice("123456789") + _chars(r, string.digits, count - 1)


def _hex(r: Random, count: int) -> str:
    return _chars(r, "0123456789abcdef", count - 2) + "a7"


def _card(r: Random) -> str:
    body = "4" + _chars(r, string.digits, 14)
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(body))
    return body + str(-total % 10)


def _email(r: Random) -> str:
    return f"{_word(r)}.{_word(r)}@{r.choice(['mail', 'post-office'])}.example.{r.choice(['com', 'org', 'co'])}"


NAMED: dict[str, tuple[str, ...]] = {
    "password": (
        "password",
        "passwd",
        "pwd",
        "userPassword",
        "DB_PASSWORD",
        "pass",
        "passphrase",
        "login.pwd",
        "new-password",
    ),
    "token": ("token", "accessToken", "refresh_token", "auth-token", "id.token", "csrfToken", "xsrf", "bearer"),
    "API key": ("api_key", "apiKey", "APIKEY", "x-api-key", "secret.key", "access_key", "privateKey", "signing-key"),
    "auth": ("auth", "authorization", "oauth2", "user.auth", "jwt", "userJwt", "credentials", "creds", "client_secret"),
    "cookie and session": (
        "cookie",
        "setCookie",
        "session_id",
        "sessionId",
        "sid",
        "JSESSIONID",
        "signature",
        "otp",
        "pin",
    ),
    "first name": ("first_name", "firstName", "first-name", "user.first_name", "givenName", "customer.firstname"),
    "last name": ("last_name", "lastName", "surname", "family_name", "user.surname", "maidenName"),
    "full name": (
        "full_name",
        "fullName",
        "user.name",
        "username",
        "userName",
        "customer.name",
        "cardholder",
        "enduser.name",
    ),
    "e-mail by name": (
        "email",
        "e_mail",
        "user.email",
        "emailAddress",
        "contactEmail",
        "EMAIL",
        "customer_email",
        "mail",
    ),
    "phone by name": (
        "phone",
        "phoneNumber",
        "mobile",
        "user.phone",
        "tel",
        "contact_phone",
        "msisdn",
        "fax",
        "home-phone",
    ),
    "address": (
        "address",
        "address_city",
        "shippingAddress",
        "billing_address",
        "address_line1",
        "user.address",
        "homeAddress",
    ),
    "postal code": ("zip", "zipCode", "postal_code", "postcode", "user.zip", "postalCode"),
    "birth date": ("date_of_birth", "dob", "birthDate", "birthday", "user.dob", "dateOfBirth"),
    "card by name": (
        "card_number",
        "cardNumber",
        "card",
        "creditCard",
        "pan",
        "card-no",
        "payment.card_number",
        "ccNumber",
    ),
    "card code": ("cvv", "cvc", "cardCvc", "security_code", "cvv2", "card.cvv"),
    "bank account": ("iban", "accountNumber", "account_number", "bank_account", "sortCode", "routing_number"),
    "national id": (
        "ssn",
        "national_id",
        "nationalId",
        "social_security_number",
        "passport_number",
        "tax_id",
        "cpf",
        "user.ssn",
    ),
    "driving licence": ("drivers_license", "driverLicense", "driving_licence", "license_plate", "licensePlate"),
    "IP address by name": ("client.address", "client_ip", "remote_addr", "ip", "ipAddress", "user.ip", "net.peer.ip"),
    "end user": ("enduser.id", "enduser.role", "enduser.scope", "enduser.email", "enduser.pseudo.id"),
    "user id": ("user_id", "userId", "user.id", "uid", "user.profile.id", "customer_id", "patientId"),
    "statement parameter": (
        "db.statement.parameters",
        "db.query.parameter.0",
        "db.operation.parameter.x",
        "sql.params",
        "db.user",
    ),
    "statement": ("db.statement", "db.query.text", "sql", "db.sql.query", "raw_sql"),
    "GraphQL": ("graphql.document", "graphql.source", "graphql.variables", "graphql.variables.x", "graphql.args"),
    "query string by name": ("url.query", "query_string", "queryString", "http.request.query", "request.query_string"),
    "body": ("http.request.body", "http.response.body", "form_data", "request.body", "raw_body", "formData"),
    "prompt": ("gen_ai.prompt", "gen_ai.input.messages", "gen_ai.output.messages", "llm.prompts", "gen_ai.completion"),
    "header of a person": (
        "x-forwarded-for",
        "x_real_ip",
        "forwarded",
        "cookie",
        "authorization",
        "x-user",
        "x-auth-token",
        "from",
    ),
    "location": ("latitude", "lon", "geo.location.lat", "user.latitude", "gps"),
    "secret question": ("security_answer", "recoveryCode", "seed_phrase", "mnemonic", "verification_code"),
}
"""Kinds whose value has no form of its own: the attribute's name gives it away."""

FORMED: dict[str, Callable[[Random], str]] = {
    "Bearer": lambda r: f"Bearer {_token(r)}",
    "Basic": lambda r: f"Basic {_token(r)}==",
    "JSON Web Token": lambda r: f"eyJhbGciOiJIUzI1NiJ9.eyJ{_token(r)}.{_token(r, 30)}",
    "OpenAI key": lambda r: f"sk-proj-{_token(r, 40)}",
    "Anthropic key": lambda r: f"sk-ant-api03-{_token(r, 40)}",
    "Stripe key": lambda r: f"sk_live_{_token(r)}",
    "AWS access key": lambda r: f"AKIA{_chars(r, string.ascii_uppercase + '234567', 15)}7",
    "AWS session key": lambda r: f"ASIA{_chars(r, string.ascii_uppercase + '234567', 15)}7",
    "GitHub token": lambda r: f"ghp_{_token(r, 36)}",
    "GitHub fine-grained token": lambda r: f"github_pat_{_token(r, 40)}",
    "GitLab token": lambda r: f"glpat-{_token(r, 20)}",
    "Slack token": lambda r: f"xoxb-{_digits(r, 11)}-{_token(r)}",
    "Slack webhook": lambda r: f"https://hooks.slack.com/services/T{_token(r, 8)}/B{_token(r, 8)}/{_token(r)}",
    "Google key": lambda r: f"AIza{_token(r, 35)}",
    "npm token": lambda r: f"npm_{_token(r, 36)}",
    "SendGrid key": lambda r: f"SG.{_token(r, 22)}.{_token(r, 43)}",
    "Hugging Face token": lambda r: f"hf_{_token(r, 34)}",
    "Shopify token": lambda r: f"shpat_{_hex(r, 32)}",
    "Vault token": lambda r: f"hvs.{_token(r, 24)}",
    "Telegram token": lambda r: f"{_digits(r, 9)}:AA{_token(r, 33)}",
    "private key": lambda r: (
        f"-----BEGIN RSA PRIVATE KEY-----\n{_token(r, 60)}\n{_token(r, 60)}\n-----END RSA PRIVATE KEY-----"
    ),
    "e-mail address": _email,
    "encoded e-mail address": lambda r: _email(r).replace("@", "%40"),
    "password of a URL": lambda r: f"https://{_word(r)}:{_word(r)}@shop.example/",
    "password with @": lambda r: f"postgres://{_word(r)}:p@{_word(r)}@db.example:5432/shop",
    "connection string": lambda r: f"Server=db;AccountName=x;AccountKey={_token(r, 40)};Password={_word(r)}",
    "query of a URL": lambda r: f"https://shop.example/x?code={_word(r)}&state={_word(r)}",
    "fragment of a URL": lambda r: f"https://shop.example/#access_token={_token(r)}",
    "session id in a URL": lambda r: f"https://shop.example/x;jsessionid={_token(r)}?a=1",
    "form body": lambda r: f"user={_word(r)}&password={_word(r)}&city={_word(r)}",
    "key and value": lambda r: f"login failed: {r.choice(['password', 'pwd', 'api_key', 'client_secret'])}={_word(r)}",
    "spoken password": lambda r: f"{r.choice(['Password', 'api key', 'x-api-key', 'passwd'])}: {_word(r)}",
    "JSON": lambda r: (
        f'{{"id": 1, "{r.choice(["password", "accessToken", "ssn"])}": "{_word(r)}", '
        f'"user": {{"email": "{_word(r)}"}}}}'
    ),
    "representation": lambda r: f"cannot read {{'{r.choice(['passwd', 'api_key', 'auth'])}': '{_word(r)}', 'n': 3}}",
    "SQLAlchemy": lambda r: (
        f"(x.IntegrityError) UNIQUE\n[SQL: insert into users values (?, '{_word(r)}')]\n"
        f"[parameters: ('{_word(r)}', 1)]\n(Background on this error at: https://sqlalche.me/e/20/gkpj)"
    ),
    "refused row": lambda r: f"duplicate key\nDETAIL:  Key (email)=({_word(r)}) already exists.",
    "card number": _card,
    "card number in groups": lambda r: " ".join(textwrap.wrap(_card(r), 4)),
    "social security number": lambda r: f"{_digits(r, 3)}-{_digits(r, 2)}-{_digits(r, 4)}",
    "phone number": lambda r: f"+49 {_digits(r, 3)} {_digits(r, 7)}",
    "data URL": lambda r: f"data:image/png;base64,{_token(r, 60)}",
}
"""Kinds whose value has a form: any text can have it."""

IDS: dict[str, Callable[[Random], str]] = {
    "number": lambda r: _digits(r, r.choice((3, 5, 8))),
    "UUID": lambda r: f"{_hex(r, 8)}-{_hex(r, 4)}-4{_hex(r, 3)}-a{_hex(r, 3)}-{_hex(r, 12)}",
    "ULID": lambda r: f"01{_chars(r, '0123456789ABCDEFGHJKMNPQRSTVWXYZ', 24)}",
    "nanoid": lambda r: _token(r, 21),
    "object id": lambda r: _hex(r, 24),
    "SHA-256": lambda r: _hex(r, 64),
    "short digest": lambda r: "1" + _hex(r, 7),
    "order number": lambda r: f"ORD-20{_digits(r, 2)}-{_digits(r, 6)}",
    "id with prefix": lambda r: f"{r.choice(['usr', 'cus', 'acct'])}_{_token(r, 12)}",
    "number in a file name": lambda r: f"{_digits(r, 4)}.{r.choice(['json', 'html', 'pdf'])}",
    "digest in a file name": lambda r: f"app.1{_hex(r, 11)}.js",
    "e-mail address in a path": _email,
    "encoded e-mail address in a path": lambda r: _email(r).replace("@", "%40"),
    "token in a path": lambda r: _token(r, 32),
    "JSON Web Token in a path": lambda r: f"eyJhbGciOiJIUzI1NiJ9.eyJ{_token(r)}.{_token(r, 30)}",
    "phone number in a path": lambda r: f"+49{_digits(r, 9)}",
}
"""Kinds of ids, in paths and names."""


class Case(NamedTuple):
    """A secret in a place: what must not be in any event, and the span that has it."""

    kind: str
    parts: tuple[str, ...]
    span: Any


def cases(forms: int = FORMS_PER_KIND) -> Iterator[Case]:
    """Yield every kind in its forms, the same in each run."""
    for kind, names in NAMED.items():
        for form in range(forms):
            r = Random(f"{SEED} {kind} {form}")
            value = _word(r)
            yield Case(kind, (value,), _named(kind, names[form % len(names)], value, form // len(names)))
    for kind, make in FORMED.items():
        for form in range(forms):
            text = make(Random(f"{SEED} {kind} {form}"))
            yield Case(kind, _parts(text), _formed(text, form))
    for kind, make in IDS.items():
        for form in range(forms):
            value = make(Random(f"{SEED} {kind} {form}"))
            yield Case(kind, _parts(value) or (value,), _identified(value, form))


def leaks(case: Case, mapper: Mapper | None = None) -> bool:
    """Return whether a part of the secret is in an event or in its metadata."""
    view = SpanView.of(case.span)
    sent = orjson.dumps([[draft[0], draft[2]] for draft in (mapper or _mapper()).map(view)[1]]).decode()
    sent += orjson.dumps(of_trace(view)).decode()
    # A short number can be among the digits of the span's own ids, which depend on the tests before.
    for own_id in (view.trace_id, xray_trace_id(view.trace_id), view.span_id):
        sent = sent.replace(own_id, "")
    return any(part in sent for part in case.parts)


def shares() -> dict[str, float]:
    """Return the share of the forms that leave, by kind."""
    found: dict[str, list[bool]] = {}
    for case in cases():
        found.setdefault(case.kind, []).append(leaks(case))
    return {kind: sum(each) / len(each) for kind, each in found.items()}


def _mapper() -> Mapper:
    return Mapper(Config.read({"app_monitor_id": APP_MONITOR_ID, "http_events": "all"}, {}))


def _parts(text: str) -> tuple[str, ...]:
    """Return the random parts of a text: its words that no template contains."""
    words = "".join(sign if sign.isalnum() else " " for sign in text).split()
    return tuple(word for word in words if len(word) >= 4 and (word.startswith("zq") or _is_random(word)))


def _is_random(word: str) -> bool:
    return any(sign.isdigit() for sign in word) and word not in {
        "api03",
        "base64",
        "HS256",
        "2eyJ",
        "eyJhbGciOiJIUzI1NiJ9",
        "5432",
    }


def _named(kind: str, name: str, value: str, place: int) -> Any:
    if kind == "header of a person":
        return make_span("work", attributes={f"http.request.header.{name}": (value,)})
    places: tuple[dict[str, Any], ...] = (
        {name: value},
        {"request": {name: value, "kept": 1}},
        {name: [value, value]},
        {"items": [{name: value}]},
        {"payload_json": orjson.dumps({name: value, "n": 1}).decode()},
    )
    return make_span("work", attributes=places[place % len(places)])


def _formed(text: str, form: int) -> Any:  # noqa: PLR0911 - one return for each place
    stack = f'Traceback (most recent call last):\n  File "/srv/a.py", line 9, in f\n    call()\nshop.Error: {text}\n'
    match form % 7:
        case 0:
            return make_span("work", attributes={"note": text})
        case 1:
            return make_span("work", events=[exception_event("shop.Error", text, stack)])
        case 2:
            return make_span("work", status=Status(StatusCode.ERROR, text))
        case 3:
            return make_span("work", attributes={"details": {"notes": [text]}})
        case 4:
            return make_span(
                "work",
                attributes={"http.method": "GET", "http.status_text": text, "http.status_code": 500},
                kind=SpanKind.CLIENT,
            )
        case 5:
            return make_span("work", attributes={"error.type": text, "http.method": "GET"}, kind=SpanKind.CLIENT)
    return make_span("work", events=[exception_event("shop.Error", f"failed: {text}", stack)])


def _identified(value: str, form: int) -> Any:
    path = f"/shop/{value}/edit" if form % 2 else f"/shop/{value}"
    url = f"https://shop.example{path}"
    match form % 6:
        case 0:
            return make_span(
                f"GET {path}",
                attributes={
                    "http.request.method": "GET",
                    "url.path": path,
                    "http.response.status_code": 500,
                    "server.address": "shop.example",
                },
                kind=SpanKind.SERVER,
            )
        case 1:
            return make_span(
                "GET",
                attributes={"http.request.method": "GET", "url.full": url, "http.response.status_code": 404},
                kind=SpanKind.CLIENT,
            )
        case 2:
            return make_span(f"GET {path}")
        case 3:
            return make_span("work", attributes={"url.full": url})
        case 4:
            return make_span("routeChange", attributes={"location.href": url, "prev.href": url})
    return make_span("work", attributes={"http.request.header.referer": (url,)})


if __name__ == "__main__":
    import sys

    found = shares()
    sys.stdout.writelines(f"{share:7.0%} {kind}\n" for kind, share in found.items() if share)
    sys.stdout.write(f"{len(found)} kinds, {sum(found.values()) / len(found):.1%} leave\n")
