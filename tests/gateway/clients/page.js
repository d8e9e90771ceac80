// A page that does what visitors do, watched by the example, and by the older instrumentation of document loads besides.
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { DocumentLoadInstrumentation } from "@opentelemetry/instrumentation-document-load";
import { start } from "./browser.js";

const gateway = new URLSearchParams(location.search).get("gateway");
const { sessions, spans, records } = start({ gateway, serviceName: "web-shop", version: "1.0.0", ignoreUrls: [/\/said/] });
registerInstrumentations({ instrumentations: [new DocumentLoadInstrumentation()] });

const say = (what) => fetch("/said", { method: "POST", body: what });
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
    await say(`done ${sessions.getSessionId()}`);
  } catch (error) {
    await say(`failed ${error.stack}`);
  }
});
