"""The handlers: each reads the events of its source, and reports failed messages as that source expects it.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..otlp import OtlpError
from . import s3_objects
from .invocation import Context, Message, UndeliveredError, undelivered

Event = Mapping[str, Any]
Response = dict[str, list[dict[str, Any]]]


def kinesis_handler(event: Event, context: Context) -> Response:
    """Deliver the records of a Kinesis data stream.

    Lambda goes on at the lowest failed sequence number. All records are tried nevertheless.
    """
    records = _records(event, "kinesis_handler", "aws:kinesis")
    numbers = [_identifier(record["kinesis"]["sequenceNumber"]) for record in records]
    messages = [
        Message(
            (record.get("eventSourceARN"), record.get("eventID"), number),
            f"a record of {str(record.get('eventID')).partition(':')[0]}",
            partial(_base64, record["kinesis"].get("data")),
        )
        for number, record in zip(numbers, records, strict=True)
    ]
    failed = [numbers[at] for at in undelivered(messages, context)]
    return _response([min(failed, key=int)] if failed else [])


def sqs_handler(event: Event, context: Context) -> Response:
    """Deliver the messages of an SQS queue: OTLP in JSON, or in base64 for anything else."""
    records = _records(event, "sqs_handler", "aws:sqs")
    ids = [_identifier(record["messageId"]) for record in records]
    messages = [
        Message(message_id, message_id, partial(_text, record.get("body")))
        for message_id, record in zip(ids, records, strict=True)
    ]
    return _response(list(dict.fromkeys(ids[at] for at in undelivered(messages, context))))


def kafka_handler(event: Event, context: Context) -> Response:
    """Deliver the records of Kafka topics, of Amazon MSK or self-managed brokers."""
    source = event.get("eventSource")
    if source not in {"aws:kafka", "SelfManagedKafka"}:
        raise _wrong_source("kafka_handler", source)
    records = [record for batch in (event.get("records") or {}).values() for record in batch or ()]
    identifiers = [
        {"partition": f"{_identifier(record['topic'])}-{record['partition']}", "offset": record["offset"]}
        for record in records
    ]
    cluster = event.get("eventSourceArn") or event.get("bootstrapServers")
    messages = [
        Message(
            (cluster, *identifier.values(), record.get("timestamp")),
            f"{identifier['partition']} at {identifier['offset']}",
            partial(_base64, record.get("value") or ""),
        )
        for identifier, record in zip(identifiers, records, strict=True)
    ]
    return _response([identifiers[at] for at in undelivered(messages, context)])


def s3_handler(event: Event, context: Context) -> Response:
    """Deliver the objects that a notification of S3 names, received directly, from SNS, EventBridge or an SQS queue.

    Raises:
        UndeliveredError: an object failed, and the notification did not come from a queue. Lambda ignores the response
            to it, and invokes the function again only after an exception.
    """
    records = _records(event, "s3_handler", "aws:s3", "aws:sns", "aws:sqs")
    if any(record.get("eventSource") == "aws:sqs" for record in records):
        return _objects_in_queue(records, context)
    try:
        objects = s3_objects.named_in(event)
    except OtlpError:
        raise _wrong_source("s3_handler", event.get("source")) from None
    failed = [objects[at].name for at in undelivered(list(map(_object, objects)), context)]
    if failed:
        raise UndeliveredError(f"{len(failed)} of {len(objects)} objects failed, the first is {failed[0]}")
    return _response([])


def _objects_in_queue(records: Sequence[Event], context: Context) -> Response:
    ids = [_identifier(record["messageId"]) for record in records]
    messages: list[Message] = []
    owners: list[str] = []
    for message_id, record in zip(ids, records, strict=True):
        try:
            found = list(map(_object, s3_objects.named_in(record.get("body"))))
        except OtlpError as error:
            found = [Message(message_id, message_id, partial(_raise, error))]
        messages.extend(found)
        owners.extend([message_id] * len(found))
    return _response(list(dict.fromkeys(owners[at] for at in undelivered(messages, context))))


def _records(event: Event, handler: str, *sources: str) -> Sequence[Event]:
    records: Sequence[Event] = event.get("Records") or ()
    for source in {record.get("eventSource", record.get("EventSource")) for record in records}:
        if source not in sources:
            raise _wrong_source(handler, source)
    return records


def _wrong_source(handler: str, source: object) -> ValueError:
    return ValueError(f"{handler} does not handle events of {source!r:.60}")


def _identifier(value: str) -> str:
    """Return an identifier. An empty one in the response would fail the batch without a reason."""
    if not value:
        raise ValueError("a record has no identifier")
    return value


def _response(identifiers: Sequence[Any]) -> Response:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def _base64(data: object) -> bytes:
    if not isinstance(data, str):  # such as the object that a schema registry makes of a value
        raise OtlpError(f"not base64, but {type(data).__name__}")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise OtlpError(f"not base64: {error}") from None


def _text(body: object) -> bytes:
    """Return the content of an SQS body, which cannot have arbitrary bytes."""
    if not isinstance(body, str):
        return _base64(body)
    if body.lstrip("\ufeff \t\r\n").startswith("{"):
        return body.encode("utf-8", "replace")  # a lone surrogate costs its place
    return _base64("".join(body.split()))


def _object(found: s3_objects.S3Object) -> Message:
    return Message(found, found.name, found.read)


def _raise(error: OtlpError) -> bytes:
    raise error
