// Requests, events and attributes that RUM would not keep, with the reasons, which AWS does not report.
import { Component, html } from "../html.js";
import { beginning, count, plural, visible } from "../format.js";
import { Empty, Json, More, NoMatch, Time, Title, ariaSort, sessionLink } from "../parts.js";
import { hasFilters, here, noFilters, requestKey } from "../route.js";

export const title = () => "Refused";

export function View({ data, route, state, request }) {
  const nothing = !data.refused.total && !data.dropped.total && !data.removed.total;
  return html`
    <${Title}>What RUM would not keep<//>
    ${data.answers.length > 0 && html`<p class="answers">${answered(data.answers)}</p>`}
    ${!nothing && html`<nav class="tabs" aria-label="Order of reasons"><span class="quiet">Order</span>
      ${ORDERS.map(([sort, label]) => html`<a key=${sort} data-stay href=${here(route, { sort: sort === data.sort ? `-${sort}` : sort })} data-sort=${ariaSort(sort, data.sort)} aria-current=${ariaSort(sort, data.sort) && "true"} aria-label=${ariaSort(sort, data.sort) && `${label}, ${ariaSort(sort, data.sort)}`}>${label}</a>`)}</nav>`}
    ${nothing && hasFilters(route) && html`<${NoMatch} what="losses" clear=${here(route, noFilters)} />`}
    ${nothing && !hasFilters(route) && html`<${Empty} title="Nothing was refused, dropped or removed"><p>${data.answers.length > 0 ? "RUM would keep all received events." : "Nothing was received yet."} This view lists each violation with its reason, including those that RUM never reports.</p><//>`}
    <${Group} id="refused" title="Refused requests" of=${data.refused} words="The client got an error; RUM keeps none of the events." cells=${(row) => html`
      <b><span class="chip bad">${row.status}</span> ${row.error_type}</b><span class="message">${row.message}</span><span class="quiet place"><code>${row.path}</code></span><${RefusedRequest} at=${row.at} message=${row.message} requests=${state.requests} request=${request} />`} />
    <${Group} id="dropped" title="Dropped events" of=${data.dropped} words="RUM answers 200 and drops them without an error." cells=${(row) => html`
      <b>${visible(row.name)}</b><span class="message">${beginning(row.reason)}</span><span class="quiet place"><a href=${sessionLink(route, row, { event: row.event })}>The latest in its session</a> ${beginning(row.summary, "")}</span>`} />
    <${Group} id="removed" title="Removed attributes" of=${data.removed} words="RUM keeps the event without them." cells=${(row) => html`
      <b><code>${row.key}</code> <span class="quiet">of ${row.name}</span></b><span class="message">${row.reason}</span><span class="quiet place">${row.session && html`<a href=${sessionLink(route, row, { event: row.event })}>The latest in its session</a> `}latest value <code>${JSON.stringify(row.value).slice(0, 120)}</code></span>`} />
  `;
}

const ORDERS = [["last", "Latest"], ["count", "Count"], ["reason", "Reason"]];

// "8 requests: 6 accepted (200), 1 refused (400), 1 cut off"
function answered(answers) {
  const all = answers.reduce((sum, [, n]) => sum + n, 0);
  const words = (status) => (status ? `${status < 300 ? "accepted" : status < 500 ? "refused" : "failed"} (${status})` : "cut off");
  return `${plural(all, "request")}: ${answers.map(([status, n]) => `${count(n)} ${words(status)}`).join(", ")}`;
}

// An open request stays the same when later ones arrive.
class RefusedRequest extends Component {
  state = { at: null };

  toggle = ({ target: { open } }) => this.setState({ at: open ? this.props.at : null }, this.read);

  read = () => this.state.at !== null && this.props.request("refused_request", { at: this.state.at });

  // Kept requests are limited in number.
  componentDidUpdate() {
    if (this.state.at !== null && !this.props.requests.has(requestKey("refused_request", { at: this.state.at }))) this.read();
  }

  render({ message, requests }, { at }) {
    const kept = at !== null && requests.get(requestKey("refused_request", { at }));
    return html`<details onToggle=${this.toggle}>
    <summary>The latest of these requests</summary>
    ${!kept || kept.waiting ? html`<p class="quiet">Reading …</p>` : kept.missing ? html`<p class="quiet">This request is no longer stored.</p>` : html`
      ${kept.decisions.length > 0 && html`<ol class="decisions" tabindex="0" aria-label="Decisions">${kept.decisions.map((one, i) => html`<li key=${i}><code>${one.event_type ?? "?"}</code> <span class=${one.reason === message ? "poor" : "quiet"}>${one.reason ?? one.outcome}</span></li>`)}</ol>`}
      ${kept.body == null ? html`<p class="quiet">The body was not read.</p>` : html`<${Json} value=${kept.body} label="body" />`}`}
  </details>`;
  }
}

function Group({ id, title: heading, words, of: { rows, total }, cells }) {
  if (!rows.length) return null;
  const all = rows.reduce((sum, row) => sum + row.count, 0);
  return html`<section aria-labelledby=${id}><h2 id=${id}>${heading} <small>${count(all)} · ${words}</small></h2>
    <ol class="losses card">${rows.map((row) => html`<li key=${row.row} data-row=${row.row} tabindex="-1"><span class="what">${cells(row)}</span><span class="n">${plural(row.count, "time")}</span><span class="when">${row.last > 0 && html`<${Time} at=${row.last} />`}</span></li>`)}</ol>
    <${More} shown=${rows.length} total=${total} what="reasons" />
  </section>`;
}
