// A page instrumented as OTel's documentation says, which sends to another origin.
import { logs } from "@opentelemetry/api-logs";
import { ErrorsInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/errors";
import { NavigationInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/navigation";
import { NavigationTimingInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/navigation-timing";
import { WebVitalsInstrumentation } from "@opentelemetry/browser-instrumentation/experimental/web-vitals";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { DocumentLoadInstrumentation } from "@opentelemetry/instrumentation-document-load";
import { FetchInstrumentation } from "@opentelemetry/instrumentation-fetch";
import { UserInteractionInstrumentation } from "@opentelemetry/instrumentation-user-interaction";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor, WebTracerProvider } from "@opentelemetry/sdk-trace-web";
import {
  createDefaultSessionIdGenerator, createSessionLogRecordProcessor, createSessionManager, createSessionSpanProcessor,
  createLocalStorageSessionStore,
} from "@opentelemetry/web-common";

const gateway = new URLSearchParams(location.search).get("gateway");
const resource = resourceFromAttributes({ "service.name": "web-shop", "service.version": "1.0.0" });
const sessions = createSessionManager({
  sessionIdGenerator: createDefaultSessionIdGenerator(), sessionStore: createLocalStorageSessionStore(),
  maxDuration: 7200, inactivityTimeout: 1800,
});
sessions.start();
const spans = new WebTracerProvider({
  resource,
  spanProcessors: [
    createSessionSpanProcessor(sessions),
    new BatchSpanProcessor(new OTLPTraceExporter({ url: `${gateway}/v1/traces`, headers: { authorization: "Bearer made-up" } })),
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
const ignoreUrls = [/\/v1\//, /\/said/];
registerInstrumentations({
  instrumentations: [
    new DocumentLoadInstrumentation(), new FetchInstrumentation({ ignoreUrls }), new UserInteractionInstrumentation(),
    new ErrorsInstrumentation(), new NavigationInstrumentation(), new NavigationTimingInstrumentation(),
    new WebVitalsInstrumentation(),
  ],
});

const say = (what) => fetch("/said", { method: "POST", body: what });
const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
window.addEventListener("load", async () => {
  try {
    const buy = document.getElementById("buy");
    buy.addEventListener("click", () => fetch("/missing"));
    buy.click();
    setTimeout(() => { throw new RangeError("planted"); });
    // The span of a fetch ends 300 ms after it, when the browser has told its timing.
    await pause(1000);
    await spans.forceFlush();
    await records.forceFlush();
    await say(`done ${sessions.getSessionId()}`);
  } catch (error) {
    await say(`failed ${error.stack}`);
  }
});
