// A page that acts like a visitor. It uses the example, and the older instrumentation of document loads.
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { DocumentLoadInstrumentation } from "@opentelemetry/instrumentation-document-load";
import { start } from "./browser.js";

const gateway = new URLSearchParams(location.search).get("gateway");
const { sessions, spans, records } = start({ gateway, serviceName: "web-shop", version: "1.0.0", ignoreUrls: [/\/report/] });
registerInstrumentations({ instrumentations: [new DocumentLoadInstrumentation()] });

const report = (message) => fetch("/report", { method: "POST", body: message });
const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
window.addEventListener("load", async () => {
  try {
    await pause(200);
    // Spans and log records are exported separately; events of a page follow its page view.
    await spans.forceFlush();
    const buy = document.getElementById("buy");
    buy.addEventListener("click", () => fetch("/missing"));
    buy.click();
    setTimeout(() => { throw new RangeError("planted"); });
    // The span of a fetch ends 300 ms after it, when the browser has reported its timing.
    await pause(1000);
    await spans.forceFlush();
    await records.forceFlush();
    await report(`done ${sessions.getSessionId()}`);
  } catch (error) {
    await report(`failed ${error.stack}`);
  }
});
