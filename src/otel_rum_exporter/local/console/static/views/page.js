// One page: its figures, load times, web vitals, requests and errors, and the pages before and after it.
import { html } from "../html.js";
import { Columns } from "../chart.js";
import { count, millis, visible } from "../format.js";
import { hasFilters, here, link, noFilters, pagePath } from "../route.js";
import { NoMatch, SessionRows, Table, Title } from "../parts.js";
import { Share } from "../tags.js";
import { ErrorRows } from "./errors.js";
import { Url } from "./http.js";
import { Figures, Loads, Vitals, activity, withEvents } from "./overview.js";

export const title = (data) => visible(data.name);

export function View({ data, route, go }) {
  const own = (path, changes) => link(route, path, { page: data.name, ...changes });
  return html`
    <p class="up"><a href=${link(route, "/pages", { page: null })}>Pages</a></p>
    <${Title}>${visible(data.name)}<//>
    ${data.events ? html`
    <${Figures} data=${data} to=${own} />
    ${data.load_millis["50"] !== null && html`<dl class="facts spaced">${[["50", "Median load"], ["75", "p75 load"], ["95", "p95 load"]].map(([percent, name]) => html`<div key=${percent}><dt>${name}</dt><dd>${millis(data.load_millis[percent])}</dd></div>`)}</dl>`}
    <div class="pair">
      <section class="card pad" aria-labelledby="activity"><h2 id="activity">Activity</h2>
        <${Columns} chart=${data.chart} route=${route} go=${go} label="Page views, errors and failed requests over time" series=${activity(data.chart)} />
      </section>
      <${Loads} data=${data} route=${route} go=${go} />
    </div>
    <${Vitals} vitals=${data.vitals} />
    <div class="pair even">
      <${Neighbours} id="before" title="Before this page" pages=${data.before} edge="start of the session" route=${route} />
      <${Neighbours} id="after" title="After this page" pages=${data.after} edge="end of the session" route=${route} />
    </div>
    <div class="pair even">
      <section aria-labelledby="requests"><h2 id="requests">HTTP <a href=${own("/http")}>All ${count(data.requests.total)}</a></h2>
        ${data.requests.total ? html`<${Table} label="Requests by URL" rows=${data.requests.urls} keyOf=${(row) => `${row.direction} ${row.url}`} route=${route} columns=${[
          ["URL", (row) => html`${row.direction === "served" && html`<span class="quiet">served </span>`}<a href=${own("/http", { url: row.url, direction: row.direction })}><${Url} url=${row.url} /></a>`, { main: true }],
          ["Failed", (row) => (row.problems ? html`<span class="poor">${count(row.problems)}</span>` : html`<span class="quiet">0</span>`), { number: true }],
          ["Calls", (row) => count(row.calls), { number: true }],
          ["p75", (row) => millis(row.p75_millis), { number: true, wide: true }],
        ]} />` : html`<p class="card pad quiet">No request ${hasFilters(route) ? "matches" : "yet"}.</p>`}
      </section>
      <section aria-labelledby="page-errors"><h2 id="page-errors">Errors <a href=${own("/errors")}>All ${count(data.errors.total)}</a></h2>
        ${data.errors.total ? html`<${ErrorRows} errors=${data.errors.errors} route=${route} brief=${true} />` : html`<p class="card pad quiet">No error ${hasFilters(route) ? "matches" : "yet"}.</p>`}
      </section>
    </div>
    <section aria-labelledby="latest"><h2 id="latest">Latest sessions <small>${withEvents(data.sessions)}</small> <a href=${own("/sessions")}>All ${count(data.sessions.total)}</a></h2>
      <${SessionRows} sessions=${data.sessions.rows} route=${route} />
    </section>` : html`<${NoMatch} what="events of this page" clear=${hasFilters(route) && here(route, noFilters)}>The page has no event in this selection.<//>`}`;
}

function Neighbours({ id, title: heading, pages, edge, route }) {
  const all = pages.reduce((sum, [, n]) => sum + n, 0);
  return html`<section aria-labelledby=${id}><h2 id=${id}>${heading}</h2>
    ${all ? html`<ol class="card pad shares">${pages.map(([page, n]) => html`<li key=${page}><${Share} part=${n} all=${all}>${page ? html`<a href=${link(route, pagePath(page), { page: null })}>${visible(page)}</a>` : html`<span class="quiet">${edge}</span>`}<//></li>`)}</ol>` : html`<p class="card pad quiet">No page view ${hasFilters(route) ? "matches" : "yet"}.</p>`}
  </section>`;
}
