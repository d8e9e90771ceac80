"""Instrumentations of calls to services, and of messages: AWS's SDK, gRPC, Celery and Remoulade."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import boto3
import celery
import grpc
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from opentelemetry.instrumentation.boto3sqs import Boto3SQSInstrumentor
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.grpc import GrpcInstrumentorServer, client_interceptor
from opentelemetry.instrumentation.grpc.grpcext import intercept_channel

from tests.mapping.contrib.telemetry import BoomError, Telemetry
from tests.mapping.contrib.web_clients import closed_port, serving

AWS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"


class Aws(BaseHTTPRequestHandler):
    """Responds to SQS's operations, and refuses all others."""

    answers = {  # noqa: RUF012 - constant
        "AmazonSQS.SendMessage": {"MessageId": "1", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e"},
        "AmazonSQS.ReceiveMessage": {
            "Messages": [{"MessageId": "1", "ReceiptHandle": "r", "MD5OfBody": "", "Body": "SECRET"}]
        },
        "AmazonSQS.DeleteMessage": {},
    }

    def do_POST(self) -> None:
        """Respond in the JSON protocol."""
        self.rfile.read(int(self.headers["Content-Length"]))
        response = self.answers.get(self.headers["X-Amz-Target"])
        body = json.dumps({"__type": "ResourceNotFoundException"} if response is None else response).encode()
        self.send_response(400 if response is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write no access log."""


@contextlib.contextmanager
def _client(service: str, endpoint: str) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    client = boto3.client(service, endpoint_url=endpoint, config=config, **AWS)
    yield client
    client.close()


def botocore(telemetry: Telemetry) -> None:
    """Make a call that succeeds, one whose refusal is handled, and one without a response."""
    BotocoreInstrumentor().instrument(tracer_provider=telemetry.spans)
    with serving(Aws) as endpoint:
        with _client("sqs", endpoint) as queue:
            queue.send_message(QueueUrl=QUEUE, MessageBody="")
        with _client("dynamodb", endpoint) as table, contextlib.suppress(ClientError):
            table.get_item(TableName="orders", Key={"id": {"S": "SECRET"}})
    with _client("sqs", f"http://127.0.0.1:{closed_port()}") as queue, contextlib.suppress(EndpointConnectionError):
        queue.list_queues()
    with _client("rum", f"http://127.0.0.1:{closed_port()}") as rum, contextlib.suppress(EndpointConnectionError):
        rum.list_app_monitors()
    BotocoreInstrumentor().uninstrument()


def boto3sqs(telemetry: Telemetry) -> None:
    """Send, receive, process and delete a message."""
    Boto3SQSInstrumentor().instrument(tracer_provider=telemetry.spans)
    with serving(Aws) as endpoint, _client("sqs", endpoint) as queue:
        queue.send_message(QueueUrl=QUEUE, MessageBody="")
        for message in queue.receive_message(QueueUrl=QUEUE)["Messages"]:
            queue.delete_message(QueueUrl=QUEUE, ReceiptHandle=message["ReceiptHandle"])
    Boto3SQSInstrumentor().uninstrument()


class Stock(grpc.GenericRpcHandler):
    """A service with a method that succeeds, one that refuses, and one that fails; and gRPC's health check."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Return the method of a call."""
        return grpc.unary_unary_rpc_method_handler(
            {"/shop.Stock/Find": self.find, "/shop.Stock/Break": self.fail}.get(details.method, self.get)
        )

    def get(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        """Succeed."""
        return b""

    def find(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
        """Refuse."""
        context.abort(grpc.StatusCode.NOT_FOUND, "no such article")

    def fail(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        """Fail."""
        raise BoomError("no")


def grpc_calls(telemetry: Telemetry) -> None:
    """Call a server from a client that handles refusals."""
    instrumentor = GrpcInstrumentorServer()
    instrumentor.instrument(tracer_provider=telemetry.spans)
    interceptor = client_interceptor(tracer_provider=telemetry.spans)
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads, handlers=[Stock()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        tracer = telemetry.spans.get_tracer("shop")
        with tracer.start_as_current_span("stocktaking"), grpc.insecure_channel(f"127.0.0.1:{port}") as insecure:
            channel = intercept_channel(insecure, interceptor)
            for method in ("/shop.Stock/Get", "/shop.Stock/Find", "/shop.Stock/Break", "/grpc.health.v1.Health/Check"):
                with contextlib.suppress(grpc.RpcError):
                    channel.unary_unary(method)(b"", timeout=10)
        server.stop(None).wait()
    instrumentor.uninstrument()


def celery_tasks(telemetry: Telemetry) -> None:
    """Send a task to a broker in memory, and run tasks: one succeeds, one is tried again, and one fails."""
    app = celery.Celery("shop", broker="memory://", set_as_current=False)

    @app.task(name="shop.send_invoice")
    def send_invoice() -> None:
        pass

    @app.task(name="shop.fetch_rates", bind=True, max_retries=1)
    def fetch_rates(self: Any) -> None:
        if not self.request.retries:
            raise self.retry(countdown=0)

    @app.task(name="shop.charge_card")
    def charge_card() -> None:
        raise BoomError("no")

    CeleryInstrumentor().instrument(tracer_provider=telemetry.spans)
    send_invoice.apply_async()
    for task in (send_invoice, fetch_rates, charge_card):
        task.apply()
    CeleryInstrumentor().uninstrument()
    app.close()


def remoulade_actors(telemetry: Telemetry) -> None:
    """Send messages to a broker in memory, which processes them: one succeeds, and one fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for another JSON library
        import remoulade.brokers.local
        from opentelemetry.instrumentation.remoulade import RemouladeInstrumentor
    broker = remoulade.brokers.local.LocalBroker(middleware=[])
    remoulade.set_broker(broker)

    @remoulade.actor
    def send_invoice() -> None:
        pass

    @remoulade.actor
    def charge_card() -> None:
        raise BoomError("no")

    for actor in (send_invoice, charge_card):
        broker.declare_actor(actor)
    RemouladeInstrumentor().instrument(tracer_provider=telemetry.spans)
    broker.emit_after("process_boot")
    for actor in (send_invoice, charge_card):
        with contextlib.suppress(BoomError):
            actor.send()
    RemouladeInstrumentor().uninstrument()
