import { html } from "../html.js";
import { Columns } from "../chart.js";
import { iso, plural, visible } from "../format.js";
import { link, tracePath } from "../route.js";
import { Stack } from "../stack.js";
import { Tags } from "../tags.js";
import { Face, More, Time, Title, device, name, sessionLink } from "../parts.js";

export const title = (data) => data.type || "Error";

export function View({ data, route, go }) {
  return html`
    <p class="up"><a href=${link(route, "/errors")}>Errors</a></p>
    <${Title}>${visible(data.type, "Error")}<//>
    <p class="message lead">${visible(data.message, "without a message")}</p>
    <dl class="facts">
      <div><dt>Occurred</dt><dd>${plural(data.count, "time")} in ${plural(data.sessions, "session")}</dd></div>
      <div><dt>First</dt><dd><${Time} at=${data.first} /></dd></div>
      <div><dt>Last</dt><dd><${Time} at=${data.last} /></dd></div>
      ${data.where && html`<div><dt>Where</dt><dd><code>${data.where}</code></dd></div>`}
      ${data.trace && html`<div><dt>Trace of the latest</dt><dd><a class="id" href=${tracePath(data.trace)}>${data.trace}</a></dd></div>`}
      ${data.pages.length > 0 && html`<div><dt>Pages</dt><dd>${data.pages.join(", ")}</dd></div>`}
    </dl>
    ${data.counts.length > 1 && html`<section class="card pad"><${Columns} chart=${data.chart} route=${route} go=${go} label="Occurrences over time" series=${[["Occurrences", "k-error", data.counts]]} /></section>`}
    <section aria-labelledby="stack"><h2 id="stack">Stack trace <small>of the latest error with one</small></h2>
      ${data.stack ? html`<${Stack} stack=${data.stack} />` : html`<p class="card pad quiet">No stack trace was sent.</p>`}
    </section>
    ${data.counted > 1 && html`<section aria-labelledby="tags"><h2 id="tags">Distribution <small>of the latest ${plural(data.counted, "occurrence")}</small></h2>
      <${Tags} tags=${data.tags} of=${data.counted} route=${route} path="/errors" />
    </section>`}
    <section aria-labelledby="occurrences"><h2 id="occurrences">Affected sessions <small>latest first</small></h2>
      <ol class="samples card">${data.occurrences.map((one) => html`<li key=${one.key} data-row=${one.key} class="linked"><a href=${sessionLink(route, one, { event: one.event })}>
        <${Face} id=${one.user ?? one.session} /><span class="what"><b>${name(one)}</b> <span class="quiet">${[one.page && `on ${visible(one.page)}`, device(one)].filter(Boolean).join(" · ")}</span></span><span class="message">${one.message}</span><span class="n"></span><span class="when"><${Time} at=${one.timestamp} /></span>
      </a>${one.trace && html`<a class="aside" href=${tracePath(one.trace)}>Trace<span class="hidden"> of ${name(one)}, ${iso(one.timestamp)}</span></a>`}</li>`)}</ol>
      <${More} shown=${data.occurrences.length} total=${data.count} what="occurrences" />
    </section>
  `;
}
