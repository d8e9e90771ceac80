"""Secrets written after the tables, to attack them: forms of other issuers, countries, systems and encodings.

Each has a text and the parts of it that must not leave, and is tried in texts, URLs and resources. The values are
invented. `python -m tests.mapping.foreign_secrets` prints the share that leaves.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import orjson
from opentelemetry.trace import SpanKind, Status, StatusCode

from otel_rum_exporter.config import Config
from otel_rum_exporter.mapping.app_monitor import AppMonitorResolver
from otel_rum_exporter.mapping.mapper import Mapper
from otel_rum_exporter.mapping.metadata import custom, of_trace
from otel_rum_exporter.mapping.secret_texts import scrub_text
from otel_rum_exporter.mapping.span_view import SpanView
from tests.mapping.secret_corpus import Case
from tests.spans import APP_MONITOR_ID, exception_event, make_span

_RUN = "Zk3Qw8Rt5Yp2Lm9Xc7Vb4Nh6Jd1Gf0SaT"
_LOW = "zk3qw8rt5yp2lm9xc7vb4nh6jd1gf0satq"
_HEX = "9f3e1c7ab5d2084e6c19fa37b8d045e2"


class Foreign(NamedTuple):
    """A secret in a text."""

    kind: str
    text: str
    parts: tuple[str, ...]


def _f(kind: str, text: str, *parts: str) -> Foreign:
    return Foreign(kind, text, parts)


SECRETS: tuple[Foreign, ...] = (
    # keys of issuers
    _f("Twilio API key", f"twilio SK{_HEX} refused", _HEX),
    _f("Mailchimp key", f"key {_HEX}-us14 refused", _HEX),
    _f("DigitalOcean token", f"use dop_v1_{_HEX}{_HEX}", _HEX),
    _f("Doppler token", f"doppler dp.pt.{_RUN}{_RUN[:9]}", _RUN),
    _f("Databricks token", f"dapi{_HEX} expired", _HEX),
    _f("Azure client secret", f"secret 7Xy8Q~{_RUN} bad", _RUN),
    _f("Grafana cloud token", f"glc_{_RUN}{_RUN} denied", _RUN),
    _f("Pulumi token", f"pul-{_HEX}a1b2c3d4 denied", _HEX),
    _f("RubyGems key", f"rubygems_{_HEX}{_HEX[:16]}", _HEX),
    _f("Linear OAuth token", f"lin_oauth_{_HEX}{_HEX} x", _HEX),
    _f("Sentry token", f"sntrys_{_RUN}_{_RUN}", _RUN),
    _f("Sentry user token", f"sntryu_{_HEX}{_HEX}", _HEX),
    _f("Atlassian API token", f"ATATT3xFfGF0{_RUN}=1A2B3C4D", _RUN),
    _f("Bitbucket token", f"ATBB{_RUN} revoked", _RUN),
    _f("Artifactory key", f"AKCp8{_RUN}{_RUN} revoked", _RUN),
    _f("Terraform token", f"token is a1B2c3D4e5F6g7.atlasv1.{_RUN}{_RUN}", _RUN),
    _f("Fly.io token", f"FlyV1 fm2_{_RUN}{_RUN}== denied", _RUN),
    _f("Supabase key", f"sb_secret_{_RUN} denied", _RUN),
    _f("Clerk key", f"sk_test_{_RUN} denied", _RUN),
    _f("Airtable token", f"patZk3Qw8Rt5Yp2Lm.{_HEX}{_HEX}", _HEX),
    _f("Notion token", f"secret_{_RUN}Ab12Cd34E denied", _RUN),
    _f("Dropbox token", f"sl.B{_RUN}{_RUN}{_RUN}-{_RUN} denied", _RUN),
    _f("HubSpot token", "pat-na1-9f3e1c7a-b5d2-084e-6c19-fa37b8d045e2 denied", "fa37b8d045e2"),
    _f("Perplexity key", f"pplx-{_LOW}{_LOW} denied", _LOW),
    _f("xAI key", f"xai-{_RUN}{_RUN} denied", _RUN),
    _f("PostHog key", f"phx_{_RUN} denied", _RUN),
    _f("Netlify token", f"nfp_{_RUN} denied", _RUN),
    _f("Cloudinary URL", f"cloudinary://874837483274837:{_RUN[:27]}@demo failed", _RUN[:27]),
    _f("Mapbox secret token", f"sk.eyJ1IjoiYW5uIn0.{_RUN} denied", _RUN),
    _f("Square token", f"EAAAE{_RUN}{_RUN} denied", _RUN),
    _f("Adyen key", f"AQE{_RUN}{_RUN}-{_RUN}{_RUN}= denied", _RUN),
    _f("Braintree token", f"access_token$production$9f3e1c7ab5d2084e${_HEX} denied", _HEX),
    _f("Discord token", f"MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{_RUN}zz denied", _RUN),
    _f("Age key", f"AGE-SECRET-KEY-1{_RUN.upper()}{_RUN.upper()[:24]}", _RUN.upper()),
    _f("EC2 session token", f"IQoJb3JpZ2luX2VjE{_RUN}{_RUN}{_RUN} expired", _RUN),
    _f("Google OAuth refresh token", f"1//0g{_RUN}{_RUN}-x expired", _RUN),
    # headers
    _f("Proxy-Authorization", f"Proxy-Authorization: Basic {_RUN}==", _RUN),
    _f("Digest header", f'Authorization: Digest username="zqannamiller", response="{_HEX}"', "zqannamiller", _HEX),
    _f(
        "AWS signature header",
        f"Authorization: AWS4-HMAC-SHA256 Credential=AKIAZQWERTYUIOPASDFG/x, Signature={_HEX}",
        "AKIAZQWERTY",
        _HEX,
    ),
    _f("Cookie header", "Cookie: theme=dark; sid=zqsecretcookie; lang=en", "zqsecretcookie"),
    _f("Set-Cookie header", "Set-Cookie: remember=zqsecretcookie; Path=/; HttpOnly", "zqsecretcookie"),
    _f("X-Amz-Security-Token", f"X-Amz-Security-Token: {_RUN}{_RUN}", _RUN),
    _f("Ocp-Apim-Subscription-Key", f"Ocp-Apim-Subscription-Key: {_HEX}", _HEX),
    _f("DD-API-KEY", f"DD-API-KEY: {_HEX} denied", _HEX),
    _f("X-Vault-Token", f"X-Vault-Token: s.{_RUN} denied", _RUN),
    _f("header pairs", f"[(b'authorization', b'Basic {_RUN}'), (b'x-api-key', b'zqsecretkey')]", _RUN, "zqsecretkey"),
    _f("header tuples", "('x-api-key', 'zqsecretkey'), ('cookie', 'zqsecretcookie')", "zqsecretkey", "zqsecretcookie"),
    _f("curl user", "curl -u zqannamiller:zqhunter2 https://a.example failed", "zqhunter2"),
    _f("curl header", f'curl -H "Authorization: token {_HEX}" https://a.example', _HEX),
    _f("command line password", "mysql --password zqhunter2 --host db failed", "zqhunter2"),
    _f("command line password with =", "mysqldump --password=zqhunter2 --host=db failed", "zqhunter2"),
    _f("quoted password with spaces", "password='zq hunter two' is wrong", "hunter two"),
    # SAML, PEM, PGP, SSH
    _f("SAML response", f"SAMLResponse=PHNhbWxwOlJlc3BvbnNl{_RUN} rejected", _RUN),
    _f("SAML assertion", "<saml:NameID Format='x'>zqannamiller</saml:NameID>", "zqannamiller"),
    _f("XML password", "<wsse:Password Type='x'>zqhunter2</wsse:Password>", "zqhunter2"),
    _f("XML token", "<token>zqhunter2token</token> refused", "zqhunter2token"),
    _f("PEM", f"-----BEGIN EC PRIVATE KEY-----\n{_RUN}\n-----END EC PRIVATE KEY-----", _RUN),
    _f("PEM with escaped lines", f"-----BEGIN PRIVATE KEY-----\\n{_RUN}\\n-----END PRIVATE KEY-----", _RUN),
    _f("PGP block", f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{_RUN}\n-----END PGP PRIVATE KEY BLOCK-----", _RUN),
    _f("PuTTY key", f"PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\n{_RUN}{_RUN}\nPrivate-MAC: {_HEX}", _RUN),
    # connection strings
    _f("Redis", "redis://:zqhunter2@cache.example:6379/0 refused", "zqhunter2"),
    _f("MongoDB", "mongodb+srv://ann:zqhunter2@c0.example/?retryWrites=true refused", "zqhunter2"),
    _f("AMQP", "amqps://ann:zqhunter2@mq.example:5671/%2Fshop refused", "zqhunter2"),
    _f("MySQL", "mysql+pymysql://ann:zq#hunter/2@db.example/shop refused", "hunter/2"),
    _f("libpq", "host=db user=zqann password=zqhunter2 dbname=shop refused", "zqhunter2"),
    _f("JDBC", "jdbc:sqlserver://db:1433;user=sa;password=zqhunter2;encrypt=true", "zqhunter2"),
    _f("JDBC Oracle", "jdbc:oracle:thin:scott/zqhunter2@db.example:1521:orcl refused", "zqhunter2"),
    _f("Oracle", "cannot connect scott/zqhunter2@db.example:1521/orcl", "zqhunter2"),
    _f("ODBC", "Driver={ODBC Driver 18};Server=db;Uid=sa;Pwd={zqhunter2};", "zqhunter2"),
    _f("Go MySQL", "sql: ann:zqhunter2@tcp(db.example:3306)/shop refused", "zqhunter2"),
    _f("Service Bus", f"Endpoint=sb://x.example/;SharedAccessKeyName=Root;SharedAccessKey={_RUN}=", _RUN),
    _f("Kafka JAAS", 'PlainLoginModule required username="zqann" password="zqhunter2";', "zqhunter2"),
    _f("NATS", "nats://zqtokenvalue@nats.example:4222 refused", "zqtokenvalue"),
    _f("SMTP", "smtp://ann%40a.example:zqhunter2@mail.example:587 refused", "zqhunter2"),
    _f("LDAP bind", "bind failed: uid=zqannamiller,ou=people,dc=example", "zqannamiller"),
    _f("SQL grant", "CREATE USER ann IDENTIFIED BY 'zqhunter2'", "zqhunter2"),
    _f("SQL password", "ALTER USER ann WITH PASSWORD 'zqhunter2'", "zqhunter2"),
    # pre-signed URLs
    _f(
        "S3",
        f"https://b.s3.amazonaws.example/k?X-Amz-Credential=AKIAZQWERTYUIOPASDFG%2F2026&X-Amz-Signature={_HEX}",
        _HEX,
    ),
    _f("GCS", f"https://storage.example/b/k?GoogleAccessId=a&Expires=1&Signature={_RUN}%3D", _RUN),
    _f("Azure SAS", f"https://a.blob.example/c/k?sv=2024&sp=r&sig={_RUN}%3D", _RUN),
    _f("CloudFront", f"https://d1.cloudfront.example/k?Policy={_RUN}&Signature={_RUN}&Key-Pair-Id=K2", _RUN),
    _f("Azure Functions code", f"POST https://f.example/api/x?code={_RUN}== 500", _RUN),
    _f("Slack workflow", f"https://hooks.slack.com/workflows/T0/A0/1/{_RUN}", _RUN),
    _f("Discord webhook", f"https://discord.com/api/webhooks/1234567890/{_RUN}", _RUN),
    _f("Teams webhook", f"https://x.webhook.office.com/webhookb2/{_RUN}@x/IncomingWebhook/{_RUN}", _RUN),
    _f("Google Chat webhook", f"https://chat.googleapis.com/v1/spaces/A/messages?key=a&token={_RUN}", _RUN),
    _f("Zapier webhook", "https://hooks.zapier.com/hooks/catch/123/zqsecrt/ refused", "zqsecrt"),
    _f("Telegram bot", f"https://api.telegram.org/bot123456789:AAE{_RUN}/sendMessage", _RUN),
    # people
    _f("IBAN GB", "IBAN GB82 WEST 1234 5698 7654 32 refused", "5698 7654"),
    _f("IBAN FR", "to FR1420041010050500013M02606 refused", "0050500013M"),
    _f("IBAN lower case", "iban: de89370400440532013000", "370400440532"),
    _f("card with dots", "card 4111.1111.1111.1111 refused", "4111.1111.1111"),
    _f("Amex", "card 3782 822463 10005 refused", "822463"),
    _f("phone GB", "call +44 (0)20 7946 0958 now", "7946"),
    _f("phone FR", "call +33 6 12 34 56 78 now", "12 34 56"),
    _f("phone US", "call (555) 867-5309 now", "867-5309"),
    _f("phone US with dots", "call 555.867.5309 now", "867.5309"),
    _f("phone IN", "call +91-98765-43210 now", "43210"),
    _f("phone BR", "call +55 11 91234-5678 now", "91234"),
    _f("phone with 00", "call 0049 151 23456789 now", "23456789"),
    _f("phone link", "tel:+4915123456789 failed", "15123456789"),
    _f("e-mail with quotes", 'to "ann miller"@zqmail.example.com', "zqmail"),
    _f("e-mail of IDN", "to zqänn@müller.example now", "zqänn"),
    _f("encoded e-mail twice", "to zqann%2540mail.example.com now", "zqann"),
    _f("e-mail with wide @", "to zqann\uff20mail.example.com now", "zqann"),
    _f("e-mail in angle brackets", "Ann <zqann@mail.example.com>", "zqann"),
    _f("e-mail in HTML", "to zqann&#64;mail.example.com now", "zqann"),
    _f("mailto", "mailto:zqann@mail.example.com?subject=x", "zqann"),
    _f("CPF", "CPF 529.982.247-25 refused", "982.247"),
    _f("Windows home", r"No such file: C:\Users\zqannamiller\AppData\x.txt", "zqannamiller"),
    _f("home of Linux", "No such file: '/home/zqannamiller/.ssh/id_rsa'", "zqannamiller"),
    _f("home of macOS", "No such file: /Users/zqannamiller/Library/x", "zqannamiller"),
    _f("home in a file URL", "file:///C:/Users/zqannamiller/x.html", "zqannamiller"),
    # encodings
    _f("encoded form", "body: password%3Dzqhunter2%26x%3D1", "zqhunter2"),
    _f("encoded twice", "next=%252Flogin%253Ftoken%253Dzqhunter2token", "zqhunter2token"),
    _f("encoded URL", "next https%3A%2F%2Fa.example%2F%3Ftoken%3Dzqhunter2token", "zqhunter2token"),
    _f("JSON in a string", '{"body":"{\\"password\\":\\"zqhunter2\\"}"}', "zqhunter2"),
    _f(
        "JSON in a JSON string", '{"b":"{\\"c\\":\\"{\\\\\\"password\\\\\\":\\\\\\"zqhunter2\\\\\\"}\\"}"}', "zqhunter2"
    ),
    _f("JSON with escapes", '{"pass\\u0077ord":"zqhunter2"}', "zqhunter2"),
    _f("YAML", "db:\n  user: ann\n  password: zqhunter2\n", "zqhunter2"),
    _f("YAML block", "password: >-\n  zqhunter2\nnext: 1", "zqhunter2"),
    _f("value on the next line", "Password:\nzqhunter2\nnext", "zqhunter2"),
    _f("dotenv", "export DB_PASS=zqhunter2", "zqhunter2"),
    _f("dotenv key", "STRIPE_KEY=zqhunter2key9 loaded", "zqhunter2key9"),
    _f("spoken password", "the password is zqhunter2", "zqhunter2"),
    _f("arrow", '{:password=>"zqhunter2"}', "zqhunter2"),
    _f("PHP array", "['password' => 'zqhunter2']", "zqhunter2"),
    _f("wide equals sign", "password\uff1dzqhunter2", "zqhunter2"),
    _f("wide colon", "password\uff1a zqhunter2", "zqhunter2"),
    _f("Cyrillic look-alike", "p\u0430ssword=zqhunter2", "zqhunter2"),
    _f("zero-width space", "pass\u200bword=zqhunter2", "zqhunter2"),
    _f("Go struct", "{User:ann Password:zqhunter2 Port:1}", "zqhunter2"),
    _f("dataclass", "Login(user='ann', password='zqhunter2', n=1)", "zqhunter2"),
    _f("pydantic", "password\n  String too short [type=x, input_value='zqhunter2', input_type=str]", "zqhunter2"),
    _f("German", "Passwort: zqhunter2", "zqhunter2"),
    _f("Spanish", "contraseña=zqhunter2", "zqhunter2"),
    _f("French", "mot de passe : zqhunter2", "zqhunter2"),
)


NOT_RECOGNISED = frozenset(
    {
        "e-mail with quotes",
        "JSON with escapes",
        "YAML block",
        "value on the next line",
        "dotenv key",
        "Cyrillic look-alike",
        "zero-width space",
    }
)
"""Kinds that leave: docs/privacy.md names them."""


def cases(every: int = 1) -> Iterator[Case]:
    """Yield each secret in each kind of place; of the many URLs, every `every`-th."""
    urls = itertools.count()
    for secret in SECRETS:
        in_urls = (
            pair
            for url, needs_host in _urls(secret)
            if next(urls) % every == 0
            for pair in _with_url(url, needs_host=needs_host)
        )
        for place, span in itertools.chain(_in_texts(secret.text), in_urls, _in_resources(secret.text)):
            yield Case(f"{secret.kind} in {place}", secret.parts, span)


def leaks(case: Case) -> bool:
    """Return whether a part of the secret is sent by settings that send more than usual, encoded or not."""
    view = SpanView.of(case.span)
    resolution = _RESOLVER.of(view.resource)
    assert resolution is not None
    drafts = [[draft[0], draft[2]] for draft in _MAPPER.map(view)[1]]
    sent = orjson.dumps([drafts, of_trace(view), custom(view.attributes, _CONFIG)]).decode() + str(resolution)
    return any(part in text for part in case.parts for text in (sent, unquote(sent), unquote(unquote(sent))))


def _in_texts(text: str) -> Iterator[tuple[str, Any]]:
    stack = f'Traceback (most recent call last):\n  File "/srv/a.py", line 9, in f\n    call()\nshop.Error: {text}\n'
    yield "attribute", make_span("work", attributes={"note": text})
    yield "message", make_span("work", events=[exception_event("shop.Error", text, stack)])
    yield "status", make_span("work", status=Status(StatusCode.ERROR, text))
    yield "title", make_span("routeChange", attributes={"document.title": text, "location.href": "https://a.example/"})
    yield "user agent", make_span("work", attributes={"user_agent.original": f"app/1 ({text})"})
    yield "browser", make_span("work", attributes={"user_agent.original": f"Mozilla/5.0 ({text})"})
    yield "frame", make_span("work", events=[exception_event("shop.Error", "", stack)])


def _urls(secret: Foreign) -> Iterator[tuple[str, bool]]:
    """Yield URLs with the whole text, and with those words of it that are secrets alone; and the URLs in it.

    Of the latter the host matters: without it, as in a page, the path of a webhook is no secret.
    """
    words = [word for word in secret.text.split() if any(part in word for part in secret.parts)]
    alone = [word for word in words if not any(part in scrub_text(word) for part in secret.parts)]
    for url in (
        *("https://shop.example/pay?next={}&page=2", "https://shop.example/pay?next={}", "https://shop.example/{}/x"),
        *("https://shop.example/pay#{}", "https://shop.example/#/pay/{}", "https://ann:{}@shop.example/pay"),
        *("https://{}@shop.example/pay", "https://shop.example/pay#token={}", "https://shop.example/pay?token={}"),
    ):
        for value in (secret.text, *alone):
            once = quote(value, safe="")
            yield from ((url.format(encoded), False) for encoded in (once, quote(once, safe="")))
    yield from ((url, True) for url in re.findall(r"https?://[^\s'\"]+", secret.text))


def _with_url(url: str, *, needs_host: bool) -> Iterator[tuple[str, Any]]:
    target = "/" + url.split("/", 3)[-1]
    path, _, query = target.partition("?")
    failed = {"http.request.method": "GET", "http.response.status_code": 500}
    page = {"http.method": "GET", "http.status_code": 200, "http.target": target, "http.host": "shop.example"}
    name = f"GET {target}"
    yield f"request made {url}", make_span("GET", attributes={**failed, "url.full": url}, kind=SpanKind.CLIENT)
    yield f"document {url}", make_span("work", resource={"browser.document.url.full": url, "note": url})
    yield f"message {url}", make_span("work", events=[exception_event("shop.Error", f"GET {url} failed")])
    if not needs_host:
        served = {**failed, "url.path": path, "url.query": query}
        referred = {**page, "http.request.header.referer": (url,)}
        yield f"request {url}", make_span(name, attributes=served, kind=SpanKind.SERVER)
        yield f"page {url}", make_span(name, attributes=referred, kind=SpanKind.SERVER)
        yield f"route {url}", make_span("routeChange", attributes={"location.href": url, "prev.href": url})
        yield f"name {url}", make_span(name, attributes={"url.full": url, "note": url})


def _in_resources(text: str) -> Iterator[tuple[str, Any]]:
    for name in (
        *("note", "service.name", "service.version", "app.build_id", "user_agent.original", "user_agent.name"),
        *("os.name", "os.version", "browser.language", "geo.country.iso_code"),
    ):
        yield f"resource attribute {name}", make_span("work", resource={name: text})
    yield "brand of a browser", make_span("work", resource={"browser.brands": (f"{text} 1",)})


_CONFIG = Config.read(
    {
        "app_monitor_id": APP_MONITOR_ID,
        "metadata_attributes": ["note"],
        "http_events": "all",
        "page_views": "all",
        "custom_events": "all",
        "xray_events": True,
    },
    {},
)
_MAPPER = Mapper(_CONFIG)
_RESOLVER = AppMonitorResolver(_CONFIG)


if __name__ == "__main__":
    import sys

    found = [(case.kind, leaks(case)) for case in cases()]
    left = sorted({kind.rpartition(" in ")[0] for kind, is_left in found if is_left})
    share = sum(is_left for _, is_left in found) / len(found)
    sys.stdout.write(f"{share:.1%} of {len(found)} cases leave, of {len(left)} kinds of {len(SECRETS)}: {left}\n")
