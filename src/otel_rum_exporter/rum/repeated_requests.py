"""PutRumEvents without the parts of botocore's call that are the same each time.

The first request to an app monitor is botocore's own. Later ones repeat its address and headers, and save half of the
call: parameters, endpoint rules, serialization, preparation, and the parser of a success, which has no content.
botocore's signer still signs them, with fresh credentials. Its HTTP session sends them, and its parser reads errors, so
proxies, certificates, timeouts, hooks before a request is sent, and errors stay botocore's. Hooks before the signature
get a prepared request, with a plain dict of headers. Hooks for responses are called for the first request only.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from .botocore_hooks import APP_MONITOR_ID, BEFORE_SEND, FINISHED_BODY, encoded_body
from .response import MIN_ERROR_STATUS

OPERATION = "PutRumEvents"

MAX_TEMPLATES = 1000
"""Telemetry may name any number of app monitors."""

_REPEATED = frozenset(("content-type", "user-agent"))
_REPEATED_UNSIGNED = frozenset(("amz-sdk-request",))
_INVOCATION_ID = "amz-sdk-invocation-id"
_HOST = "host"
_NEW_EACH_TIME = frozenset(("authorization", "content-encoding", "x-amz-date", "x-amz-security-token", _INVOCATION_ID))
"""The headers of a request, by how botocore makes them: before the signature, after it, and for each request. A signer
of the AWS Common Runtime (`boto3[crt]`) adds the host; without it http.client does."""

_POOL_KEY = itemgetter("scheme", "host", "port")

_SIGNATURE = "AWS4-HMAC-SHA256 "


class Template(NamedTuple):
    """The parts that requests to an app monitor share. `context` has region and service name of the signature.

    `host` is the host as botocore signs it. Where it is among the headers, botocore does not analyze the URL again.
    `sends_host` is whether the signer leaves it there.
    """

    method: str
    url: str
    host: str
    sends_host: bool
    headers: Mapping[str, str]
    unsigned_headers: Mapping[str, str]
    context: Mapping[str, Any]

    @classmethod
    def of(cls, request: Any) -> Template | None:
        """Return the template of a request that botocore has signed; None if it cannot be repeated.

        Hooks and settings may add a header that has another value each time, or another kind of signature.
        """
        from botocore.auth import SigV4Auth

        sent = dict(request.headers.items())
        sends_host = _HOST in sent  # "Host" is that of a hook
        names = {name.lower() for name in sent if name != _HOST}
        signature = str(request.headers.get("Authorization", _SIGNATURE))
        if not (names <= _REPEATED | _REPEATED_UNSIGNED | _NEW_EACH_TIME and signature.startswith(_SIGNATURE)):
            return None
        headers, unsigned = (
            {name: value for name, value in sent.items() if name.lower() in kind}
            for kind in (_REPEATED, _REPEATED_UNSIGNED)
        )
        context = {name: value for name, value in request.context.items() if name != FINISHED_BODY}
        host = SigV4Auth(None, "", "").headers_to_sign(request)["host"]
        return cls(request.method, request.url, host, sends_host, headers, unsigned, context)


class RepeatedRequests:
    """Sends finished bodies with a boto3 client. Thread-safe."""

    def __init__(self, client: Any, *, is_compressed: bool) -> None:
        self._client = client
        self._is_compressed = is_compressed
        self._model = client.meta.service_model.operation_model(OPERATION)
        self._templates: dict[str, Template] = {}
        # The pools of one manager differ in nothing else. By default urllib3 makes a key of thirty members.
        # botocore has no public way to its manager.
        manager = getattr(client._endpoint.http_session, "_manager", None)  # noqa: SLF001
        if manager is not None:
            manager.key_fn_by_scheme = dict.fromkeys(("http", "https"), _POOL_KEY)
        # The last of these handlers: botocore's add headers.
        client.meta.events.register_last("request-created", self._learn)

    def put(self, app_monitor_id: str, body: bytes) -> None:
        """Send one request. Raises what `put_rum_events` of the client raises."""
        template = self._templates.get(app_monitor_id)
        if template is None:
            self._client.put_rum_events(**{"Id": app_monitor_id, FINISHED_BODY: body})
        else:
            self._repeat(template, body)

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def _repeat(self, template: Template, body: bytes) -> None:
        from botocore.awsrequest import AWSPreparedRequest
        from botocore.hooks import first_non_none_response

        content, encoding = encoded_body(body, is_compressed=self._is_compressed)
        headers = {**template.headers, **encoding, _HOST: template.host}
        # botocore prepares an AWSRequest twice: for its signature, and to send it. A prepared request has no `params`.
        request = AWSPreparedRequest(template.method, template.url, headers, content, True)
        request.params = {}
        request.context = dict(template.context)
        # botocore has no public way to its signer and endpoint.
        self._client._request_signer.sign(OPERATION, request)  # noqa: SLF001
        request.headers = dict(request.headers.items())
        if not template.sends_host:
            del request.headers[_HOST]
        request.headers.update(template.unsigned_headers)
        request.headers.update({_INVOCATION_ID: str(uuid.uuid4()), "Content-Length": str(len(content))})
        # Its last handler, that of `register_hooks`, sends the request.
        response = first_non_none_response(self._client.meta.events.emit(BEFORE_SEND, request=request))
        if response.status_code >= MIN_ERROR_STATUS:
            raise self._error_of(response)

    def _error_of(self, response: Any) -> Exception:
        """Return the error that botocore's whole call raises for a response."""
        from botocore.endpoint import convert_to_response_dict
        from botocore.parsers import create_parser

        found = convert_to_response_dict(response, self._model)
        parser = create_parser(self._model.service_model.resolved_protocol)
        parsed = parser.parse(found, self._model.output_shape)
        self._client._endpoint._add_modeled_error_fields(found, parsed, self._model, parser)  # noqa: SLF001
        error: Exception = self._client.exceptions.from_code(parsed.get("Error", {}).get("Code"))(parsed, OPERATION)
        return error

    def _learn(self, request: Any, **_: Any) -> None:
        template = Template.of(request) if APP_MONITOR_ID in request.context else None
        if template is not None:
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            self._templates[request.context[APP_MONITOR_ID]] = template
