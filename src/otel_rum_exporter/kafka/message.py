"""A consumed message, without the optional fields of librdkafka's."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from confluent_kafka import Message

Headers: TypeAlias = list[tuple[str, str | bytes | None]]


class ConsumedMessage(NamedTuple):
    """A message and its place."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers

    @classmethod
    def of(cls, message: Message) -> ConsumedMessage:
        """Read a message without an error."""
        value, key, headers = message.value(), message.key(), message.headers() or []
        return cls(
            message.topic() or "",
            message.partition() or 0,
            message.offset() or 0,
            key.encode() if isinstance(key, str) else key,
            value.encode() if isinstance(value, str) else value or b"",
            list(headers.items()) if isinstance(headers, dict) else headers,
        )

    @property
    def size_bytes(self) -> int:
        """The size in memory, roughly."""
        return len(self.value) + len(self.key or b"") + 500
