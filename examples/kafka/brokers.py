"""Three Kafka brokers on TCP without an installation: the mock cluster in the library of confluent-kafka.

They keep everything in memory, and are for demonstrations and tests.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import confluent_kafka

if TYPE_CHECKING:
    from typing_extensions import Self

PRODUCER = 0
"""RD_KAFKA_PRODUCER: the type of the client that owns the cluster."""

OFFSET_COMMIT, HEARTBEAT, LEAVE_GROUP, INIT_PRODUCER_ID = 8, 12, 13, 22
"""The numbers of requests in Kafka's protocol."""


class Brokers:
    """A cluster of mock brokers; `bootstrap` is its address."""

    def __init__(self, count: int = 3) -> None:
        self._library = library = _library()
        error = ctypes.create_string_buffer(512)
        options = library.rd_kafka_conf_new()
        library.rd_kafka_conf_set(options, b"log_level", b"2", error, len(error))
        self._client = library.rd_kafka_new(PRODUCER, options, error, len(error))
        if not self._client:
            raise RuntimeError(error.value.decode())
        self._cluster = library.rd_kafka_mock_cluster_new(self._client, count)
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.count = count
        self.bootstrap: str = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic."""
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code:
            raise RuntimeError(f"topic {name}: error {code}")

    def set_down(self, broker: int) -> None:
        """Stop a broker, which closes its connections. Brokers count from 1."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def set_up(self, broker: int) -> None:
        """Start a broker again."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def fail(self, request: int, *errors: int) -> None:
        """Respond to the next requests of a kind with error codes."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def keep_requests(self) -> None:
        """Keep all requests from now on, for `requests`."""
        self._library.rd_kafka_mock_start_request_tracking(self._cluster)

    def requests(self, kind: int) -> int:
        """Return the number of requests of a kind since `keep_requests`."""
        library, count = self._library, ctypes.c_size_t()
        found = library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        kinds = [library.rd_kafka_mock_request_api_key(found[at]) for at in range(count.value)]
        library.rd_kafka_mock_request_destroy_array(found, count)
        return kinds.count(kind)

    def close(self) -> None:
        """Stop all brokers."""
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._client)
            self._cluster = None


def _library() -> ctypes.CDLL:
    """Return librdkafka, which is in the wheel of confluent-kafka."""
    package = Path(confluent_kafka.__file__).parent
    found = [*package.parent.glob("confluent_kafka.libs/librdkafka-*"), *package.glob(".dylibs/librdkafka*")]
    library = ctypes.CDLL(str(found[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, ()),
        ("rd_kafka_conf_set", number, (pointer, text, text, text, ctypes.c_size_t)),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, (pointer, ctypes.c_int32)),
        ("rd_kafka_new", pointer, (number, pointer, text, ctypes.c_size_t)),
        ("rd_kafka_destroy", None, (pointer,)),
        ("rd_kafka_mock_cluster_new", pointer, (pointer, number)),
        ("rd_kafka_mock_cluster_destroy", None, (pointer,)),
        ("rd_kafka_mock_cluster_bootstraps", text, (pointer,)),
        ("rd_kafka_mock_topic_create", number, (pointer, text, number, number)),
        ("rd_kafka_mock_broker_set_down", number, (pointer, ctypes.c_int32)),
        ("rd_kafka_mock_broker_set_up", number, (pointer, ctypes.c_int32)),
        ("rd_kafka_mock_start_request_tracking", None, (pointer,)),
        ("rd_kafka_mock_get_requests", ctypes.POINTER(pointer), (pointer, ctypes.POINTER(ctypes.c_size_t))),
        ("rd_kafka_mock_request_api_key", ctypes.c_int16, (pointer,)),
        ("rd_kafka_mock_request_destroy_array", None, (ctypes.POINTER(pointer), ctypes.c_size_t)),
        (
            "rd_kafka_mock_push_request_errors_array",
            None,
            (pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number)),
        ),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, list(arguments)
    return library
