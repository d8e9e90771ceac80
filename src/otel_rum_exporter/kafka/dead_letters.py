"""The dead-letter topic: messages that cannot become events, with the reason and their place as headers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from .._log import RateLimitedLog
from .message import ConsumedMessage, Headers

FLUSH_SECONDS = 1.0
"""The last wait for acknowledgements. The consumer has waited for them before, while its messages were in flight."""

MAX_REASON_CHARS = 1000


class DeadLetter(NamedTuple):
    """A message, why it became no events, and what to call when a broker has it."""

    message: ConsumedMessage
    reason: str
    is_acknowledged: Callable[[], None]

    def without_value(self) -> DeadLetter:
        """Return a letter that fits into a topic for smaller messages."""
        reason = f"{self.reason[: MAX_REASON_CHARS // 2]}; its value of {len(self.message.value)} bytes is too large"
        return self._replace(message=self.message._replace(value=b""), reason=f"{reason} for this topic")

    def headers(self) -> Headers:
        """Return the headers of the message, and its reason and place."""
        message = self.message
        place = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
        added = {"reason": self.reason[:MAX_REASON_CHARS], **place}
        return [
            *(message.headers),
            *((f"otel_rum.{name}", str(value).encode()) for name, value in added.items()),
        ]


class DeadLetters:
    """Produce messages to a topic until a broker acknowledges them. Not thread-safe: `poll` calls the callbacks."""

    def __init__(self, topic: str, properties: Mapping[str, Any], log: RateLimitedLog) -> None:
        self._topic = topic
        self._log = log
        self._producer = Producer({**properties})
        self._waiting: deque[DeadLetter] = deque()
        self.acknowledged = 0

    def send(self, message: ConsumedMessage, reason: str, is_acknowledged: Callable[[], None]) -> None:
        """Produce a message with the next `poll`."""
        self._waiting.append(DeadLetter(message, reason, is_acknowledged))

    def poll(self, seconds: float = 0.0) -> None:
        """Produce what waits, and call the callbacks of what is acknowledged."""
        while self._waiting and self._produce(self._waiting[0]):
            self._waiting.popleft()
        self._producer.poll(seconds)

    def close(self) -> None:
        """Wait a little for acknowledgements. Messages without one are consumed again."""
        self.poll()
        self._producer.flush(FLUSH_SECONDS)
        self._producer.purge()

    def _produce(self, letter: DeadLetter) -> bool:
        """Give a message to the producer; false if that must be tried again."""

        def on_delivery(error: KafkaError | None, _: object) -> None:
            if error is None:
                self.acknowledged += 1
                letter.is_acknowledged()
            else:
                self._waiting.append(self._after(error, letter))

        message = letter.message
        try:
            self._producer.produce(
                self._topic, message.value, message.key, headers=letter.headers(), on_delivery=on_delivery
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._waiting[0] = self._after(error.args[0], letter)
            return False
        return True

    def _after(self, error: KafkaError, letter: DeadLetter) -> DeadLetter:
        """Return what to send after an error: the same letter, or one without its value if it is too large."""
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE and letter.message.value:
            return letter.without_value()
        self._log.add(
            "dead letters",
            "dead letters were not written to %s (%s); their partitions wait, retrying. "
            "To fix: create the topic, or check the permissions for it.",
            self._topic,
            error,
        )
        return letter
