import { html } from "../html.js";
import { Columns } from "../chart.js";
import { count, millis, percent, plural } from "../format.js";
import { hasFilters, here, noFilters } from "../route.js";
import { Face, More, NoMatch, Table, Time, Title, sessionLink } from "../parts.js";

export const title = () => "HTTP";

const OUTCOMES = { ok: "OK", "4xx": "4xx", "5xx": "5xx", failed: "No answer" };

export function View({ data, route, go }) {
  if (data.detail) return html`<${Detail} detail=${data.detail} route=${route} go=${go} />`;
  const status = route.query.get("status");
  return html`
    <${Title} note=${plural(data.total, "URL")}>HTTP requests<//>
    <nav class="tabs" aria-label="Request results">
      <a data-stay href=${here(route, { status: null })} aria-current=${status ? null : "true"}>All</a>
      ${Object.entries(OUTCOMES).map(([name, label]) => html`<a key=${name} data-stay href=${here(route, { status: name })} aria-current=${status === name ? "true" : null}><i class=${`dot o-${name}`}></i>${label} <span class="quiet">${count(data.outcomes[name])}</span></a>`)}
    </nav>
    ${data.total ? html`<${Table} label="Requests by URL" rows=${data.urls} keyOf=${(row) => row.url} sort=${data.sort} route=${route} columns=${[
      ["URL", (row) => html`<span class="method">${row.methods.join(" ") || row.file_types.join(" ")}</span> <a href=${here(route, { url: row.url })}><${Url} url=${row.url} /></a>`, { main: true, by: "url" }],
      ["Status", (row) => html`<${Statuses} row=${row} />`, { wide: true }],
      ["Failed", (row) => (row.problems ? html`<span class="poor">${count(row.problems)}</span>` : html`<span class="quiet">0</span>`), { number: true, by: "problems" }],
      ["Calls", (row) => count(row.calls), { number: true, by: "calls" }],
      ["Median", (row) => millis(row.p50_millis), { number: true, by: "p50_millis", wide: true }],
      ["p75", (row) => millis(row.p75_millis), { number: true, by: "p75_millis" }],
      ["Last", (row) => html`<${Time} at=${row.last} />`, { number: true, by: "last", wide: true }],
    ]} />
    <${More} shown=${data.urls.length} total=${data.total} what="URLs" />
    <p class="quiet note">The status comes from <code>http_event</code>, the duration from <code>performance_resource_event</code>. Most clients send <code>http_event</code> for failed requests only.</p>`
    : html`<${NoMatch} what="requests" clear=${(hasFilters(route) || status) && here(route, { ...noFilters, status: null })} />`}
  `;
}

// URLs differ by path, so the origin is less prominent.
function Url({ url }) {
  const [, origin, path] = /^([a-z]+:\/\/[^/]+)?(.*)$/is.exec(url);
  return html`${origin && path && html`<span class="origin">${origin}</span>`}${path || origin}`;
}

function Statuses({ row }) {
  if (!row.statuses.length) return html`<span class="quiet">–</span>`;
  return row.statuses.map(([status, n]) => html`<span key=${status} class=${`chip ${status >= 500 || !status ? "bad" : status >= 400 ? "warn" : ""}`}>${status || "none"}${n > 1 && ` × ${count(n)}`}</span> `);
}

function Detail({ detail, route, go }) {
  const all = Object.values(detail.outcomes).reduce((sum, n) => sum + n, 0);
  let x = 0;
  return html`
    <p class="up"><a href=${here(route, { url: null })}>HTTP requests</a></p>
    <${Title}><span class="url">${detail.url}</span><//>
    <dl class="facts">
      ${detail.methods.length > 0 && html`<div><dt>Methods</dt><dd>${detail.methods.join(", ")}</dd></div>`}
      <div><dt>Status</dt><dd><${Statuses} row=${detail} /></dd></div>
      <div><dt>Calls</dt><dd>${count(detail.calls)}</dd></div>
      <div><dt>Median</dt><dd>${millis(detail.p50_millis)}</dd></div>
      <div><dt>p75</dt><dd>${millis(detail.p75_millis)}</dd></div>
    </dl>
    ${all > 0 && html`<svg class="ratings tall" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=${Object.entries(OUTCOMES).map(([name, label]) => `${label} ${detail.outcomes[name]}`).join(", ")}>
      ${Object.keys(OUTCOMES).map((name) => {
        const width = percent(detail.outcomes[name], all);
        x += width;
        return html`<rect class=${`o-${name}`} x=${x - width} width=${width} height="4" />`;
      })}
    </svg>`}
    <section class="card pad calls" aria-label="Calls over time"><${Columns} chart=${detail.chart} route=${route} go=${go} label="Calls over time"
      series=${[...Object.entries(OUTCOMES), ["timed", "Timed, status not sent"]].filter(([name]) => detail.chart[name].some(Boolean)).map(([name, label]) => [label, `o-${name}`, detail.chart[name]])} /></section>
    <section aria-labelledby="samples"><h2 id="samples">Calls <small>latest first</small></h2>
      <ol class="samples card">${detail.samples.map((one) => html`<li key=${one.key} data-row=${one.key}><a href=${sessionLink(route, one, { event: one.event })}>
        <${Face} id=${one.user ?? one.session} /><span class="what"><b>${one.summary}</b> <span class="quiet">${one.page && `on ${one.page}`}</span></span><span class="message">${one.error}</span><span class="n">${one.duration_millis !== null && millis(one.duration_millis)}</span><span class="when"><${Time} at=${one.timestamp} /></span>
      </a></li>`)}</ol>
      <${More} shown=${detail.samples.length} total=${detail.calls} what="calls" />
    </section>`;
}
