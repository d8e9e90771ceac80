// Custom events by type: number, durations, names and attributes.
import { html } from "../html.js";
import { Columns, Spark } from "../chart.js";
import { beginning, count, millis, plural, visible } from "../format.js";
import { hasFilters, here, noFilters } from "../route.js";
import { Face, More, NoMatch, NotStored, Table, Time, Title, sessionLink } from "../parts.js";
import { Share, Tags } from "../tags.js";

export const title = (data) => (data.detail ? visible(data.detail.type) : "Custom events");

export function View({ data, route, go }) {
  if (data.detail) return html`<${Detail} detail=${data.detail} route=${route} go=${go} />`;
  if (route.query.get("type")) return html`<${Absent} type=${route.query.get("type")} route=${route} />`;
  return html`
    <${Title} note=${data.total ? `${plural(data.events, "event")}, ${plural(data.total, "type")}` : ""}>Custom events<//>
    ${data.total ? html`<${Table} label="Custom events by type" rows=${data.types} keyOf=${(row) => row.type} sort=${data.sort} route=${route} columns=${[
      ["Type", (row) => html`<a href=${here(route, { type: row.type, sort: null })}>${visible(row.type)}</a>`, { main: true, by: "type" }],
      ["Over time", (row) => html`<${Spark} values=${row.counts} kind="k-custom" />`, { wide: true }],
      ["Count", (row) => count(row.count), { number: true, by: "count" }],
      ["Sessions", (row) => count(row.sessions), { number: true, by: "sessions", wide: true }],
      ["Median", (row) => millis(row.p50_millis), { number: true, by: "p50_millis", wide: true }],
      ["p75", (row) => millis(row.p75_millis), { number: true, by: "p75_millis" }],
      ["Slowest", (row) => millis(row.slowest_millis), { number: true, by: "slowest_millis", wide: true }],
      ["Last", (row) => html`<${Time} at=${row.last} />`, { number: true, by: "last", wide: true }],
    ]} /><${More} shown=${data.types.length} total=${data.total} what="types" />
    <p class="quiet note">The duration is <code>durationMs</code> in the details of an event.</p>`
    : html`<${NoMatch} what="custom events" clear=${hasFilters(route) && here(route, noFilters)}>Events with a type of your own appear here, such as spans of the application.<//>`}
  `;
}

const Up = ({ route }) => html`<p class="up"><a href=${here(route, { type: null })}>Custom events</a></p>`;

function Absent({ type, route }) {
  return html`<${Up} route=${route} /><${Title}>${beginning(type)}<//>
    ${hasFilters(route) ? html`<${NoMatch} what="events" clear=${here(route, noFilters)} />` : html`<${NotStored} />`}`;
}

function Detail({ detail, route, go }) {
  return html`
    <${Up} route=${route} />
    <${Title}>${visible(detail.type)}<//>
    <dl class="facts">
      <div><dt>Count</dt><dd>${count(detail.count)} in ${plural(detail.sessions, "session")}</dd></div>
      ${detail.timed > 0 && html`<div><dt>Median</dt><dd>${millis(detail.p50_millis)}</dd></div>
      <div><dt>p75</dt><dd>${millis(detail.p75_millis)}</dd></div>
      <div><dt>Slowest</dt><dd>${millis(detail.slowest_millis)}</dd></div>`}
      <div><dt>Last</dt><dd><${Time} at=${detail.last} /></dd></div>
    </dl>
    <section class="card pad" aria-label="Events over time"><${Columns} chart=${detail.chart} route=${route} go=${go} label="Events over time" series=${[["Events", "k-custom", detail.counts]]} /></section>
    ${detail.names.length > 1 && html`<section aria-labelledby="names"><h2 id="names">Names</h2>
      <ol class="card pad shares">${detail.names.map(([name, n]) => html`<li key=${name}><${Share} part=${n} all=${detail.count}>${visible(name)}<//></li>`)}</ol>
      ${detail.other_names > 0 && html`<p class="quiet note">${plural(detail.other_names, "other name")}.</p>`}</section>`}
    ${detail.counted > 1 && html`<section aria-labelledby="attributes"><h2 id="attributes">Attributes <small>of the latest ${plural(detail.counted, "event")}</small></h2>
      <${Tags} tags=${detail.tags} of=${detail.counted} route=${route} path="/custom" /></section>`}
    <section aria-labelledby="samples"><h2 id="samples">Events <small>latest first</small></h2>
      <ol class="samples card">${detail.samples.map((one) => html`<li key=${one.key} data-row=${one.key}><a href=${sessionLink(route, one, { event: one.event })}>
        <${Face} id=${one.user ?? one.session} /><span class="what"><b>${one.name ? visible(one.name) : visible(detail.type)}</b> <span class="quiet">${one.page && `on ${one.page}`}</span></span><span class="message">${!one.name && one.summary}</span><span class="n">${one.duration_millis !== null && millis(one.duration_millis)}</span><span class="when"><${Time} at=${one.timestamp} /></span>
      </a></li>`)}</ol>
      <${More} shown=${detail.samples.length} total=${detail.count} what="events" />
    </section>`;
}
