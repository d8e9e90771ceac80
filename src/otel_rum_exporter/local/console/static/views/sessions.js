import { html } from "../html.js";
import { count } from "../format.js";
import { hasFilters, here, noFilters } from "../route.js";
import { NoMatch, Pager, SessionRows, Title } from "../parts.js";

export const title = () => "Sessions";

export function View({ data, route }) {
  const only = route.query.get("only");
  return html`
    <${Title} note=${data.total > 0 && count(data.total)}>Sessions<//>
    ${(data.total > 0 || only) && html`<nav class="tabs" aria-label="Which sessions">
      <a data-stay href=${here(route, { only: null })} aria-current=${only ? null : "true"}>All</a>
      <a data-stay href=${here(route, { only: "problems" })} aria-current=${only ? "true" : null}>With problems</a>
    </nav>`}
    ${data.total ? html`<${SessionRows} sessions=${data.sessions} sort=${data.sort} route=${route} />` : html`<${NoMatch} what="sessions" clear=${(hasFilters(route) || only) && here(route, { ...noFilters, only: null })}>A session appears here with its first event.<//>`}
    <${Pager} route=${route} total=${data.total} offset=${data.offset} limit=${data.limit} what="sessions" />
  `;
}
