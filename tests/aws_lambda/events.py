"""Events as AWS documents them, and messages to put into them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from tests.spans import make_span

Event = dict[str, Any]
STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/otlp_spans"
QUEUE = "arn:aws:sqs:us-east-2:123456789012:otlp"
FIRST_NUMBER = 49590338271490256608559692538361571095921575989136588898


def spans(*names: str, session: str = "s") -> bytes:
    """Return an export request in protobuf."""
    return request(*(make_span(name, {"session.id": session}) for name in names))


def request(*made: ReadableSpan) -> bytes:
    """Return an export request for spans."""
    return encode_spans(made).SerializeToString()


def text(data: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(data).decode()


def kinesis_event(messages: Sequence[bytes]) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "1",
                    "sequenceNumber": str(FIRST_NUMBER + at),
                    "data": text(message),
                    "approximateArrivalTimestamp": 1545084650.987,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000006:{FIRST_NUMBER + at}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
                "awsRegion": "us-east-2",
                "eventSourceARN": STREAM,
            }
            for at, message in enumerate(messages)
        ]
    }


def sqs_event(bodies: Sequence[str]) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    return {
        "Records": [
            {
                "messageId": f"059f36b4-87a3-44ab-83d2-{at:012}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1545082649185",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": QUEUE,
                "awsRegion": "us-east-2",
            }
            for at, body in enumerate(bodies)
        ]
    }


def kafka_event(partitions: Sequence[Sequence[bytes | None]], source: str = "aws:kafka") -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html, with the values of each partition."""
    cluster = {"eventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2/1a2b"} if "aws" in source else {}
    return {
        "eventSource": source,
        **cluster,
        "bootstrapServers": "b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092",
        "records": {
            f"otlp_spans-{partition}": [
                {
                    "topic": "otlp_spans",
                    "partition": partition,
                    "offset": 15 + at,
                    "timestamp": 1545084650987,
                    "timestampType": "CREATE_TIME",
                    "key": "YWJjZGVmZ2hpamtsbW5vcA==",
                    **({} if value is None else {"value": text(value)}),
                    "headers": [],
                }
                for at, value in enumerate(values)
            ]
            for partition, values in enumerate(partitions)
        },
    }


def s3_event(bucket: str, *keys: str) -> Event:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-2",
                "eventTime": "2019-09-03T19:37:27.192Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"},
                "requestParameters": {"sourceIPAddress": "205.255.255.255"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "828aa6fc-f7b5-4305-8584-487c791949c1",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {"key": quote_plus(key), "size": 1305107, "sequencer": f"0C0F6F405D6ED209E1{at}"},
                },
            }
            for at, key in enumerate(keys)
        ]
    }


def sns_event(message: str) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html."""
    return {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSubscriptionArn": "arn:aws:sns:us-east-1:123456789012:objects:21be56ed",
                "EventSource": "aws:sns",
                "Sns": {
                    "SignatureVersion": "1",
                    "Timestamp": "2019-01-02T12:45:07.000Z",
                    "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
                    "Message": message,
                    "Type": "Notification",
                    "TopicArn": "arn:aws:sns:us-east-1:123456789012:objects",
                    "Subject": "Amazon S3 Notification",
                },
            }
        ]
    }
