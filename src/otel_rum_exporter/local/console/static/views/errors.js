import { html } from "../html.js";
import { Spark } from "../chart.js";
import { beginning, count, plural } from "../format.js";
import { hasFilters, here, link, noFilters } from "../route.js";
import { Heads, More, NoMatch, Time, Title } from "../parts.js";

const HEADS = [["Error", "type"], ["Over time", ""], ["Count", "count", "n"], ["Last", "last", "n"]];

export const title = () => "Errors";

export function View({ data, route }) {
  return html`
    <${Title} note=${data.total ? `${plural(data.occurrences, "error")}, ${plural(data.total, "kind")}` : ""}>Errors<//>
    ${data.total ? html`<${ErrorRows} errors=${data.errors} sort=${data.sort} route=${route} /><${More} shown=${data.errors.length} total=${data.total} what="kinds of errors" />` : html`<${NoMatch} what="errors" clear=${hasFilters(route) && here(route, noFilters)}>An error appears here with its first <code>js_error_event</code>: an exception that nothing handled, in any language.<//>`}
  `;
}

export function ErrorRows({ errors, route, brief, sort }) {
  return html`${sort && html`<${Heads} of="errors" columns=${HEADS} sort=${sort} route=${route} />`}<ol class=${`errors card ${brief ? "brief" : ""}`}>
    ${errors.map((error) => html`<li key=${error.key} data-row=${error.key}><a href=${link(route, `/errors/${error.key}`)}>
      <span class="what"><b>${beginning(error.type, "Error")}</b><span class="message">${beginning(error.message, "without a message")}</span>
        ${!brief && html`<span class="quiet place">${[error.where, error.pages.join(", ")].filter(Boolean).join(" · ")}</span>`}</span>
      <${Spark} values=${error.counts} kind="k-error" />
      <span class="n"><b>${count(error.count)}</b><span class="quiet">${plural(error.sessions, "session")}</span></span>
      <span class="when"><${Time} at=${error.last} /></span>
    </a></li>`)}
  </ol>`;
}
