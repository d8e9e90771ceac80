import { html } from "../html.js";
import { Columns } from "../chart.js";
import { beginning, count, millis, percent, plural } from "../format.js";
import { hasFilters, here, noFilters } from "../route.js";
import { Face, More, NoMatch, NotStored, Table, Time, Title, name, sessionLink } from "../parts.js";

export const title = () => "HTTP";

const OUTCOMES = { ok: "2xx, 3xx", "4xx": "4xx", "5xx": "5xx", failed: "No answer" };
const DIRECTIONS = { made: "Made", served: "Served" };

export function View({ data, route, go }) {
  if (data.detail) return html`<${Detail} detail=${data.detail} route=${route} go=${go} />`;
  if (route.query.get("url")) return html`<${Absent} url=${route.query.get("url")} route=${route} />`;
  const status = route.query.get("status");
  const direction = route.query.get("direction");
  // Without requests served, "made" in each row says nothing.
  const isServed = data.directions.served > 0;
  return html`
    <${Title} note=${data.total > 0 && plural(data.total, "URL")}>HTTP requests<//>
    ${(direction || (data.directions.made > 0 && isServed)) && html`<nav class="tabs" aria-label="Direction of requests">
      <a data-stay href=${here(route, { direction: null })} aria-current=${direction ? null : "true"}>Made and served</a>
      ${Object.entries(DIRECTIONS).map(([name, label]) => html`<a key=${name} data-stay href=${here(route, { direction: name })} aria-current=${direction === name ? "true" : null}>${label} <span class="quiet">${plural(data.directions[name], "URL")}</span></a>`)}
    </nav>`}
    ${(data.total > 0 || status) && html`<nav class="tabs" aria-label="Request results">
      <a data-stay href=${here(route, { status: null })} aria-current=${status ? null : "true"}>All</a>
      ${Object.entries(OUTCOMES).filter(([name]) => data.outcomes[name] > 0 || name === status).map(([name, label]) => html`<a key=${name} data-stay href=${here(route, { status: name })} aria-current=${status === name ? "true" : null}><i class=${`dot o-${name}`}></i>${label} <span class="quiet">${count(data.outcomes[name])}</span></a>`)}
    </nav>`}
    ${data.total ? html`<${Table} label="Requests by URL" rows=${data.urls} keyOf=${(row) => `${row.direction} ${row.url}`} sort=${data.sort} route=${route} columns=${[
      ["URL", (row) => html`<${Method} row=${row} />${isServed && html`<span class="narrow quiet">${DIRECTIONS[row.direction].toLowerCase()} </span>`}<a href=${here(route, { url: row.url, direction: row.direction, status: null })}><${Url} url=${row.url} /></a>`, { main: true, by: "url" }],
      ...(isServed ? [["Direction", (row) => DIRECTIONS[row.direction].toLowerCase(), { wide: true }]] : []),
      ["Status", (row) => html`<${Statuses} row=${row} />`, { wide: true }],
      ["Failed", (row) => (row.problems ? html`<span class="poor">${count(row.problems)}</span>` : html`<span class="quiet">0</span>`), { number: true, by: "problems" }],
      ["Calls", (row) => count(row.calls), { number: true, by: "calls" }],
      ["Median", (row) => millis(row.p50_millis), { number: true, by: "p50_millis", wide: true }],
      ["p75", (row) => millis(row.p75_millis), { number: true, by: "p75_millis" }],
      ["Last", (row) => html`<${Time} at=${row.last} />`, { number: true, by: "last", wide: true }],
    ]} />
    <${More} shown=${data.urls.length} total=${data.total} what="URLs" />
    <p class="quiet note">${isServed && "A browser or the application made a request, or the application served it. "}The status and the method come from <code>http_event</code>, which most clients send for failed requests only; the duration comes from <code>performance_resource_event</code>, which is sent for requests made.</p>`
    : html`<${NoMatch} what="requests" clear=${(hasFilters(route) || status || direction) && here(route, { ...noFilters, status: null, direction: null })}>A request appears here with its first <code>http_event</code> or <code>performance_resource_event</code>.<//>`}
  `;
}

// The method is in the event of the result, which not every request has. The type of a file is known without.
function Method({ row }) {
  const known = row.methods.length ? row.methods : row.file_types.filter((type) => type !== "other");
  return known.length > 0 && html`<span class="method">${known.join(" ")}</span> `;
}

// URLs differ by path, so the origin is less prominent.
export function Url({ url }) {
  const [, origin, path] = /^([a-z]+:\/\/[^/]+)?(.*)$/is.exec(url);
  return html`${origin && path && html`<span class="origin">${origin}</span>`}<span class="url-path">${beginning(path || origin)}</span>`;
}

function Statuses({ row }) {
  if (!row.statuses.length) return html`<span class="quiet">–</span>`;
  return row.statuses.map(([status, n]) => html`<span key=${status} class=${`chip ${status >= 500 || !status ? "bad" : status >= 400 ? "warn" : ""}`}>${status || "no answer"}${n > 1 && ` × ${count(n)}`}</span> `);
}

// The status of a call, with a space; nothing where it was not sent.
function Result({ of: { outcome, status } }) {
  return outcome && html`<span class=${`chip ${{ "4xx": "warn", "5xx": "bad", failed: "bad" }[outcome] ?? ""}`}>${outcome === "failed" ? "no answer" : status}</span> `;
}

const Up = ({ route }) => html`<p class="up"><a href=${here(route, { url: null, direction: null })}>HTTP requests</a></p>`;

function Absent({ url, route }) {
  return html`<${Up} route=${route} /><${Title}><span class="url">${beginning(url)}</span><//>
    ${hasFilters(route) ? html`<${NoMatch} what="calls" clear=${here(route, noFilters)} />` : html`<${NotStored} />`}`;
}

function Detail({ detail, route, go }) {
  const all = Object.values(detail.outcomes).reduce((sum, n) => sum + n, 0);
  let x = 0;
  return html`
    <${Up} route=${route} />
    <${Title}><span class="url">${detail.url}</span><//>
    <dl class="facts">
      ${detail.methods.length > 0 && html`<div><dt>Methods</dt><dd>${detail.methods.join(", ")}</dd></div>`}
      <div><dt>Direction</dt><dd>${DIRECTIONS[detail.direction].toLowerCase()}</dd></div>
      ${detail.statuses.length > 0 && html`<div><dt>Status</dt><dd><${Statuses} row=${detail} /></dd></div>`}
      <div><dt>Calls</dt><dd>${count(detail.calls)}</dd></div>
      ${detail.p50_millis !== null && html`<div><dt>Median</dt><dd>${millis(detail.p50_millis)}</dd></div>
      <div><dt>p75</dt><dd>${millis(detail.p75_millis)}</dd></div>`}
    </dl>
    ${all > 0 && html`<svg class="ratings tall" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=${Object.entries(OUTCOMES).map(([name, label]) => `${label} ${detail.outcomes[name]}`).join(", ")}>
      ${Object.keys(OUTCOMES).map((name) => {
        const width = percent(detail.outcomes[name], all);
        x += width;
        return html`<rect class=${`o-${name}`} x=${x - width} width=${width} height="4" />`;
      })}
    </svg>`}
    <section class="card pad calls" aria-label="Calls over time"><${Columns} chart=${detail.chart} route=${route} go=${go} label="Calls over time"
      series=${[...Object.entries(OUTCOMES), ["timed", "Status not sent"]].filter(([name]) => detail.chart[name].some(Boolean)).map(([name, label]) => [label, `o-${name}`, detail.chart[name]])} /></section>
    <section aria-labelledby="samples"><h2 id="samples">Calls <small>latest first</small></h2>
      <ol class="samples card">${detail.samples.map((one) => html`<li key=${one.key} data-row=${one.key}><a href=${sessionLink(route, one, { event: one.event })}>
        <${Face} id=${one.user ?? one.session} /><span class="what"><${Result} of=${one} /><b>${name(one)}</b> <span class="quiet">${one.page && `on ${beginning(one.page)}`}</span></span><span class="message">${beginning(one.error || one.url)}</span><span class="n">${one.duration_millis !== null && millis(one.duration_millis)}</span><span class="when"><${Time} at=${one.timestamp} /></span>
      </a></li>`)}</ol>
      <${More} shown=${detail.samples.length} total=${detail.calls} what="calls" />
    </section>`;
}
