// The waterfall of one trace.
import { html } from "../html.js";
import { clockWithin, count, day, millis, plural, visible } from "../format.js";
import { link } from "../route.js";
import { Copy, Title, More, sessionLink } from "../parts.js";

export const title = (data) => `Trace ${data.id.slice(0, 8)}`;

export function View({ data, route }) {
  const length = Math.max(data.end - data.start, 0.000001);
  return html`
    <p class="up"><a href=${sessionLink(route, data.steps[0], { event: data.steps[0].event })}>Session</a></p>
    <${Title} note=${`${plural(data.total, "step")}, ${millis(length * 1000)}`}>Trace<//>
    <dl class="facts">
      <div><dt>Trace</dt><dd class="id">${data.id}</dd></div>
      <div><dt>Started</dt><dd>${day(data.start)} (${clockWithin(data.start, length)})</dd></div>
      <div><dt>Problems</dt><dd>${count(data.problems)}</dd></div>
    </dl>
    <p class="trace-copy"><${Copy} text=${data.id} what="trace id" label="Copy trace id" /><${Copy} text=${`1-${data.id.slice(0, 8)}-${data.id.slice(8)}`} what="X-Ray trace id" label="Copy X-Ray trace id" /></p>
    <section class="visit card" aria-label="Waterfall">
      <div class="ruler waterfall" aria-hidden="true"><span></span><span>${[0, 1, 2, 3].map((quarter) => html`<i key=${quarter}>${quarter ? millis((quarter * length * 1000) / 4) : "0"}</i>`)}</span><span></span></div>
      <ol>${data.steps.map((step) => html`<li key=${step.key} class=${`event step k-${step.kind} ${step.problem ? "problem" : ""}`} data-row=${step.key}>
        <a href=${sessionLink(route, step, { event: step.event })} style=${{ "--depth": step.depth }}>
          <span class="what"><b>${visible(step.name)}</b> <span>${step.what}</span>${step.status && html` <span class=${`chip ${step.status >= 500 ? "bad" : step.status >= 400 ? "warn" : ""}`}>${step.status}</span>`}${step.problem && html`<span class="hidden"> failed</span>`}</span>
          <span class="timeline"><i class=${`took ${step.problem ? "poor" : ""}`} style=${{ left: `min(${((step.start - data.start) / length) * 100}%, 100% - 4px)`, width: `${(step.duration_millis / 1000 / length) * 100}%` }}></i></span>
          <span class="took-text">${step.duration_millis > 0 && millis(step.duration_millis)}</span>
        </a></li>`)}</ol>
    </section>
    <${More} shown=${data.steps.length} total=${data.total} what="steps" />
    <p class="quiet note">The local RUM has the steps that were sent to it as events; a step opens its event. X-Ray or your tracing backend may have more of this trace.</p>`;
}
