// The page without events: how to send the first one.
import { Component, html } from "../html.js";
import { Copy, Title } from "../parts.js";
import { link } from "../route.js";

const MONITOR = "00000000-1111-4222-8333-444444444444";

const RECIPES = (url) => [
  ["Python", "An application that OpenTelemetry instruments, without code changes.", `pip install otel-rum-exporter opentelemetry-distro
opentelemetry-bootstrap -a install

export OTEL_TRACES_EXPORTER=aws_rum OTEL_LOGS_EXPORTER=aws_rum
export OTEL_METRICS_EXPORTER=none
export OTEL_EXPORTER_AWS_RUM_ENDPOINT=${url}
export OTEL_EXPORTER_AWS_RUM_SIGNING=none
export OTEL_EXPORTER_AWS_RUM_APP_MONITOR_ID=${MONITOR}
opentelemetry-instrument python app.py`],
  ["In code", "An application that configures OpenTelemetry in code.", `from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otel_rum_exporter import RumSpanExporter

provider.add_span_processor(BatchSpanProcessor(RumSpanExporter(
    app_monitor_id="${MONITOR}",
    endpoint="${url}",
    signing="none",
)))`],
  ["Browser", "AWS's own web client, npm package aws-rum-web.", `import { AwsRum } from "aws-rum-web";

new AwsRum("${MONITOR}", "1.0.0", "us-east-1", {
  endpoint: "${url}",
  signing: false,
  sessionSampleRate: 1,
  telemetries: ["performance", "errors", "http", "interaction"],
});`],
  ["One event, now", "A page view, with curl only.", `curl ${url}/appmonitors/${MONITOR} -H 'Content-Type: application/json' -d '{
  "BatchId": "11111111-1111-4111-8111-111111111111",
  "AppMonitorDetails": {"id": "${MONITOR}"},
  "UserDetails": {
    "userId": "22222222-2222-4222-8222-222222222222",
    "sessionId": "33333333-3333-4333-8333-333333333333"
  },
  "RumEvents": [{
    "id": "44444444-4444-4444-8444-444444444444",
    "timestamp": '$(date +%s)',
    "type": "com.amazon.rum.page_view_event",
    "metadata": "{\\"version\\": \\"1.0.0\\", \\"domain\\": \\"example.com\\", \\"pageId\\": \\"/hello\\"}",
    "details": "{\\"version\\": \\"1.0.0\\", \\"pageId\\": \\"/hello\\"}"
  }]
}'`],
];

export class Welcome extends Component {
  state = { chosen: 0 };

  render({ lost, route }, { chosen }) {
    const recipes = RECIPES(location.origin);
    const walk = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      this.setState({ chosen: (chosen + by + recipes.length) % recipes.length }, () => document.querySelector("[role=tab][aria-selected=true]").focus());
    };
    const [name, words, text] = recipes[chosen];
    return html`<div class="welcome">
      <${Title}>Waiting for the first event<//>
      <p>Configure an application to send here, then use it. This page updates itself.</p>
      ${lost.refused + lost.dropped > 0 && html`<p class="notice">RUM would not keep some of the received data: <a href=${link(route, "/refused")}>see why</a>.</p>`}
      <div class="card recipes">
        <div role="tablist" aria-label="Ways to send" onKeyDown=${walk}>${recipes.map(([tab], i) => html`<button key=${tab} role="tab" id=${`tab-${i}`} aria-selected=${i === chosen} aria-controls="recipe" tabindex=${i === chosen ? 0 : -1} onClick=${() => this.setState({ chosen: i })}>${tab}</button>`)}</div>
        <div id="recipe" role="tabpanel" aria-labelledby=${`tab-${chosen}`}>
          <p class="quiet">${words}</p>
          <div class="json"><${Copy} text=${text} what=${name} /><pre tabindex="0">${text}</pre></div>
        </div>
      </div>
      <p class="quiet">Use any UUID as the app monitor id. <a href=${link(route, "/refused")}>Refused</a> lists all data that RUM would refuse or drop, with the reasons.</p>
    </div>`;
  }
}
