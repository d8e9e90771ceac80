"""The code blocks of README.md and docs/start.md run as readers run them, against a local RUM.

Three things differ from a reader's machine. `pip install` and `opentelemetry-bootstrap` need a network and change the
environment, so replacements check their arguments and install nothing. `make` prints its commands and does not run
them: `make test` would run this test again. Servers take free ports, so that tests can run at the same time.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from flask import Flask
from markdown_it import MarkdownIt
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from werkzeug.test import Client as WerkzeugClient

from otel_rum_exporter import RumSpanExporter
from otel_rum_exporter.gateway.settings import GatewaySettings
from otel_rum_exporter.local import LocalRum
from tests.instrumentations import only, only_in_children
from tests.spans import APP_MONITOR_ID

if TYPE_CHECKING:
    from fastapi import FastAPI

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SECONDS = 180
SHOP = "https://shop.example"
RUN_APP = "\nopentelemetry-instrument python app.py\n"

APP = """
from flask import Flask

app = Flask("shop")
app.add_url_rule("/cart", view_func=lambda: "<p>Your cart</p>")
browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
visit = {"User-Agent": browser, "Referer": "https://www.example.com/", "Accept-Language": "de-DE"}
assert app.test_client().get("/cart", headers=visit).status_code == 200
"""
"""The application of the reader: one page, visited once."""

REPLACEMENTS = {
    "pip": """
        from importlib.metadata import metadata
        from packaging.requirements import Requirement

        assert sys.argv[1] == "install", sys.argv
        for requirement in map(Requirement, sys.argv[2:]):
            if requirement.name == "otel-rum-exporter":
                assert requirement.extras <= set(metadata("otel-rum-exporter").get_all("Provides-Extra")), requirement
    """,
    "opentelemetry-bootstrap": """
        assert sys.argv[1:] == ["-a", "install"], sys.argv
    """,
}

CHECKOUT = """
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from otel_rum_exporter import RumSpanExporter

def checkout(endpoint):
    exporter = RumSpanExporter(app_monitor_id="%s", region="eu-west-1", endpoint=endpoint, signing="none")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    request = {"http.request.method": "POST", "url.path": "/checkout", "http.response.status_code": 500}
    provider.get_tracer("shop").start_span("POST", kind=SpanKind.SERVER, attributes=request).end()
    provider.shutdown()
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader with a shell in an empty folder, whose application is `app.py`."""

    rum: LocalRum
    folder: Path
    environment: dict[str, str]

    def command(self, script: str) -> list[str]:
        """Return the command that runs a script; a placeholder such as `<id of your app monitor>` is filled in."""
        return ["bash", "-euc", script.replace("<id of your app monitor>", APP_MONITOR_ID)]

    def run(self, script: str, **variables: str) -> str:
        """Run a script that ends by itself, and return what it prints."""
        done = subprocess.run(
            self.command(script),
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def first_line(self, script: str, check: Callable[[str], None], **variables: str) -> None:
        """Run a script that starts a server, give its first line of output to `check`, and end it."""
        environment = {**self.environment, **variables}
        with subprocess.Popen(
            self.command(script.replace("\notel-rum", "\nexec otel-rum")),
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                check(process.stdout.readline())
            finally:
                process.terminate()


@pytest.fixture
def reader(rum: LocalRum, tmp_path: Path) -> Reader:
    """Set up the reader's folder and environment."""
    (tmp_path / "app.py").write_text(APP)
    replacements = tmp_path / "bin"
    replacements.mkdir()
    for name, code in REPLACEMENTS.items():
        (replacements / name).write_text(f"#!{sys.executable}\nimport sys\n{textwrap.dedent(code)}")
        (replacements / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AWS_", "MAKE"))}
    environment = {
        **kept,
        "PATH": os.pathsep.join([str(replacements), str(BIN), kept["PATH"]]),
        "OTEL_EXPORTER_AWS_RUM_ENDPOINT": rum.url,
        "OTEL_EXPORTER_AWS_RUM_SIGNING": "none",
        "no_proxy": "127.0.0.1",
        **only("flask"),  # what opentelemetry-bootstrap installs for this application
    }
    return Reader(rum, tmp_path, environment)


def _make(block: str, reader: Reader, _: pytest.Pytester) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    clone, *commands = block.splitlines()
    assert clone.startswith("git clone https://"), clone
    printed = reader.run("\n".join([f"cd {ROOT}", *commands]), MAKEFLAGS="--dry-run")
    assert "otel-rum demo" in printed
    assert "-m pytest" in printed


def _demo(block: str, reader: Reader, _: pytest.Pytester) -> None:
    installed = only_in_children(reader.folder, "flask", "requests")
    assert "js_error_event" in reader.run(block, DEMO_ONCE="1", **installed)


def _record(block: str, reader: Reader, _: pytest.Pytester) -> None:
    printed = reader.run(block)
    assert "-> page_view_event  pageId=/cart" in printed
    assert reader.rum.events == ()


def _install(block: str, reader: Reader, _: pytest.Pytester) -> None:
    reader.run(block)


def _instrument(block: str, reader: Reader, _: pytest.Pytester) -> None:
    reader.run(block)
    (view,) = reader.rum.events("page_view_event")
    assert (view.app_monitor_id, view.details["pageId"]) == (APP_MONITOR_ID, "/cart")


ONE_APP_MONITOR = {
    "AWS_REGION": "eu-central-1",
    "OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID": APP_MONITOR_ID,
    "OTEL_TRACES_EXPORTER": "aws_rum",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
}


def _capture_headers(block: str, reader: Reader, _: pytest.Pytester) -> None:
    reader.run(block + RUN_APP, **ONE_APP_MONITOR)
    (view,) = reader.rum.events("page_view_event")
    assert (view.details["referrerDomain"], view.metadata["browserLanguage"]) == ("www.example.com", "de-DE")


def _spool(block: str, reader: Reader, _: pytest.Pytester) -> None:
    script = block.replace("/var/lib/myapp", str(reader.folder)) + RUN_APP
    reader.rum.answer(503, times=1_000_000)
    reader.run(script, OTEL_EXPORTER_AWS_RUM_TIMEOUT_MILLIS="1000", **ONE_APP_MONITOR)
    assert not reader.rum.events("page_view_event")
    reader.rum.faults = []
    reader.run(script, **ONE_APP_MONITOR)
    assert len(reader.rum.wait_for("page_view_event", count=2)) == 2


def _gateway(block: str, reader: Reader, _: pytest.Pytester) -> None:
    def send(line: str) -> None:
        span = {
            "name": "work",
            "traceId": "1" * 32,
            "spanId": "2" * 16,
            "startTimeUnixNano": "1",
            "endTimeUnixNano": "2",
        }
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
        url = f"{line.rsplit(maxsplit=1)[-1]}/v1/traces"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json", "Origin": SHOP})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SECONDS) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == (SHOP if SHOP in block else None)
        assert reader.rum.wait_for("work")

    ports = {"OTEL_RUM_GATEWAY_HTTP_PORT": "0", "OTEL_RUM_GATEWAY_GRPC_PORT": "0"}
    reader.first_line(block, send, **ports, **ONE_APP_MONITOR)


def _local(block: str, reader: Reader, _: pytest.Pytester) -> None:
    def visit(line: str) -> None:
        url = line.rsplit(maxsplit=1)[-1]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=SECONDS) as response:
            assert b"<html" in response.read()

    reader.first_line(block.replace("otel-rum local", "otel-rum local --port 0"), visit)


def _policy(block: str, _: Reader, __: pytest.Pytester) -> None:
    (statement,) = json.loads(block)["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "rum:PutRumEvents")


def _set_session(block: str, reader: Reader, _: pytest.Pytester) -> None:
    session_id, user_id = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(RumSpanExporter(app_monitor_id=APP_MONITOR_ID, region="eu-west-1")))
    with provider.get_tracer("shop").start_as_current_span("checkout"):
        exec(block, {"session_id": session_id, "user_id": user_id})
    provider.shutdown()
    (event,) = reader.rum.events("checkout")
    assert (event.session_id, event.user_id) == (session_id, user_id)


def _in_code(block: str, reader: Reader, _: pytest.Pytester) -> None:
    provider = TracerProvider()
    exec(block.replace('"..."', repr(APP_MONITOR_ID)), {"provider": provider})
    provider.get_tracer("shop").start_span("checkout").end()
    provider.shutdown()
    (event,) = reader.rum.events("checkout")
    assert event.app_monitor_id == APP_MONITOR_ID


def _session_processor(block: str, reader: Reader, _: pytest.Pytester) -> None:
    """Visit the page with the baggage of another service, which names the session."""
    session_id = "11111111-1111-4111-8111-111111111111"
    app = APP.replace("visit = {", f'visit = {{"baggage": "session.id={session_id}", ')
    (reader.folder / "app.py").write_text(block + app)
    reader.run(RUN_APP, **ONE_APP_MONITOR)
    (view,) = reader.rum.events("page_view_event")
    assert view.session_id == session_id


def _in_yaml(block: str, reader: Reader, _: pytest.Pytester) -> None:
    (reader.folder / "rum.yaml").write_text(block.replace("...", APP_MONITOR_ID))
    reader.run(RUN_APP, OTEL_CONFIG_FILE="rum.yaml")
    (view,) = reader.rum.events("page_view_event")
    assert (view.app_monitor_id, view.details["pageId"]) == (APP_MONITOR_ID, "/cart")


def _one_user(block: str, reader: Reader, _: pytest.Pytester) -> None:
    block = block.replace('"..."', repr(APP_MONITOR_ID)).replace("~/.cookbook", str(reader.folder / "state"))
    for _again in range(2):
        started: dict[str, Any] = {}
        exec(block, started)
        started["provider"].get_tracer("cookbook").start_span("chop").end()
        started["provider"].shutdown()
    assert [view.details["pageId"] for view in reader.rum.events("page_view_event")] == ["Settings", "Settings"]
    assert [event.metadata["pageId"] for event in reader.rum.events("chop")] == ["Settings", "Settings"]
    assert len({event.user_id for event in reader.rum.events}) == 1
    assert len({event.session_id for event in reader.rum.events}) == 2


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def _flask(block: str, _: Reader, __: pytest.Pytester) -> None:
    app = Flask("shop")
    app.add_url_rule("/", view_func=lambda: "<p>Hello</p>")
    exec(block, {"app": app})
    assert _names(app.test_client().get("/", headers=BROWSER).headers.getlist("Set-Cookie")) == ["cwr_s", "cwr_u"]


def _django(block: str, _: Reader, __: pytest.Pytester) -> None:
    """Run the last line with another WSGI application, because Django can be set up once in a process."""
    from django.core.wsgi import get_wsgi_application

    imports, line = block.split("\n\n")
    wsgi: dict[str, Any] = {}
    exec(imports, wsgi)
    assert wsgi["get_wsgi_application"] is get_wsgi_application
    wsgi["get_wsgi_application"] = lambda: Flask("django").wsgi_app
    exec(line, wsgi)
    answer = WerkzeugClient(wsgi["application"]).get("/", headers=BROWSER)
    assert _names(answer.headers.getlist("Set-Cookie")) == ["cwr_s", "cwr_u"]


def _fastapi(block: str, _: Reader, __: pytest.Pytester) -> None:
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    app = FastAPI()
    app.add_api_route("/", lambda: HTMLResponse("<p>Hello</p>"), response_class=HTMLResponse)
    exec(block, {"app": app})
    assert _names(asyncio.run(_get(app, BROWSER)).headers.get_list("set-cookie")) == ["cwr_s", "cwr_u"]


def _names(cookies: list[str]) -> list[str]:
    return [cookie.partition("=")[0] for cookie in cookies]


async def _get(application: FastAPI, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://shop") as client:
        return await client.get("/", headers=headers)


def _lambda(block: str, reader: Reader, _: pytest.Pytester) -> None:
    """End the process with the invocation, as if the function were frozen: RUM has its spans."""
    (reader.folder / "function.py").write_text(
        "def handler(event, context):\n    return {'statusCode': 200}\n" + block.replace('"..."', repr(APP_MONITOR_ID))
    )
    (reader.folder / "invoke.py").write_text(
        "import os, types, function\n"
        "from otel_rum_exporter.delivery import worker\n"
        "worker.MAX_EXPORT_WAIT_SECONDS = 60  # a busy machine may need more than two to import boto3\n"
        "context = types.SimpleNamespace(aws_request_id='1', function_name='f', invoked_function_arn="
        "'arn:aws:lambda:eu-central-1:123456789012:function:f')\n"
        "function.handler({}, context)\n"
        "os._exit(0)\n"
    )
    reader.run("python invoke.py", AWS_LAMBDA_FUNCTION_NAME="f", _HANDLER="function.handler")
    assert [event.type for event in reader.rum.events if not event.type.startswith("com.")] == ["f"]


def _collector(block: str, _: Reader, __: pytest.Pytester) -> None:
    """Compare the endpoint with that of the complete example, and with the gateway's default."""
    (endpoint,) = (exporter["endpoint"] for exporter in yaml.safe_load(block)["exporters"].values())
    assert f"endpoint: {endpoint}\n" in (ROOT / "examples/gateway/collector.yaml").read_text(encoding="utf-8")
    assert endpoint == f"http://127.0.0.1:{GatewaySettings().http_port}"


def _fixture(block: str, _: Reader, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CHECKOUT % APP_MONITOR_ID + block)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


Check = Callable[[str, Reader, pytest.Pytester], None]

CHECKS: dict[str, Check] = {
    "make demo": _make,
    "otel-rum demo": _demo,
    "otel-rum record": _record,
    "opentelemetry-instrument": _instrument,
    "CAPTURE_HEADERS": _capture_headers,
    "SPOOL_DIRECTORY": _spool,
    "otel-rum gateway": _gateway,
    "otel-rum local": _local,
    "pip install": _install,
    "rum:PutRumEvents": _policy,
    "set_attributes": _set_session,
    "get_wsgi_application": _django,
    "app.wsgi_app = ": _flask,
    "app.add_middleware": _fastapi,
    "state_directory": _one_user,
    "AwsLambdaInstrumentor": _lambda,
    "otlphttp/rum:": _collector,
    "add_span_processor(RumSessionProcessor())": _session_processor,
    "add_span_processor": _in_code,
    "tracer_provider:": _in_yaml,
    "def test_": _fixture,
}
"""By a text that the block contains; the first that fits decides."""


PAGES = ("README.md", "docs/start.md")

BLOCKS = [
    token.content
    for page in PAGES
    for token in MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    if token.type == "fence" and token.info.strip() in {"sh", "python", "json", "yaml"}
]
"""The fenced blocks, in a list or not."""


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n", 1)[0][:40])
@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are for a POSIX shell")
def test_a_block_of_the_readme_does_what_it_says(
    block: str, reader: Reader, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block runs, and what it is for happens."""
    for name, value in reader.environment.items():
        monkeypatch.setenv(name, value)
    check = next((check for text, check in CHECKS.items() if text in block), None)
    assert check is not None, f"no check for this block: add one\n{block}"
    check(block, reader, pytester)


def test_the_readme_has_a_block_for_each_use() -> None:
    """Blocks are found at all; only the installation may be a part of another block."""
    assert {text for text in CHECKS if any(text in block for block in BLOCKS)} == CHECKS.keys()


def test_the_readme_stays_short() -> None:
    """A newcomer reads all of it; the details are in docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200


def test_each_page_begins_with_what_its_reader_can_do_after_it() -> None:
    """A reader of the site sees in one sentence whether a page is the right one."""
    for page in (ROOT / "docs").glob("*.md"):
        _, _, text = page.read_text(encoding="utf-8").partition("\n\n")
        assert text.startswith("After this page"), page.name


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name
)
def test_the_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    """A file that moved, or a heading that was renamed, breaks no link."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text(encoding="utf-8"))
    for path, anchor in links:
        target = (page.parent / path) if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
