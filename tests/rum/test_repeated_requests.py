"""Later requests are the first, with another body, time and signature, and go the same way."""

from __future__ import annotations

import http.client
import http.server
import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.awsrequest
import botocore.httpsession
import pytest
from botocore.compat import HTTPHeaders

from otel_rum_exporter.local import Credentials, Fault, LocalRum
from otel_rum_exporter.rum import client as client_module
from otel_rum_exporter.rum.botocore_hooks import MIN_COMPRESSED_BYTES
from otel_rum_exporter.rum.client import Transport
from otel_rum_exporter.rum.errors import Disposition
from otel_rum_exporter.rum.repeated_requests import RepeatedRequests
from tests.rum.batches import batch
from tests.spans import make_config

BIG = json.dumps({"text": "x" * MIN_COMPRESSED_BYTES})
SIGNATURE = re.compile("Signature=[0-9a-f]{64}")
MADE_EACH_TIME = ("X-Amz-Date", "amz-sdk-invocation-id")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sign with temporary credentials."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")


class Intercepted:
    """The requests that reach botocore's HTTP session, and whether botocore's whole call made them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions: list[botocore.httpsession.URLLib3Session] = []
        self.requests: list[tuple[object, ...]] = []
        self.authorizations: list[str] = []
        self.calls = 0
        made = client_module.build_client

        def build(config: Any) -> Any:
            client: Any = made(config)
            put = client.put_rum_events

            def counted(**parameters: Any) -> Any:
                self.calls += 1
                return put(**parameters)

            client.put_rum_events = counted
            return client

        def send(session: botocore.httpsession.URLLib3Session, request: Any) -> Any:
            headers = {name.lower(): value for name, value in request.headers.items() if name not in MADE_EACH_TIME}
            text = {name: v.decode() if isinstance(v, bytes) else v for name, v in request.headers.items()}
            headers = {name: SIGNATURE.sub("", v) for name, v in text.items() if name not in MADE_EACH_TIME}
            self.authorizations.append(text.get("Authorization", ""))
            self.sessions.append(session)
            self.requests.append((request.method, request.url, headers, request.body))
            return botocore.awsrequest.AWSResponse(request.url, 200, {}, io.BytesIO())

        monkeypatch.setattr(client_module, "build_client", build)
        monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", send)


@pytest.mark.parametrize("details", ["{}", BIG])
@pytest.mark.parametrize(
    ("settings", "environment"),
    [
        ({}, {}),
        ({"signing": "none"}, {}),
        ({"compression": "none"}, {}),
        ({"endpoint": "http://127.0.0.1:1/path"}, {}),
        ({}, {"AWS_USE_FIPS_ENDPOINT": "true"}),
        ({}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
        ({}, {"AWS_SESSION_TOKEN": ""}),
    ],
)
def test_the_second_request_is_the_first_but_for_its_signature(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], environment: dict[str, str], details: str
) -> None:
    """Same address, headers and bytes, through the same HTTP session with its proxies, certificates and time-outs."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    intercepted = Intercepted(monkeypatch)
    transport = Transport(make_config(region="eu-central-1", **settings))
    for _ in range(3):
        assert transport.send(batch(details)).disposition is Disposition.DELIVERED
    assert intercepted.calls == 1
    first, *others = intercepted.requests
    assert others == [first, first]
    assert len(set(intercepted.sessions)) == 1


def test_each_app_monitor_has_its_own_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id is part of the address."""
    intercepted = Intercepted(monkeypatch)
    requests = RepeatedRequests(client_module.build_client(make_config(region="eu-central-1")), is_compressed=True)
    for app_monitor_id in ("a", "b", "a", "b"):
        requests.put(app_monitor_id, b"{}")
    assert intercepted.calls == 2
    assert [str(request[1])[-2:] for request in intercepted.requests] == ["a/", "b/", "a/", "b/"]


@pytest.mark.parametrize(
    ("event", "header", "value"),
    [
        ("before-call.rum", "X-Amzn-Trace-Id", "Root=1"),
        ("before-sign.rum", "X-Tenant", "1"),
        ("before-sign.rum", "Host", "rum.example"),
        ("request-created", "Authorization", "Bearer token"),
    ],
)
def test_a_header_that_may_change_keeps_the_whole_call(
    monkeypatch: pytest.MonkeyPatch, event: str, header: str, value: str
) -> None:
    """Its next value is unknown."""
    intercepted = Intercepted(monkeypatch)
    client: Any = client_module.build_client(make_config(region="eu-central-1"))

    def add_header(request: Any = None, params: Any = None, **_: Any) -> None:
        headers = params["headers"] if request is None else request.headers
        if header in headers:
            del headers[header]
        headers[header] = value

    client.meta.events.register_last(event, add_header)
    requests = RepeatedRequests(client, is_compressed=True)
    requests.put("a", b"{}")
    requests.put("a", b"{}")
    assert intercepted.calls == 2


def test_a_host_that_the_signer_adds_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signer of `boto3[crt]` adds it, and replaces the headers."""
    intercepted = Intercepted(monkeypatch)
    client: Any = client_module.build_client(make_config(region="eu-central-1"))

    def add_host(request: Any, **_: Any) -> None:
        pairs = {**dict(request.headers.items()), "host": "dataplane.rum.eu-central-1.amazonaws.com"}
        request.headers = HTTPHeaders.from_pairs(list(pairs.items()))

    client.meta.events.register_last("before-sign.rum", add_host)
    requests = RepeatedRequests(client, is_compressed=True)
    requests.put("a", b"{}")
    requests.put("a", b"{}")
    first, second = intercepted.requests
    assert first == second
    assert intercepted.calls == 1


def test_each_request_passes_through_the_hooks_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mocks answer there."""
    intercepted = Intercepted(monkeypatch)
    client: Any = client_module.build_client(make_config(region="eu-central-1"))
    seen: list[str] = []
    client.meta.events.register_first("before-send.rum.PutRumEvents", lambda request, **_: seen.append(request.url))
    requests = RepeatedRequests(client, is_compressed=True)
    requests.put("a", b"{}")
    requests.put("a", b"{}")
    assert (len(seen), intercepted.calls) == (2, 1)


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "ThrottlingException"), (500, "InternalServerException"), (404, "ResourceNotFoundException"), (418, "Tea")],
)
def test_a_later_error_is_the_error_of_the_whole_call(status: int, code: str) -> None:
    """Same outcome, with the server's Retry-After."""
    with LocalRum() as rum:
        transport = Transport(make_config(endpoint=rum.url, signing="none"))
        for _ in range(2):
            rum.answer(status, error_type=code, retry_after_seconds=7, message="reason")
        first, second = transport.send(batch()), transport.send(batch())
        assert first == second
        assert (second.reason, second.retry_after_seconds) == (code, 7.0)
        assert transport.send(batch()).disposition is Disposition.DELIVERED
        rum.faults = [Fault(content="<html>Sign in", status=200)]
        assert transport.send(batch()).reason == "NotRumError"
        transport.close()


def test_a_later_error_has_the_members_of_the_whole_call() -> None:
    """Those of RUM's model, too."""
    with LocalRum() as rum:
        client: Any = client_module.build_client(make_config(endpoint=rum.url, signing="none"))
        requests = RepeatedRequests(client, is_compressed=True)
        errors = []
        for _ in range(2):
            rum.answer(429, error_type="ThrottlingException", retry_after_seconds=7, message="reason")
            with pytest.raises(client.exceptions.ThrottlingException) as caught:
                requests.put("a", b"{}")
            errors.append(caught.value)
        client.close()
    first, second = errors
    assert {**first.response, "ResponseMetadata": None} == {**second.response, "ResponseMetadata": None}
    assert first.operation_name == second.operation_name
    assert second.response["ResponseMetadata"].keys() <= first.response["ResponseMetadata"].keys()


def test_each_address_has_a_pool_of_connections() -> None:
    """A connection to one host sends nothing to another."""
    client: Any = client_module.build_client(make_config(region="eu-central-1"))
    RepeatedRequests(client, is_compressed=True)
    pool = client._endpoint.http_session._manager.connection_from_url
    assert pool("https://rum.example/a") is pool("https://rum.example:443/b")
    others = [pool(url) for url in ("http://rum.example", "https://rum.example:444", "https://other.example")]
    assert len({pool("https://rum.example"), *others}) == 4
    assert pool("https://rum.example").ConnectionCls.response_class is not http.client.HTTPResponse


def test_renewed_credentials_sign_later_requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Temporary ones end while the exporter runs."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    program = tmp_path / "credentials.py"
    program.write_text(
        "import datetime, json, pathlib, sys\n"
        "count = pathlib.Path(sys.argv[1])\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        "ends = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)).isoformat()\n"
        "print(json.dumps(dict(Version=1, AccessKeyId=f'AKID{number}', SecretAccessKey='example', Expiration=ends)))\n"
    )
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program} {tmp_path / 'count'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    intercepted = Intercepted(monkeypatch)
    transport = Transport(make_config(region="eu-west-1"))
    for _ in range(3):
        assert transport.send(batch()).disposition is Disposition.DELIVERED
    assert intercepted.calls == 1
    assert len({re.findall(r"AKID\d+", one)[0] for one in intercepted.authorizations}) == 3


def test_the_local_rum_accepts_the_signature_of_later_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """It computes the signature itself."""
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    with LocalRum(credentials=Credentials("ASIAEXAMPLE", "example")) as rum:
        transport = Transport(make_config(endpoint=rum.url, region="eu-west-1", signing="sigv4"))
        outcomes = [transport.send(batch(BIG)).disposition for _ in range(3)]
        transport.close()
    assert outcomes == [Disposition.DELIVERED] * 3


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Run an HTTP proxy that answers in place of RUM; return its address and the requested addresses."""
    requested: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            requested.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", requested
        server.shutdown()
        thread.join()


def test_later_requests_use_the_proxy(proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the first does."""
    address, requested = proxy
    monkeypatch.setenv("HTTP_PROXY", address)
    transport = Transport(make_config(endpoint="http://rum.invalid", region="eu-west-1"))
    assert [transport.send(batch()).disposition for _ in range(2)] == [Disposition.DELIVERED] * 2
    transport.close()
    assert len(requested) == 2
    assert all(path.startswith("http://rum.invalid/appmonitors/") for path in requested)
