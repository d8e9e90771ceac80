// Sends OpenTelemetry of a page to the gateway: page loads, requests, clicks, errors, navigation and web vitals, each with
// the session of this browser. Bundle it with your page, for example with esbuild. It needs these packages:
//
//   npm install @opentelemetry/api @opentelemetry/api-logs @opentelemetry/browser-instrumentation \
//     @opentelemetry/exporter-logs-otlp-http @opentelemetry/exporter-trace-otlp-http @opentelemetry/instrumentation \
//     @opentelemetry/instrumentation-fetch @opentelemetry/instrumentation-user-interaction @opentelemetry/resources \
//     @opentelemetry/sdk-logs @opentelemetry/sdk-trace-web @opentelemetry/web-common
//
// The gateway must allow the page's origin: OTEL_RUM_GATEWAY_ALLOWED_ORIGINS=https://shop.example
import { logs } from "@opentelemetry/api-logs";
import { ErrorsInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/errors";
import { NavigationInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/navigation";
import { NavigationTimingInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/navigation-timing";
import { WebVitalsInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/web-vitals";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { FetchInstrumentation } from "@opentelemetry/instrumentation-fetch";
import { UserInteractionInstrumentation } from "@opentelemetry/instrumentation-user-interaction";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor, WebTracerProvider } from "@opentelemetry/sdk-trace-web";
import {
  createDefaultSessionIdGenerator, createLocalStorageSessionStore, createSessionLogRecordProcessor,
  createSessionManager, createSessionSpanProcessor,
} from "@opentelemetry/web-common";

/** Start. `gateway` is the URL of the gateway. Returns the providers, which a page can flush before it is closed. */
export function start({ gateway, serviceName, version, appMonitorId, ignoreUrls = [] }) {
  const resource = resourceFromAttributes({
    "service.name": serviceName,
    "service.version": version,
    "user_agent.original": navigator.userAgent,
    "browser.language": navigator.language,
    // An app monitor of the gateway's list. Without it, the gateway's default is used.
    ...(appMonitorId && { "aws.rum.appmonitor.id": appMonitorId }),
  });
  // A session lasts two hours at most, and ends after 30 minutes without a span, like RUM's own.
  const sessions = createSessionManager({
    sessionIdGenerator: createDefaultSessionIdGenerator(), sessionStore: createLocalStorageSessionStore(),
    maxDuration: 7200, inactivityTimeout: 1800,
  });
  sessions.start();
  const spans = new WebTracerProvider({
    resource,
    spanProcessors: [
      createSessionSpanProcessor(sessions),
      new BatchSpanProcessor(new OTLPTraceExporter({ url: `${gateway}/v1/traces` })),
    ],
  });
  spans.register();
  const records = new LoggerProvider({
    resource,
    processors: [
      createSessionLogRecordProcessor(sessions),
      new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${gateway}/v1/logs` }) }),
    ],
  });
  logs.setGlobalLoggerProvider(records);
  registerInstrumentations({
    instrumentations: [
      new FetchInstrumentation({ ignoreUrls: [new RegExp(`^${gateway}/`), ...ignoreUrls] }),
      new UserInteractionInstrumentation(), new ErrorsInstrumentation(), new NavigationInstrumentation(),
      new NavigationTimingInstrumentation(), new WebVitalsInstrumentation(),
    ],
  });
  return { sessions, spans, records };
}
