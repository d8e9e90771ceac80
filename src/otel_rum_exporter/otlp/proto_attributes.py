"""Attributes of protobuf messages: each distinct one of a body is parsed once.

To read an attribute through the classes of protobuf takes about 8,000 CPU instructions, to look its bytes up 800. Most
attributes of a body occur many times, so the messages of this module have them as bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from .model import MAX_VALUE_DEPTH, DecodeProgress, MalformedError, ignore

_SCALARS = frozenset({"string_value", "bool_value", "int_value", "double_value", "bytes_value"})

_MAX_KNOWN = 10_000
_MAX_KNOWN_BYTES = 256

Pair = tuple[str, Any]
"""A name and a value. A list or map is still an AnyValue, because its members count as values each time."""


class KnownPairs(dict[bytes, Pair]):
    """The attributes of one body by their bytes, parsed at their first use; those beyond a limit, at each use.

    Raises:
        DecodeError: if an attribute is malformed.
    """

    has_lists = False
    """Whether an attribute so far is a list or map, which `with_lists` reads."""

    def __missing__(self, data: bytes) -> Pair:
        """Parse an attribute."""
        parsed = KeyValue.FromString(data)
        name, value = parsed.key, parsed.value
        # A field that is not empty is the one that is set.
        pair = name, value.string_value or scalar(value)
        if type(pair[1]) is AnyValue:
            self.has_lists = True
        elif len(data) <= _MAX_KNOWN_BYTES and len(self) < _MAX_KNOWN:
            self[data] = pair
        return pair

    def attributes(
        self, data: Sequence[bytes], parsed: dict[str, Any], progress: DecodeProgress, ignored: list[MalformedError]
    ) -> dict[str, Any]:
        """Return parsed attributes with the content of lists and maps; malformed ones are added to `ignored`."""
        progress.count_values(len(data))
        return with_lists(map(self.__getitem__, data), progress, ignored) if self.has_lists else parsed


def scalar(value: AnyValue) -> Any:
    """Return a text, number or bytes; None for an empty value, and a list or map as it is."""
    kind = value.WhichOneof("value")
    if kind in _SCALARS:
        return getattr(value, kind)
    return value if kind in {"array_value", "kvlist_value"} else None


def with_lists(pairs: Iterable[Pair], progress: DecodeProgress, ignored: list[MalformedError]) -> dict[str, Any]:
    """Return attributes whose lists and maps are read; malformed ones are left out and added to `ignored`."""
    found = {}
    for name, value in pairs:
        try:
            found[name] = value_of(value, 0, progress) if type(value) is AnyValue else value
        except MalformedError as error:
            ignore(error, ignored)
    return found


def value_of(value: AnyValue, depth: int, progress: DecodeProgress) -> Any:
    """Return the value of an AnyValue; None if it is empty or of an unknown kind."""
    kind = value.WhichOneof("value")
    if kind in _SCALARS:
        return getattr(value, kind)
    if depth >= MAX_VALUE_DEPTH:
        raise MalformedError("attributes", f"is nested more than {MAX_VALUE_DEPTH} deep")
    if kind == "array_value":
        members = value.array_value.values
        progress.count_values(len(members))
        return tuple(value_of(member, depth + 1, progress) for member in members)
    if kind == "kvlist_value":
        pairs = value.kvlist_value.values
        progress.count_values(len(pairs))
        return {pair.key: value_of(pair.value, depth + 1, progress) for pair in pairs}
    return None


def _with_raw_attributes(name: str) -> Any:
    """Return the class of an OTLP message whose attributes, and those of its events, are bytes."""
    return GetMessageClass(_POOL.FindMessageTypeByName(f"opentelemetry.proto.{name}"))


def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, logs_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            if message.name in {"Span", "LogRecord"}:
                _make_raw(message)
        pool.Add(file)
    return pool


def _make_raw(message: DescriptorProto) -> None:
    for field in message.field:
        if field.name == "attributes":
            field.type = field.TYPE_BYTES
            field.ClearField("type_name")
    for nested in message.nested_type:
        # Attributes of links are not read, and are still checked.
        if nested.name == "Event":
            _make_raw(nested)


_POOL = _pool()
SpanMessage = _with_raw_attributes("trace.v1.Span")
LogRecordMessage = _with_raw_attributes("logs.v1.LogRecord")
