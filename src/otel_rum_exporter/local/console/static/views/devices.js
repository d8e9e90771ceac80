// Sessions, page loads and errors by browser, operating system, device and country.
import { html } from "../html.js";
import { count, millis, plural, visible } from "../format.js";
import { hasFilters, here, link, noFilters } from "../route.js";
import { More, NoMatch, Table, Title } from "../parts.js";
import { Share } from "../tags.js";

export const title = () => "Browsers & devices";

const NAMES = { browser: ["Browsers", "Browser"], os: ["Operating systems", "System"], device: ["Devices", "Device"], country: ["Countries", "Country"] };

export function View({ data, route }) {
  return html`
    <${Title} note=${data.sessions ? `${plural(data.sessions, "session")} with events` : ""}>Browsers & devices<//>
    ${data.sessions ? html`<div class="pair even wrap">${data.dimensions.map((dimension) => html`<${Dimension} key=${dimension.name} dimension=${dimension} sessions=${data.sessions} route=${route} />`)}</div>`
      : html`<${NoMatch} what="sessions" clear=${hasFilters(route) && here(route, noFilters)}>Browsers and devices appear here with the first event.<//>`}`;
}

const zero = (n, kind) => (n ? html`<span class=${kind}>${count(n)}</span>` : html`<span class="quiet">0</span>`);

function Dimension({ dimension: { name, rows, total }, sessions, route }) {
  const [many, one] = NAMES[name];
  return html`<section aria-labelledby=${name}><h2 id=${name}>${many}</h2>
    <${Table} label=${many} rows=${rows} keyOf=${(row) => `${name} ${row.value}`} route=${route} columns=${[
      [`${one}, sessions`, (row) => html`<${Share} part=${row.sessions} all=${sessions}>${row.value ? html`<a href=${link(route, "/", { [name]: row.value })}>${visible(row.value)}</a>` : html`<span class="quiet">unknown</span>`}<//>`, { main: true }],
      ["p75 load", (row) => millis(row.p75_millis), { number: true }],
      ["Errors", (row) => zero(row.errors, "poor"), { number: true }],
      ["HTTP failed", (row) => zero(row.failed_requests, "fair"), { number: true, wide: true }],
    ]} />
    <${More} shown=${rows.length} total=${total} what=${many.toLowerCase()} />
    ${name === "browser" && rows.some((row) => !row.value) && html`<p class="quiet note">Unknown: the metadata has neither a browser nor a user agent, from which RUM reads browser and system. Programs and the application's own work have none. A request served has one where its instrumentation records <code>user_agent.original</code>.</p>`}
    ${name === "country" && rows.some((row) => !row.value) && html`<p class="quiet note">Unknown: RUM finds the country of a browser by its address. The local RUM shows what clients send.</p>`}
  </section>`;
}
