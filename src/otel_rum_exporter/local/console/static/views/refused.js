// What the real RUM would not keep, each with the reason: the answers one cannot get from AWS.
import { html } from "../html.js";
import { count, plural } from "../format.js";
import { Empty, Json, Time, Title, sessionLink } from "../parts.js";
import { requestKey } from "../route.js";

export const title = () => "Refused";

export function View({ data, route, state, request }) {
  const nothing = !data.refused.length && !data.dropped.length && !data.removed.length;
  return html`
    <${Title}>What RUM would not keep<//>
    ${data.answers.length > 0 && html`<p class="answers">${data.answers.map(([status, n]) => html`<span key=${status} class=${`chip ${status >= 500 ? "bad" : status >= 400 ? "warn" : "ok"}`}>${status || "cut off"} × ${count(n)}</span> `)}<span class="quiet">requests by answer</span></p>`}
    ${nothing && html`<${Empty} title="Nothing was refused, dropped or removed"><p>Everything that arrived is what RUM keeps. Each violation is listed here with its reason, also those that the real RUM never tells.</p><//>`}
    <${Group} id="refused" title="Refused requests" rows=${data.refused} words="The sender was told; nothing of the request is kept." cells=${(row) => html`
      <b><span class="chip bad">${row.status}</span> ${row.error_type}</b><span class="message">${row.message}</span><span class="quiet place"><code>${row.path}</code></span><${Refusal} at=${row.at} message=${row.message} kept=${state.requests.get(requestKey("refusal", { at: row.at }))} request=${request} />`} />
    <${Group} id="dropped" title="Dropped events" rows=${data.dropped} words="RUM answers 200 and drops them without a word." cells=${(row) => html`
      <b>${row.name}</b><span class="message">${row.reason}</span><span class="quiet place"><a href=${sessionLink(route, row, { event: row.event })}>The latest in its session</a> ${row.summary}</span>`} />
    <${Group} id="removed" title="Removed attributes" rows=${data.removed} words="RUM keeps the event without them." cells=${(row) => html`
      <b><code>${row.key}</code> <span class="quiet">of ${row.name}</span></b><span class="message">${row.reason}</span><span class="quiet place">latest value <code>${JSON.stringify(row.value).slice(0, 120)}</code></span>`} />
  `;
}

function Refusal({ at, message, kept, request }) {
  return html`<details onToggle=${(event) => event.target.open && request("refusal", { at })}>
    <summary>The latest of these requests</summary>
    ${!kept || kept.waiting ? html`<p class="quiet">Reading …</p>` : kept.missing ? html`<p class="quiet">It is not kept any more.</p>` : html`
      ${kept.verdicts.length > 0 && html`<ol class="verdicts" tabindex="0" aria-label="Verdicts">${kept.verdicts.map((one, i) => html`<li key=${i}><code>${one.event_type ?? "?"}</code> <span class=${one.reason === message ? "poor" : "quiet"}>${one.reason ?? one.outcome}</span></li>`)}</ol>`}
      ${kept.body == null ? html`<p class="quiet">Its body was not read.</p>` : html`<${Json} value=${kept.body} label="body" />`}`}
  </details>`;
}

function Group({ id, title: heading, words, rows, cells }) {
  if (!rows.length) return null;
  const all = rows.reduce((sum, row) => sum + row.count, 0);
  return html`<section aria-labelledby=${id}><h2 id=${id}>${heading} <small>${count(all)} · ${words}</small></h2>
    <ol class="losses card">${rows.map((row, i) => html`<li key=${i} data-row tabindex="-1"><span class="what">${cells(row)}</span><span class="n">${plural(row.count, "time")}</span><span class="when">${row.last > 0 && html`<${Time} at=${row.last} />`}</span></li>`)}</ol>
  </section>`;
}
