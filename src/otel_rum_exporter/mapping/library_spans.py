"""Spans of instrumentation libraries that say nothing about a person's experience, and units of work, which do.

RUM charges for each event, and one request makes many such spans: `CUSTOM_EVENTS=all` sends them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .._pattern import lazy_pattern
from ..config import Config
from .attribute_keys import AttributeKeys
from .caches import cache_short_texts
from .record_view import CLIENT, INTERNAL, PRODUCER
from .rule import never
from .span_view import SpanView

DATABASE = frozenset(
    {"db.system.name", "db.system", "db.query.text", "db.statement", "db.operation.name", "db.operation"}
)
MESSAGING = frozenset({"messaging.system"})
RPC = frozenset({"rpc.system", "rpc.system.name"})
JOB = frozenset(
    (
        *("faas.trigger", "faas.invocation_id", "faas.execution"),
        *("job.system", "job.name", "job.id", "code.cron", "process.command_args", "cicd.pipeline.name"),
    )
)
"""Attributes of a function, a scheduled job and a command: each is a unit of work, whatever library made its span."""

SCOPES = lazy_pattern(
    r"""@[\w.-]+/(?:[\w.-]*instrumentation|otel\b)  # JavaScript
      | opentelemetry[._]instrumentation[._]       # Python; with an underscore Erlang and Rust
      | io\.opentelemetry\.(?!android|lifecycle|anr|crash|slow-rendering|network|click  # Java; not Android's own
          |[\w-]*annotations|methods|php\.with-span)  # nor functions that the application chose
      | opentelemetry_(?!api|sdk)[a-z]+\Z  # Elixir
      | OpenTelemetry(\.|::)Instrumentation        # .NET, Ruby
      | (go\.opentelemetry\.io|github\.com/open-telemetry/\S+)/contrib/ | gorm\.io/ | cloud\.google\.com/
      | [\w-]+\.\w+/\S*\b(?:otel[a-z]+|[a-z]+otel)\b  # Go, such as otelsql and redisotel
      | open(inference|llmetry|-telemetry/opentelemetry-php-contrib)
      | (Npgsql|MySqlConnector|MongoDB|StackExchange|MassTransit|Azure|AWSSDK)\b | (Experimental\.)?(System|Microsoft)\.
      | (go\.mongodb\.org|entgo\.io|github\.com/grpc-ecosystem)/ | org\.apache\.camel | tower_http | @apollo/
      | (HotChocolate|Yarp|GraphQL)\b
      | (prisma|next\.js|strawberry|fastapi|starlette|google\.cloud)\b | logfire\.
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Names of instrumentation scopes. A library with a scope of another name counts as the application."""

POLLS = lazy_pattern(
    r"opentelemetry\.instrumentation\.(boto3sqs|confluent_kafka)\b|@opentelemetry/instrumentation-aws-sdk\b"
    r"|io\.opentelemetry\.(aws-sdk|kafka|jms|rabbitmq|pulsar|rocketmq|spring-(rabbit|jms|kafka))"
)
"""Scopes that make a span for a request for messages, and others for the processing of each message."""

MAX_CACHED_SCOPES = 1000
MAX_SCOPE_CHARS = 256
_OUTGOING = (CLIENT, PRODUCER)  # a set would call the hash of an Enum, which is written in Python


@cache_short_texts(MAX_CACHED_SCOPES, MAX_SCOPE_CHARS)
def is_library(scope: str) -> bool:
    """Return whether an instrumentation library has this scope."""
    return SCOPES.match(scope) is not None


def is_poll(view: SpanView, config: Config) -> bool:
    """Return whether a span asks for messages, of which each has a span of its own."""
    return (
        config.custom_events == "application"
        and (view.name == "recv" or view.text("messaging.operation.type", "messaging.operation") == "receive")
        and POLLS.match(view.scope_name) is not None
    )


def is_call(view: SpanView, config: Config) -> bool:
    """Return whether a span of such attributes is a call to another system: of kind CLIENT, or a library's own."""
    return is_step(view, config) or (config.custom_events == "application" and view.kind in _OUTGOING)


def is_aws_call(view: SpanView, config: Config) -> bool:
    """Return whether a span is a call of an AWS SDK; some of them also have attributes of HTTP."""
    return is_call(view, config) and view.text("rpc.system", "rpc.system.name") == "aws-api"


def are_steps(_: AttributeKeys, config: Config) -> Callable[[SpanView], bool]:
    """Return a test whether a span is a library's own step."""
    return (lambda view: is_step(view, config)) if config.custom_events == "application" else never


def is_step(view: SpanView, config: Config) -> bool:
    """Return whether a span is a library's own step, such as a template, a middleware or a message sent."""
    return (
        config.custom_events == "application"
        and (view.kind in _OUTGOING or view.kind is INTERNAL)
        and is_library(view.scope_name)
    )
