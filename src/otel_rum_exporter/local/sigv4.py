"""Signature Version 4: verify that a request was signed with the expected credentials.

Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html and does not use
botocore, because it verifies botocore's signatures. Error names and messages are AWS's.
"""

from __future__ import annotations

import hashlib
import hmac
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_MAX_SKEW_SECONDS = 5 * 60
_DATE = "%Y%m%dT%H%M%SZ"
_TERM = "aws4_request"
_FIELDS = ("Credential", "SignedHeaders", "Signature")
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_EXPIRES = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """AWS credentials."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The parts of a request that a signature covers, unmodified. Header names are in lower case."""

    method: str
    raw_path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, empty when missing; several values are joined by commas."""
        return ",".join(" ".join(value.split()) for key, value in self.headers if key == name)


class SignatureError(Exception):
    """AWS would not accept the signature; `error_type` and `message` are AWS's."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


@dataclass(frozen=True, slots=True)
class _Authorization:
    """A signature and its parameters, from an `Authorization` header or a presigned URL."""

    access_key_id: str
    session_token: str
    date: str
    scope: tuple[str, str, str]
    """Date, region and service."""
    signed_headers: tuple[str, ...]
    signature: str
    lifetime_seconds: float


def is_signed(authorization_header: str, query: str) -> bool:
    """Return whether a request has a signature, valid or not: in a header or, like a beacon, in its URL."""
    return authorization_header.startswith("AWS4-") or "X-Amz-Signature=" in query


def verify(request: SentRequest, credentials: Credentials, now: float, service: str = "rum") -> None:
    """Raise SignatureError unless these credentials signed the request recently; `now` is in epoch seconds."""
    authorization = _authorization(request, service)
    _check_credentials(authorization, credentials)
    _check_date(authorization, now)
    expected = _sign(request, authorization, credentials.secret_access_key)
    if not hmac.compare_digest(expected, authorization.signature):
        raise SignatureError(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )


def _authorization(request: SentRequest, service: str) -> _Authorization:
    header = request.header("authorization")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if header:
        algorithm, _, text = header.partition(" ")
        fields: dict[str, str] = dict(_FIELD.findall(text))
        token, date, expires = request.header("x-amz-security-token"), request.header("x-amz-date"), ""
    else:
        algorithm = query.get("X-Amz-Algorithm", "")
        fields = {name: query[f"X-Amz-{name}"] for name in _FIELDS if f"X-Amz-{name}" in query}
        token, date = query.get("X-Amz-Security-Token", ""), query.get("X-Amz-Date", "")
        expires = query.get("X-Amz-Expires", "")
    if not algorithm and not fields:
        raise SignatureError("MissingAuthenticationTokenException", "Missing Authentication Token")
    access_key_id, scope = _scope(algorithm, fields, service)
    signed_headers = tuple(fields["SignedHeaders"].split(";"))
    if "host" not in signed_headers:
        raise SignatureError("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    lifetime_seconds = float(expires) if _EXPIRES.fullmatch(expires) else _MAX_SKEW_SECONDS
    return _Authorization(access_key_id, token, date, scope, signed_headers, fields["Signature"], lifetime_seconds)


def _scope(algorithm: str, fields: dict[str, str], service: str) -> tuple[str, tuple[str, str, str]]:
    missing = [name for name in _FIELDS if name not in fields]
    if algorithm != _ALGORITHM or missing:
        problem = f"requires {', '.join(missing)}" if missing else f"must begin with {_ALGORITHM}"
        raise SignatureError("IncompleteSignatureException", f"Authorization header {problem}.")
    access_key_id, *scope = fields["Credential"].split("/")
    if len(scope) != 4 or scope[3] != _TERM or not _SIGNATURE.fullmatch(fields["Signature"]):
        raise SignatureError(
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, and "
            "Signature 64 hexadecimal digits.",
        )
    if scope[2] != service:
        message = f"Credential should be scoped to correct service: '{service}'."
        raise SignatureError("InvalidSignatureException", message)
    return access_key_id, (scope[0], scope[1], scope[2])


def _check_credentials(authorization: _Authorization, credentials: Credentials) -> None:
    received = (authorization.access_key_id.encode(), authorization.session_token.encode())
    expected = (credentials.access_key_id.encode(), (credentials.session_token or "").encode())
    if not all(hmac.compare_digest(*pair) for pair in zip(received, expected, strict=True)):
        raise SignatureError("UnrecognizedClientException", "The security token included in the request is invalid.")


def _check_date(authorization: _Authorization, now: float) -> None:
    date, scope_date = authorization.date, authorization.scope[0]
    try:
        signed_at = datetime.strptime(date, _DATE).replace(tzinfo=timezone.utc)
    except ValueError:
        message = "Authorization header requires existence of an 'X-Amz-Date' header."
        raise SignatureError("IncompleteSignatureException", message) from None
    if date[:8] != scope_date:
        message = (
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: {scope_date}"
        )
        raise SignatureError("InvalidSignatureException", message)
    age_seconds = now - signed_at.timestamp()
    server_time = datetime.fromtimestamp(now, timezone.utc).strftime(_DATE)
    if age_seconds > authorization.lifetime_seconds:
        lifetime = f"{authorization.lifetime_seconds:g} s"
        message = f"Signature expired: {date} is now earlier than {server_time} by more than {lifetime}."
        raise SignatureError("InvalidSignatureException", message)
    if age_seconds < -_MAX_SKEW_SECONDS:
        message = (
            f"Signature not yet current: {date} is still later than {server_time} by more than {_MAX_SKEW_SECONDS} s."
        )
        raise SignatureError("InvalidSignatureException", message)


def _sign(request: SentRequest, authorization: _Authorization, secret: str) -> str:
    canonical_request = "\n".join(
        (
            request.method,
            _canonical_path(request.raw_path),
            _canonical_query(request.query),
            *(f"{name}:{request.header(name)}" for name in authorization.signed_headers),
            "",
            ";".join(authorization.signed_headers),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    scope = (*authorization.scope, _TERM)
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (*scope, "\n".join((_ALGORITHM, authorization.date, "/".join(scope), digest))):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _canonical_path(raw_path: str) -> str:
    # All services except S3 normalize the path and encode it again.
    normal = posixpath.normpath(raw_path) if raw_path else "/"
    slash = "/" if raw_path.endswith("/") and normal != "/" else ""
    return quote(f"/{normal.lstrip('/')}{slash}", safe="/~")


def _canonical_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    quoted = sorted((quote(key, safe="~"), quote(value, safe="~")) for key, value in pairs if key != "X-Amz-Signature")
    return "&".join(f"{key}={value}" for key, value in quoted)
