import { html } from "../html.js";
import { Columns, Spark } from "../chart.js";
import { count, millis, plural, usd, visible, vital } from "../format.js";
import { hasFilters, here, link, noFilters } from "../route.js";
import { More, NoMatch, Ratings, SessionRows, Title } from "../parts.js";
import { Share } from "../tags.js";
import { PageTable } from "./pages.js";
import { ErrorRows } from "./errors.js";
import { Welcome } from "./welcome.js";

export const title = () => "Overview";

export function View({ data, route, go }) {
  if (!data.events) {
    return hasFilters(route)
      ? html`<${Title}>Overview<//><${NoMatch} what="events" clear=${here(route, noFilters)} />`
      : html`<${Welcome} lost=${data.frame.lost} route=${route} />`;
  }
  const { chart } = data;
  return html`
    <${Title} note=${[data.users && plural(data.users, "known user"), plural(data.events, "event"), `${usd(data.usd)} at list price`].filter(Boolean).join(", ")}>Overview<//>
    <${Figures} data=${data} to=${(path, changes) => link(route, path, changes)} />

    <section aria-labelledby="latest"><h2 id="latest">Latest sessions <small>${withEvents(data.sessions)}</small> <a href=${link(route, "/sessions")}>All ${count(data.sessions.total)}</a></h2>
      <${SessionRows} sessions=${data.sessions.rows} route=${route} />
    </section>

    <div class="pair">
      <section class="card pad" aria-labelledby="activity"><h2 id="activity">Activity</h2>
        <${Columns} chart=${chart} route=${route} go=${go} label="Page views, errors and failed requests over time" series=${activity(chart)} />
      </section>
      <${Loads} data=${data} route=${route} go=${go} />
    </div>

    <${Vitals} vitals=${data.vitals} />

    <div class="pair even">
      <section aria-labelledby="top-pages"><h2 id="top-pages">Pages <a href=${link(route, "/pages")}>All ${count(data.pages.total)}</a></h2>
        ${data.pages.rows.length ? html`<${PageTable} rows=${data.pages.rows} route=${route} brief=${true} />` : html`<p class="card pad quiet">No page ${hasFilters(route) ? "matches" : "yet"}.</p>`}
      </section>
      <section aria-labelledby="top-errors"><h2 id="top-errors">Errors <a href=${link(route, "/errors")}>All ${count(data.errors.total)}</a></h2>
        ${data.errors.total ? html`<${ErrorRows} errors=${data.errors.errors} route=${route} brief=${true} />` : html`<p class="card pad quiet">No error ${hasFilters(route) ? "matches" : "yet"}.</p>`}
      </section>
    </div>

    <section aria-labelledby="types"><h2 id="types">Events and cost <small>RUM bills each event: 1 USD for 100,000 at list price</small></h2>
      <ol class="card pad types">${data.types.rows.map((row) => html`<li key=${row.name}><${Share} part=${row.count} all=${data.events} note=${usd(row.usd)}>${visible(row.name)}<//></li>`)}</ol>
      <${More} shown=${data.types.rows.length} total=${data.types.total} what="types" />
    </section>
  `;
}

export const activity = (chart) => [
  ["Page views", "k-page", chart.page_views],
  ["Errors", "k-error", chart.errors],
  ["Failed requests", "k-http", chart["4xx"].map((n, i) => n + chart["5xx"][i] + chart.failed[i])],
];

// A session can have events of the chosen time without its start, and some clients send no start.
export const withEvents = ({ started, total }) => (started === total ? "" : `${count(total)} with events, ${count(started)} started`);

// The totals, each with a link; `to` makes the URL of a path.
export function Figures({ data, to }) {
  const { chart } = data;
  const sum = (name) => chart[name].reduce((all, n) => all + n, 0);
  const figures = [
    ["Sessions started", data.sessions.started, "sessions", "page", "/sessions", {}, "SessionCount: session_start_event"],
    ["Page views", sum("page_views"), "page_views", "page", "/pages", {}, "PageViewCount: page_view_event"],
    ["Errors", sum("errors"), "errors", "error", "/errors", {}, "JsErrorCount: js_error_event"],
    ["HTTP 4xx", sum("4xx"), "4xx", "http", "/http", { status: "4xx" }, "Http4xxCount: http_event"],
    ["HTTP 5xx", sum("5xx"), "5xx", "error", "/http", { status: "5xx" }, "Http5xxCount: http_event"],
    ["No answer", sum("failed"), "failed", "http", "/http", { status: "failed" }, "http_event without a status"],
  ];
  return html`<ul class="figures">
    ${figures.map(([name, total, series, kind, path, changes, counted]) => html`<li key=${name}><a href=${to(path, changes)} class=${total ? "" : "zero"} title=${counted}>
      <span class="label">${name}</span><strong>${count(total)}</strong><${Spark} values=${chart[series]} kind=${`k-${kind}`} />
    </a></li>`)}
  </ul>`;
}

export function Loads({ data: { apdex, chart, load_p75_millis: p75 }, route, go }) {
  return html`<section class="card pad" aria-labelledby="loads"><h2 id="loads">Page loads</h2>
    <div class="apdex">
      <p><strong>${apdex.score === null ? "–" : apdex.score.toFixed(2)}</strong><span class="label">Apdex</span></p>
      <p><strong>${millis(p75)}</strong><span class="label">p75 load time</span></p>
    </div>
    <${Ratings} good=${apdex.satisfied} fair=${apdex.tolerated} poor=${apdex.frustrated} label="Page loads" />
    <dl class="split">
      <div><dt><i class="good"></i>Satisfied <span class="quiet">under 2 s</span></dt><dd>${count(apdex.satisfied)}</dd></div>
      <div><dt><i class="fair"></i>Tolerating <span class="quiet">under 8 s</span></dt><dd>${count(apdex.tolerated)}</dd></div>
      <div><dt><i class="poor"></i>Frustrated <span class="quiet">8 s and more</span></dt><dd>${count(apdex.frustrated)}</dd></div>
    </dl>
    ${apdex.score !== null && html`<${Columns} chart=${chart} route=${route} go=${go} label="75th percentile of load time over time" format=${millis} series=${[["p75 load time", "k-load", chart.load_p75_millis]]} />`}
  </section>`;
}

export function Vitals({ vitals }) {
  const measured = vitals.filter((one) => one.p75 !== null);
  return html`<section aria-labelledby="vitals"><h2 id="vitals">Web vitals <small>75th percentile</small></h2>
    ${measured.length ? html`<ul class="vitals">${measured.map((one) => html`<li key=${one.name} class="card pad">
      <span class="label" title=${one.title}>${one.name} <span class="quiet">${one.title}</span></span>
      <strong class=${one.rating}>${vital(one.p75, one.unit)}</strong>
      <span class=${`rating ${one.rating}`}>${RATINGS[one.rating]}</span>
      <${Ratings} ...${one} label=${one.title} />
      <span class="quiet scale">${threshold("good ≤", one.good_up_to, one.unit)}, ${threshold("poor >", one.poor_above, one.unit)}</span>
    </li>`)}</ul>` : html`<p class="card pad quiet">No web vitals yet. Browsers measure them: AWS's web client sends them, and so do OpenTelemetry's browser instrumentations through the exporter.</p>`}
  </section>`;
}

// No-break spaces: a line does not end between a number and its unit.
const threshold = (words, value, unit) => `${words} ${unit && value >= 1000 ? `${value / 1000} s` : `${value} ${unit}`.trim()}`.replaceAll(" ", "\u00a0");
export const RATINGS = { good: "Good", fair: "Needs improvement", poor: "Poor" };
