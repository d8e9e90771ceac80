"""`otel-rum kafka`: consume OTLP from Kafka until a signal stops it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click

from ...kafka.partition import Limits
from ...kafka.settings import LIMITS, TOPICS, KafkaSettings, read_properties, read_property
from .. import FAILED, MISUSED, fail, not_installed
from ..addresses import why_not_listening
from ..options import Command, read_config


@click.command(cls=Command, short_help="Consume OTLP from Kafka, and send it to RUM.")
@click.option("--brokers", metavar="HOST:PORT,...", required=True, help="Brokers to connect to first.")
@click.option(
    "--topic",
    "topics",
    metavar="NAME",
    multiple=True,
    help=f"Topic, or a pattern that begins with ^; repeatable. [default: {', '.join(TOPICS)}]",
)
@click.option("--group", metavar="NAME", default="otel-rum", show_default=True, help="Consumer group.")
@click.option("--dead-letter-topic", metavar="NAME", help="Topic for messages that cannot become events.")
@click.option(
    "--on-undecodable",
    type=click.Choice(["skip", "stop"]),
    default="skip",
    show_default=True,
    help="What to do with a message that is not OTLP if there is no dead-letter topic.",
)
@click.option(
    "--refused-seconds",
    type=click.IntRange(1),
    default=600,
    show_default=True,
    help="How long messages wait for an app monitor that RUM refuses. Then they are dead letters.",
)
@click.option(
    "--property", "properties", metavar="NAME=VALUE", multiple=True, help="Property of librdkafka; repeatable."
)
@click.option(
    "--properties",
    "properties_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of such properties, for passwords.",
)
@click.option("--msk-region", metavar="REGION", help="Sign in to MSK of this region by IAM.")
@click.option(
    "--max-in-flight",
    type=click.IntRange(1),
    default=LIMITS.messages,
    show_default=True,
    help="Most messages of a partition after its committed offset, which is also what a kill delivers again.",
)
@click.option(
    "--max-in-flight-bytes",
    type=click.IntRange(1),
    default=LIMITS.size_bytes,
    show_default=True,
    help="Most bytes in flight, divided among the partitions of this process.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of /healthz, /readyz and /metrics.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port for these; 0 chooses a free one. [default: none]")
def kafka(
    topics: tuple[str, ...],
    properties: tuple[str, ...],
    properties_file: Path | None,
    max_in_flight: int,
    max_in_flight_bytes: int,
    host: str,
    port: int | None,
    **given: Any,
) -> None:
    """Consume OTLP spans and logs from Kafka as a consumer group, and send them to RUM, until Ctrl-C or SIGTERM.

    An offset is committed when all events of the messages before it are delivered, or dropped and counted. The
    variables OTEL_EXPORTER_AWS_RUM_... set the destination and the way of sending.

    \b
    Examples:
      otel-rum kafka --brokers kafka-1:9092,kafka-2:9092
      otel-rum kafka --brokers kafka:9092 --topic '^otlp_spans' --dead-letter-topic rum_dead_letters --port 8080
      otel-rum kafka --brokers b-1.msk.example:9098 --msk-region eu-west-1
    """  # noqa: D301 - click's mark for a paragraph that is not wrapped
    settings = KafkaSettings(
        **given,
        topics=topics or TOPICS,
        limits=Limits(max_in_flight, max_in_flight_bytes),
        properties=_properties(properties, properties_file),
    )
    _check_patterns(settings)
    _check_dead_letter_topic(settings)
    config = read_config({}, os.environ)
    try:
        from ...kafka.consumer import FatalError
        from ...kafka.process import consume
        from ...kafka.receiver import UndecodableError
    except ModuleNotFoundError as error:
        fail(not_installed(error.name, "kafka"), MISUSED)
    try:
        has_left = consume(settings, config, host, port, lambda bound: _announce(settings, host, bound))
    except ModuleNotFoundError as error:
        fail(not_installed(error.name, "kafka"), MISUSED)
    except (UndecodableError, FatalError) as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(why_not_listening(error, "--port"))
    if not has_left:  # the interpreter's end would wait for librdkafka
        sys.stdout.flush()
        os._exit(0)


def _properties(given: tuple[str, ...], file: Path | None) -> dict[str, str]:
    try:
        properties = read_properties(file.read_text("utf-8")) if file else {}
    except ValueError as fault:
        fail(f"--properties {file}: {fault}", MISUSED)
    for text in given:
        try:
            name, value = read_property(text)
        except ValueError as fault:
            fail(f"--property {text.partition('=')[0]}: {fault}", MISUSED)
        properties[name] = value
    return properties


def _check_patterns(settings: KafkaSettings) -> None:
    """Check the patterns, which both librdkafka and `re` match: the quota needs the number of all partitions."""
    for topic in settings.topics:
        if topic.startswith("^"):
            if "[[:" in topic:
                fail(f"--topic {topic}: is a pattern with a class of POSIX; use [a-z] or [0-9]", MISUSED)
            try:
                re.compile(topic)
            except re.error as fault:
                fail(f"--topic {topic}: is not a pattern ({fault})", MISUSED)


def _check_dead_letter_topic(settings: KafkaSettings) -> None:
    name = settings.dead_letter_topic
    for topic in settings.topics if name else ():
        if topic == name or (topic.startswith("^") and re.match(topic, str(name))):
            fail(f"--dead-letter-topic {name} is consumed too, because of --topic {topic}; use another name", MISUSED)


def _announce(settings: KafkaSettings, host: str, port: int | None) -> None:
    click.echo(f"consuming {', '.join(settings.topics)} from {settings.brokers} as the group {settings.group}")
    if port is not None:
        click.echo(f"health and metrics on http://{host}:{port}")
