"""Response bodies in the encoding of the request: export responses, and `google.rpc.Status` for errors."""

from __future__ import annotations

import enum

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..otlp import Signal
from .error_response import Reason, RequestError

MAX_MESSAGE_CHARS = 1000


class Encoding(enum.Enum):
    """The encodings of OTLP by media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"

    @classmethod
    def of(cls, media_type: str) -> Encoding | None:
        """Return the encoding of a Content-Type, whose parameters are ignored; None if it is unknown."""
        try:
            return cls(media_type.partition(";")[0].strip().lower())
        except ValueError:
            return None


def export_response(signal: Signal, encoding: Encoding, rejected: int = 0, message: str = "") -> bytes:
    """Return the export response; `partial_success` is unset if all was read. A message alone is a warning."""
    message = message[:MAX_MESSAGE_CHARS]
    if signal is Signal.TRACES:
        spans = ExportTraceServiceResponse()
        if rejected or message:
            spans.partial_success.rejected_spans = rejected
            spans.partial_success.error_message = message
        return _encoded(spans, encoding)
    logs = ExportLogsServiceResponse()
    if rejected or message:
        logs.partial_success.rejected_log_records = rejected
        logs.partial_success.error_message = message
    return _encoded(logs, encoding)


def error_status(error: RequestError, encoding: Encoding) -> bytes:
    """Return the status of an error, with the retry delay if it is retryable."""
    status = Status(code=error.reason.value.grpc_code, message=error.message[:MAX_MESSAGE_CHARS])
    if error.retry_after_seconds is not None:
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=error.retry_after_seconds)))
    elif error.reason is Reason.UNDECODABLE:
        violation = BadRequest.FieldViolation(field="body", description=status.message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    return _encoded(status, encoding)


def _encoded(message: Message, encoding: Encoding) -> bytes:
    if encoding is Encoding.JSON:
        return MessageToJson(message, indent=None).encode()
    return message.SerializeToString()
