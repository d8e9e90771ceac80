"""A moto server over HTTP, which records operations and returns planned errors."""

from __future__ import annotations

import io
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import boto3
from werkzeug.serving import make_server

REGION = "eu-west-1"
ACCOUNT = "123456789012"


class Aws:
    """A moto server. `operations` are in order; credentials expire after `lifetime`."""

    def __init__(self) -> None:
        # Here, because it is slow, and other tests import constants from this module.
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self.operations: list[str] = []
        self.lifetime = timedelta(hours=1)
        self._planned: deque[tuple[int, str]] = deque()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        self.operations.append(target or _action(body) or environ["REQUEST_METHOD"])
        if self._planned:
            status, code = self._planned.popleft()
            start_response(f"{status} planned", [("Content-Type", "text/plain")])
            error = json.dumps({"__type": code, "message": "planned"}) if target else _XML_ERROR.format(code=code)
            return [error.encode()]
        head: list[Any] = []
        answer = b"".join(self._moto(environ, lambda *values: head.extend(values)))
        ends = datetime.now(timezone.utc) + self.lifetime
        answer = re.sub(rb'("Expiration": )[\d.]+', rb"\g<1>%d" % ends.timestamp(), answer)
        answer = re.sub(rb"(<Expiration>)[^<]+", rb"\g<1>%s" % ends.strftime("%Y-%m-%dT%H:%M:%SZ").encode(), answer)
        headers = [(name, value) for name, value in head[1] if name.lower() != "content-length"]
        start_response(head[0], [*headers, ("Content-Length", str(len(answer)))])
        return [answer]

    def fail(self, status: int, code: str = "", times: int = 1) -> None:
        """Respond to the next requests with an error."""
        self._planned.extend([(status, code)] * times)

    def identity_pool(self) -> str:
        """Create an identity pool with guests, and return its id."""
        owner: Any = boto3.session.Session().client(
            "cognito-identity",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="example",
        )
        made = owner.create_identity_pool(IdentityPoolName="guests", AllowUnauthenticatedIdentities=True)
        self.operations.clear()
        return str(made["IdentityPoolId"])

    @contextmanager
    def serving(self) -> Iterator[Aws]:
        """Serve from a thread."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def _action(body: bytes) -> str:
    return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]


_XML_ERROR = "<ErrorResponse><Error><Code>{code}</Code><Message>planned</Message></Error></ErrorResponse>"
