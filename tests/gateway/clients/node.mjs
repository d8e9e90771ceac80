// Sends a span tree with OTel's SDK for Node: node node.mjs json|proto|grpc URL
import { trace, SpanKind, SpanStatusCode, context } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { OTLPTraceExporter as Grpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as Json } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as Proto } from "@opentelemetry/exporter-trace-otlp-proto";

const [encoding, url] = process.argv.slice(2);
const headers = { authorization: "Bearer made-up" };
const exporter = {
  json: () => new Json({ url, headers, compression: "gzip" }),
  proto: () => new Proto({ url, headers, compression: "gzip" }),
  grpc: () => new Grpc({ url }),
}[encoding]();
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "node-shop", "service.version": "3.2.1" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("shop");
const page = tracer.startSpan("GET /cart", {
  kind: SpanKind.SERVER,
  attributes: {
    "http.request.method": "GET", "http.route": "/cart", "url.path": "/cart", "url.scheme": "https",
    "http.response.status_code": 200, "server.address": "shop.example", "session.id": "node-session",
    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "http.response.header.content-type": ["text/html"],
  },
});
const inner = trace.setSpan(context.active(), page);
const call = tracer.startSpan("POST", {
  kind: SpanKind.CLIENT,
  attributes: {
    "http.request.method": "POST", "url.full": "https://pay.example/charge?card=4111", "http.response.status_code": 502,
    "server.address": "pay.example", deep: ["a", "b"], ratio: 0.5, big: 2 ** 40, yes: true,
  },
}, inner);
call.setStatus({ code: SpanStatusCode.ERROR });
call.end();
page.recordException(new TypeError("no coupon"));
page.end();
await provider.forceFlush();
await provider.shutdown();
