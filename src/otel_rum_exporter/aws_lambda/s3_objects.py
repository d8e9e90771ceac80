"""Objects in S3 that notifications name, such as those of the Collector's `awss3` exporter.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from .._fork import UNFORKED
from ..otlp import MAX_MESSAGE_BYTES, OtlpError
from .invocation import UnreadableError

TIMEOUT_SECONDS = 10.0


class S3Object(NamedTuple):
    """A version of an object, if its bucket has versions. `sequencer` orders the writes of one key."""

    bucket: str
    key: str
    version: str | None
    sequencer: str | None

    @property
    def name(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.key}"

    def read(self) -> bytes:
        """Return the content.

        Raises:
            UnreadableError: S3 does not return it.
            OtlpError: it is larger than a message may be.
        """
        version = {"VersionId": self.version} if self.version else {}
        try:
            content: bytes = (
                _client().get_object(Bucket=self.bucket, Key=self.key, **version)["Body"].read(MAX_MESSAGE_BYTES + 1)
            )
        except Exception as error:  # botocore, urllib3 and credential plugins raise anything
            raise UnreadableError(f"S3 did not return it: {error}") from error
        if len(content) > MAX_MESSAGE_BYTES:
            raise OtlpError(f"more than {MAX_MESSAGE_BYTES} bytes")
        return content


def named_in(notification: object) -> list[S3Object]:
    """Return the objects that a notification reports as created.

    It is one of S3 or EventBridge, or one of SNS that has either of them as its text. A queue has it as text too. The
    test notification of S3 names no object.

    Raises:
        OtlpError: it is something else.
    """
    try:
        return list(_named_in(notification))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise OtlpError("not a notification of S3") from None


def _named_in(notification: Any) -> Iterator[S3Object]:
    if isinstance(notification, str):
        yield from _named_in(json.loads(notification))
    elif notification.get("Type") == "Notification":  # of SNS, in a queue
        yield from _named_in(notification["Message"])
    elif notification.get("source") == "aws.s3":  # of EventBridge
        if notification["detail-type"] == "Object Created":
            bucket, found = notification["detail"]["bucket"], notification["detail"]["object"]
            yield S3Object(bucket["name"], found["key"], found.get("version-id"), found.get("sequencer"))
    elif notification.get("Event") != "s3:TestEvent":
        for record in notification["Records"]:
            if "Sns" in record:
                yield from _named_in(record["Sns"]["Message"])
            elif record["eventName"].startswith("ObjectCreated:"):
                bucket, found = record["s3"]["bucket"], record["s3"]["object"]
                key = unquote_plus(found["key"])
                yield S3Object(bucket["name"], key, found.get("versionId"), found.get("sequencer"))


@functools.lru_cache(maxsize=1)
def _client() -> Any:
    """Return a client with the credentials of the function's role."""
    with UNFORKED:
        import boto3
        from botocore.config import Config

    config = Config(
        connect_timeout=TIMEOUT_SECONDS / 2, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 2}
    )
    return boto3.session.Session().client("s3", config=config)
