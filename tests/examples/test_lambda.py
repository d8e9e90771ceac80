"""The template of examples/lambda has the settings without which Lambda loses messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from otel_rum_exporter import aws_lambda

TEMPLATE = Path(__file__).parents[2] / "examples" / "lambda" / "template.yaml"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's functions as their arguments."""


_Loader.add_multi_constructor("!", lambda loader, _, node: getattr(loader, f"construct_{node.id}")(node))


def _resources(*types: str) -> list[dict[str, Any]]:
    template = yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)
    return [one["Properties"] for one in template["Resources"].values() if one["Type"] in types]


def test_every_handler_has_a_function() -> None:
    """The names are those of the package."""
    names = {function["Handler"] for function in _resources("AWS::Serverless::Function")}
    assert names == {f"{aws_lambda.__name__}.{name}" for name in aws_lambda.__all__ if name.endswith("_handler")}


def test_event_sources_report_failed_messages_and_keep_them() -> None:
    """Streams and topics retry within a bound, queues have a dead-letter queue."""
    functions = _resources("AWS::Serverless::Function")
    sources = [event for one in functions for event in one.get("Events", {}).values()]
    mappings = [*(source["Properties"] for source in sources), *_resources("AWS::Lambda::EventSourceMapping")]
    assert len(mappings) == 4
    for mapping in mappings:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        if "StartingPosition" in mapping:
            assert mapping["MaximumRetryAttempts"] == 10
            assert mapping["BisectBatchOnFunctionError"] is True
            assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == "Failed.Arn"
        else:
            assert mapping["Queue"] == "Queue.Arn"
    (queue,) = (queue for queue in _resources("AWS::SQS::Queue") if "RedrivePolicy" in queue)
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == "Failed.Arn"
