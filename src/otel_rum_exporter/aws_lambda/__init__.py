"""Handlers of AWS Lambda that deliver OTLP from Kinesis, SQS, Kafka and S3 to CloudWatch RUM.

Name one as the handler of a function, for example `otel_rum_exporter.aws_lambda.kinesis_handler`.
"""

from __future__ import annotations

from .handlers import kafka_handler, kinesis_handler, s3_handler, sqs_handler
from .invocation import UndeliveredError

__all__ = ["UndeliveredError", "kafka_handler", "kinesis_handler", "s3_handler", "sqs_handler"]
