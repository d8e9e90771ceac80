"""Functions run by AWS's runtime interface client, with messages from moto's Kinesis, SQS and S3."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from otel_rum_exporter.local import LocalRum
from tests.aws import Aws
from tests.aws_lambda.conftest import Context, settings_for
from tests.aws_lambda.events import kafka_event, kinesis_event, s3_event, sns_event, spans, sqs_event, text
from tests.otlp.files import ONE_JSON_SPAN

pytest.importorskip("awslambdaric")

from otel_rum_exporter.aws_lambda import UndeliveredError, s3_handler
from tests.aws_lambda.runtime import RuntimeApi

CREDENTIALS = {
    "region_name": "us-east-2",
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "example",
}
POISON = b"not telemetry"


@pytest.fixture
def aws() -> Iterator[Aws]:
    """Serve Kinesis, SQS and S3."""
    with Aws().serving() as served:
        yield served


def _client(service: str, aws: Aws) -> Any:
    return boto3.session.Session().client(service, endpoint_url=aws.url, **CREDENTIALS)


def _names(rum: LocalRum) -> list[str]:
    return sorted(str(event.details["name"]) for event in rum.events if "name" in event.details)


def test_a_stream_is_delivered(rum: LocalRum, aws: Aws) -> None:
    """The environment stays warm for a second batch, which begins at the failed record."""
    kinesis = _client("kinesis", aws)
    kinesis.create_stream(StreamName="otlp", ShardCount=1)
    for data in (spans("a"), gzip.compress(spans("b")), POISON, ONE_JSON_SPAN):
        kinesis.put_record(StreamName="otlp", Data=data, PartitionKey="random")
    shard = kinesis.describe_stream(StreamName="otlp")["StreamDescription"]["Shards"][0]["ShardId"]
    at = kinesis.get_shard_iterator(StreamName="otlp", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    found = kinesis.get_records(ShardIterator=at["ShardIterator"])["Records"]
    kinesis.close()
    event = kinesis_event([record["Data"] for record in found])
    for record, original in zip(event["Records"], found, strict=True):
        record["kinesis"]["sequenceNumber"] = original["SequenceNumber"]
    expected = {"batchItemFailures": [{"itemIdentifier": found[2]["SequenceNumber"]}]}
    with RuntimeApi().running("kinesis_handler", settings_for(rum)) as function:
        assert function.invoke(event).response == expected
        assert function.invoke({"Records": event["Records"][2:]}).response == expected
    assert _names(rum) == ["a", "b", "work"]


def test_a_queue_is_delivered(rum: LocalRum, aws: Aws) -> None:
    """A failed message stays in the queue until its dead-letter queue gets it."""
    sqs = _client("sqs", aws)
    url = sqs.create_queue(QueueName="otlp")["QueueUrl"]
    for body in (text(spans("a")), text(POISON), ONE_JSON_SPAN.decode()):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    sqs.close()
    event = sqs_event([message["Body"] for message in found])
    for record, message in zip(event["Records"], found, strict=True):
        record["messageId"] = message["MessageId"]
    poison = next(message["MessageId"] for message in found if message["Body"] == text(POISON))
    with RuntimeApi().running("sqs_handler", settings_for(rum)) as function:
        assert function.invoke(event).response == {"batchItemFailures": [{"itemIdentifier": poison}]}
    assert _names(rum) == ["a", "work"]


def test_topics_are_delivered_within_the_time(rum: LocalRum) -> None:
    """While RUM responds with errors, everything fails before the function's timeout, and is delivered once after."""
    rum.answer(503, times=1_000_000)
    event = kafka_event([[spans("a")], [spans("b")]])
    with RuntimeApi().running("kafka_handler", settings_for(rum)) as function:
        assert len(function.invoke(event, seconds=1.0).response["batchItemFailures"]) == 2
        rum.faults = ()
        assert function.invoke(event).response == {"batchItemFailures": []}
    assert _names(rum) == ["a", "b"]


def test_objects_are_delivered(rum: LocalRum, aws: Aws) -> None:
    """A failed object raises, because Lambda ignores the response to a direct notification."""
    s3 = _client("s3", aws)
    s3.create_bucket(Bucket="spans", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_object(Bucket="spans", Key="year=2026/a b+c.binpb", Body=spans("a"))
    s3.close()
    settings = {**settings_for(rum), "AWS_ENDPOINT_URL_S3": aws.url}
    with RuntimeApi().running("s3_handler", settings) as function:
        assert function.invoke(s3_event("spans", "year=2026/a b+c.binpb")).response == {"batchItemFailures": []}
        error = function.invoke(s3_event("spans", "absent")).error
    assert (error["errorType"], error["errorMessage"]) == (
        "UndeliveredError",
        "1 of 1 objects failed, the first is s3://spans/absent",
    )
    assert _names(rum) == ["a"]


@pytest.fixture
def objects(function: LocalRum, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> LocalRum:
    """Store two objects that can be read and one that cannot."""
    s3 = _client("s3", aws)
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):  # moto keeps it for the next test
        s3.create_bucket(Bucket="traces", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    for key, body in (("a.json", ONE_JSON_SPAN), ("b.binpb.gz", gzip.compress(spans("b"))), ("poison", POISON)):
        s3.put_object(Bucket="traces", Key=key, Body=body)
    s3.close()
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AKIDEXAMPLE", "example"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws.url)
    return function


def test_notifications_in_a_queue_report_message_ids(objects: LocalRum) -> None:
    """A message fails if one of its objects does. The test notification of S3 has no object."""
    removed = s3_event("traces", "removed")
    removed["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    bodies = [
        s3_event("traces", "a.json"),
        s3_event("traces", "b.binpb.gz", "poison", "absent"),
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "traces"},
        removed,
        {"Records": [{}]},
        [],
        {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"},
    ]
    event = sqs_event([*map(json.dumps, bodies), "not JSON", "[" * 100_000])
    ids = [record["messageId"] for record in event["Records"]]
    expected = [{"itemIdentifier": ids[at]} for at in (1, 4, 5, 6, 7, 8)]
    assert s3_handler(event, Context()) == {"batchItemFailures": expected}
    assert _names(objects) == ["b", "work"]


def test_notifications_through_sns_and_event_bridge_are_delivered(objects: LocalRum, aws: Aws) -> None:
    """S3 notifies a topic, a bus and a queue; the queue gets all three. Only the bus does not URL-encode keys."""
    s3, sns, sqs, bus = (_client(service, aws) for service in ("s3", "sns", "sqs", "events"))
    url = sqs.create_queue(QueueName="notifications")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="notifications")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    bus.put_rule(Name="notifications", EventPattern=json.dumps({"source": ["aws.s3"]}), State="ENABLED")
    bus.put_targets(Rule="notifications", Targets=[{"Id": "1", "Arn": queue}])
    created = ["s3:ObjectCreated:*"]
    notifications = {
        "TopicConfigurations": [{"TopicArn": topic, "Events": created}],
        "QueueConfigurations": [{"QueueArn": queue, "Events": created}],
        "EventBridgeConfiguration": {},
    }
    s3.put_bucket_notification_configuration(Bucket="traces", NotificationConfiguration=notifications)
    s3.put_object(Bucket="traces", Key="year=2026/a b+c.json", Body=ONE_JSON_SPAN)
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    s3.put_bucket_notification_configuration(Bucket="traces", NotificationConfiguration={})
    for client in (s3, sns, sqs, bus):
        client.close()
    found = [body for body in found if "TestEvent" not in body]
    words = ("aws.s3", "TopicArn", '{"Records"')
    of_bus, of_topic, of_s3 = (next(body for body in found if word in body) for word in words)
    direct = (json.loads(of_bus), sns_event(json.loads(of_topic)["Message"]))
    for number, event in enumerate((sqs_event([of_bus]), sqs_event([of_topic]), sqs_event([of_s3]), *direct), 1):
        assert s3_handler(event, Context()) == {"batchItemFailures": []}
        assert _names(objects) == ["work"] * number


@pytest.mark.parametrize("event", [{}, {"source": "aws.ec2", "detail-type": "x"}, sns_event("hello")])
def test_an_event_that_is_no_notification_of_s3_is_an_error(objects: LocalRum, event: Any) -> None:
    """A function that is subscribed to something else must not seem to succeed."""
    with pytest.raises(ValueError, match="s3_handler does not handle"):
        s3_handler(event, Context())


def test_a_failed_object_of_a_direct_notification_raises(objects: LocalRum) -> None:
    """The others are delivered, and are not sent again with the retry."""
    for _ in range(2):
        with pytest.raises(UndeliveredError, match="1 of 2 objects failed, the first is s3://traces/poison"):
            s3_handler(s3_event("traces", "a.json", "poison"), Context())
    assert _names(objects) == ["work"]


def test_an_object_that_is_too_large_fails(objects: LocalRum, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to its end."""
    monkeypatch.setattr("otel_rum_exporter.aws_lambda.s3_objects.MAX_MESSAGE_BYTES", 10)
    with pytest.raises(UndeliveredError):
        s3_handler(s3_event("traces", "a.json"), Context())
