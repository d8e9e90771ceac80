"""Signature Version 4: whether a request was signed with the credentials that it should be.

Written from https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, and not with
botocore, since botocore's signatures are what it has to judge. Error names and messages are AWS's.
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
_SERVICE = "rum"
_MAX_SKEW_SECONDS = 5 * 60
_DATE = "%Y%m%dT%H%M%SZ"
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials that requests must be signed with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SentRequest:
    """What a signature covers, as it came over the wire; header names are in lower case."""

    method: str
    raw_path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, empty when there is none; that of several is joined by commas."""
        return ",".join(" ".join(value.split()) for key, value in self.headers if key == name)


class WrongSignature(Exception):  # noqa: N818 - an answer on its way out, not an error of this program
    """A signature that AWS does not accept, with the name of its error and its message."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


@dataclass(frozen=True, slots=True)
class _Authorization:
    access_key_id: str
    scope: tuple[str, str, str]
    """Date, region and service."""
    signed_headers: tuple[str, ...]
    signature: str


def verify(request: SentRequest, credentials: Credentials, now: float) -> None:
    """Raise WrongSignature unless these credentials signed the request about now, which is in epoch seconds."""
    authorization = _authorization(request.header("authorization"))
    date = request.header("x-amz-date")
    _check_credentials(request, authorization, credentials)
    _check_date(date, authorization.scope[0], now)
    expected = _sign(request, authorization, credentials.secret_access_key, date)
    if not hmac.compare_digest(expected, authorization.signature):
        raise WrongSignature(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )


def _authorization(header: str) -> _Authorization:
    if not header:
        raise WrongSignature("MissingAuthenticationTokenException", "Missing Authentication Token")
    fields = dict(_FIELD.findall(header))
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if name not in fields]
    if not header.startswith(f"{_ALGORITHM} ") or missing:
        what = f"requires {', '.join(missing)}" if missing else f"must begin with {_ALGORITHM}"
        raise WrongSignature("IncompleteSignatureException", f"Authorization header {what}.")
    access_key_id, *scope = fields["Credential"].split("/")
    signed_headers = tuple(fields["SignedHeaders"].split(";"))
    if len(scope) != 4 or scope[3] != "aws4_request" or not _SIGNATURE.fullmatch(fields["Signature"]):
        raise WrongSignature(
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, and "
            "Signature 64 hexadecimal digits.",
        )
    if scope[2] != _SERVICE:
        raise WrongSignature(
            "InvalidSignatureException", f"Credential should be scoped to correct service: '{_SERVICE}'."
        )
    if "host" not in signed_headers:
        raise WrongSignature("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return _Authorization(access_key_id, (scope[0], scope[1], scope[2]), signed_headers, fields["Signature"])


def _check_credentials(request: SentRequest, authorization: _Authorization, credentials: Credentials) -> None:
    token = request.header("x-amz-security-token")
    known = hmac.compare_digest(authorization.access_key_id.encode(), credentials.access_key_id.encode())
    if not known or not hmac.compare_digest(token.encode(), (credentials.session_token or "").encode()):
        raise WrongSignature("UnrecognizedClientException", "The security token included in the request is invalid.")


def _check_date(date: str, scope_date: str, now: float) -> None:
    try:
        signed_at = datetime.strptime(date, _DATE).replace(tzinfo=timezone.utc)
    except ValueError:
        raise WrongSignature(
            "IncompleteSignatureException", "Authorization header requires existence of an 'X-Amz-Date' header."
        ) from None
    if not date.startswith(scope_date):
        message = (
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: {scope_date}"
        )
        raise WrongSignature("InvalidSignatureException", message)
    skew = signed_at.timestamp() - now
    if abs(skew) > _MAX_SKEW_SECONDS:
        here = datetime.fromtimestamp(now, timezone.utc).strftime(_DATE)
        what = "Signature expired" if skew < 0 else "Signature not yet current"
        order = "earlier" if skew < 0 else "later"
        raise WrongSignature(
            "InvalidSignatureException", f"{what}: {date} is now {order} than {here} and 5 min. allow for."
        )


def _sign(request: SentRequest, authorization: _Authorization, secret: str, date: str) -> str:
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
    scope = "/".join((*authorization.scope, "aws4_request"))
    text = "\n".join((_ALGORITHM, date, scope, hashlib.sha256(canonical_request.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (*authorization.scope, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _canonical_path(raw_path: str) -> str:
    # Every service but S3 normalizes the path and encodes it once more.
    normal = posixpath.normpath(raw_path) if raw_path else "/"
    slash = "/" if raw_path.endswith("/") and normal != "/" else ""
    return quote(f"/{normal.lstrip('/')}{slash}", safe="/~")


def _canonical_query(query: str) -> str:
    pairs = sorted((quote(key, safe="~"), quote(value, safe="~")) for key, value in parse_qsl(query, True))
    return "&".join(f"{key}={value}" for key, value in pairs)
