import { html } from "../html.js";
import { beginning, count, millis } from "../format.js";
import { hasFilters, here, link, noFilters, pagePath } from "../route.js";
import { More, NoMatch, Ratings, Table, Title } from "../parts.js";

export const title = () => "Pages";

export function View({ data, route }) {
  return html`
    <${Title} note=${data.total > 0 && count(data.total)}>Pages<//>
    ${data.total ? html`<${PageTable} rows=${data.pages} route=${route} sort=${data.sort} /><${More} shown=${data.pages.length} total=${data.total} what="pages" />` : html`<${NoMatch} what="pages" clear=${hasFilters(route) && here(route, noFilters)}>A page appears here with its first event that has a <code>pageId</code>.<//>`}
  `;
}

export function PageTable({ rows, route, sort, brief }) {
  const quietZero = (n, kind) => (n ? html`<span class=${kind}>${count(n)}</span>` : html`<span class="quiet">0</span>`);
  const columns = [
    ["Page", (row) => html`<a href=${link(route, pagePath(row.page), { page: null })}>${beginning(row.page)}</a>`, { main: true, by: sort && "page" }],
    ["Views", (row) => count(row.views), { number: true, by: sort && "views" }],
    ["p75 load", (row) => html`<span class=${speed(row.p75_millis)}>${millis(row.p75_millis)}</span>`, { number: true, by: sort && "p75_millis" }],
    ["Errors", (row) => quietZero(row.errors, "poor"), { number: true, by: sort && "errors" }],
  ];
  if (!brief) {
    columns.splice(2, 0, ["Sessions", (row) => count(row.sessions), { number: true, wide: true, by: "sessions" }]);
    columns.splice(3, 0, ["Median", (row) => millis(row.p50_millis), { number: true, wide: true, by: "p50_millis" }]);
    columns.splice(5, 0, ["Slowest", (row) => millis(row.slowest_millis), { number: true, wide: true, by: "slowest_millis" }]);
    columns.splice(6, 0, ["Loads", (row) => row.loads > 0 && html`<${Ratings} good=${row.apdex.satisfied} fair=${row.apdex.tolerated} poor=${row.apdex.frustrated} label="Loads" />`, { wide: true, by: "loads" }]);
    columns.splice(7, 0, ["LCP", (row) => html`<span class=${row.lcp.rating ?? "quiet"}>${millis(row.lcp.p75)}</span>`, { number: true, wide: true, by: "lcp" }]);
    columns.push(["HTTP failed", (row) => quietZero(row.failed_requests, "fair"), { number: true, by: "failed_requests", wide: true }]);
  }
  return html`<${Table} label="Pages" columns=${columns} rows=${rows} keyOf=${(row) => row.page} sort=${sort} route=${route} />`;
}

const speed = (ms) => (ms == null ? "quiet" : ms < 2000 ? "" : ms < 8000 ? "fair" : "poor");
