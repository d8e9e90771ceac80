"""The settings of the consumer. `Config` has those of the exporter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .partition import Limits

TOPICS = ("otlp_spans", "otlp_logs")
"""The default topics of the Collector's kafka exporter."""

ASSIGNMENT = "partition.assignment.strategy"
DEFAULTS = {
    ASSIGNMENT: "cooperative-sticky",
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": "false",
}
"""Properties of librdkafka that the user may change."""

FIXED = {"enable.auto.commit": "false", "enable.auto.offset.store": "false", "enable.partition.eof": "false"}
"""Properties that guarantee delivery. They cannot be changed."""

LIMITS = Limits(messages=5000, size_bytes=64 * 1024 * 1024)
"""Messages of each partition, and bytes of all together, which are divided among the assigned partitions."""

OWN = {"bootstrap.servers": "--brokers", "group.id": "--group"}
"""Properties that have an option."""

_CONSUMER_ONLY = (
    *("auto.", "check.crcs", "fetch.", "group.", "heartbeat.", "isolation.", "max.partition.", "max.poll."),
    *("partition.assignment.", "queued.", "session.timeout"),
)
"""The beginnings of a consumer's own properties. The producer of dead letters has the others, such as SASL and TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """The settings of a consumer: its topics, and the treatment of messages that cannot become events.

    `properties` are librdkafka's, and may have passwords. `msk_region` signs in to MSK by IAM. `refused_seconds` is how
    long messages wait for an app monitor that RUM refuses.
    """

    brokers: str
    topics: tuple[str, ...] = TOPICS
    group: str = "otel-rum"
    dead_letter_topic: str | None = None
    on_undecodable: Literal["skip", "stop"] = "skip"
    refused_seconds: int = 600
    msk_region: str | None = None
    limits: Limits = LIMITS
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_static(self) -> bool:
        """Whether the consumer is a static member of its group, which keeps its partitions while it restarts."""
        return bool(self.properties.get("group.instance.id"))

    def consumer(self) -> dict[str, str]:
        """Return the properties of the consumer."""
        found = {**DEFAULTS, **self._shared(), **self.properties, **FIXED, "group.id": self.group}
        if found.get("group.protocol") == "consumer" and ASSIGNMENT not in self.properties:
            del found[ASSIGNMENT]  # with the protocol of Kafka 4, brokers assign
        return found

    def producer(self) -> dict[str, str]:
        """Return the properties of the producer of dead letters.

        It is not idempotent, which needs a permission for the cluster. Redelivered messages are written again anyway.
        """
        properties = {name: value for name, value in self.properties.items() if not name.startswith(_CONSUMER_ONLY)}
        return {**self._shared(), **properties, "acks": "all"}

    def _shared(self) -> dict[str, str]:
        # Failures are also events, which the consumer logs with their consequence.
        shared = {"bootstrap.servers": self.brokers, "log_level": "2"}
        if self.msk_region:
            shared |= {"security.protocol": "SASL_SSL", "sasl.mechanisms": "OAUTHBEARER"}
        return shared


def read_properties(text: str) -> dict[str, str]:
    """Return the properties in the text of a file: `name=value` in each line, `#` before a comment.

    Raises:
        ValueError: with the number of a line that is wrong.
    """
    properties = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            try:
                name, value = read_property(stripped)
            except ValueError as fault:
                raise ValueError(f"line {number} {fault}") from None
            properties[name] = value
    return properties


def read_property(text: str) -> tuple[str, str]:
    """Return the name and the value of `name=value`.

    Raises:
        ValueError: if it is something else, or a property that cannot be set. The value may be a secret.
    """
    name, is_pair, value = text.partition("=")
    name = name.strip()
    if not (is_pair and name):
        raise ValueError("is not NAME=VALUE")
    if name in FIXED:
        raise ValueError(f"sets {name}, which is always {FIXED[name]}; leave it out")
    if name in OWN:
        raise ValueError(f"sets {name}; use {OWN[name]}")
    return name, value.strip()
