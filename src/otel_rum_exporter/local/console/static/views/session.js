// The timeline of one session: one section per page visit, one row per event.
import { Component, html } from "../html.js";
import { bytes, clockWithin, count, day, millis, plural, shortId, span, visible } from "../format.js";
import { curl, pytest } from "../copies.js";
import { here, link, requestKey, tracePath, userPath } from "../route.js";
import { Stack } from "../stack.js";
import { Copy, Empty, Face, Json, Pager, Strip, Time, Title, device, name } from "../parts.js";
import { RATINGS } from "./overview.js";

export const title = (data) => `${name(data)}, session ${shortId(data.id)}`;

const KINDS = { session: "Session", page: "Pages", load: "Loads", vital: "Web vitals", action: "Actions", http: "HTTP", resource: "Resources", error: "Errors", trace: "Traces", custom: "Custom", replay: "Replay" };

export function View({ data, route, go, state, request }) {
  const kind = route.query.get("kind");
  const open = route.query.get("event");
  const toggle = (key) => go(here(route, { event: key === open ? null : key, offset: data.offset || null }), { stay: true, replace: true });
  const all = Object.values(data.kinds).reduce((sum, n) => sum + n, 0);
  return html`
    <p class="up"><a href=${link(route, "/sessions", { monitor: null })}>Sessions</a></p>
    <div class="person">
      <${Face} id=${data.user ?? data.id} />
      <div><${Title}>${name(data)}<//>
        <p class="quiet">${[device(data), data.last > data.first ? `${day(data.first)}, ${span(data.last - data.first)}` : day(data.first)].filter(Boolean).join(" · ")}</p></div>
    </div>
    <dl class="facts">
      <div><dt>Session</dt><dd class="id">${data.id}</dd></div>
      ${data.users.map((user) => html`<div key=${user}><dt>User</dt><dd class="id"><a href=${link(route, userPath(user), { monitor: null })} title="All sessions of this user">${user}</a></dd></div>`)}
      <div><dt>App monitor</dt><dd class="id">${data.frame.monitors[data.monitor] ?? data.monitor}</dd></div>
      <div><dt>Last event</dt><dd><${Time} at=${data.last} /></dd></div>
    </dl>
    ${data.forgotten > 0 && html`<p class="notice truncated">This session is truncated: its first ${plural(data.forgotten, "event is", "events are")} no longer stored.</p>`}
    <${Whole} data=${data} />
    <nav class="tabs" aria-label="Kinds of events">
      <a data-stay href=${here(route, { kind: null })} aria-current=${kind ? null : "true"}>All <span class="quiet">${count(all)}</span></a>
      ${Object.keys(KINDS).filter((each) => data.kinds[each]).map((each) => html`<a key=${each} data-stay href=${here(route, { kind: each })} aria-current=${kind === each ? "true" : null}><i class=${`dot k-${each}`}></i>${KINDS[each]} <span class="quiet">${count(data.kinds[each])}</span></a>`)}
    </nav>
    ${data.total ? data.visits.map((visit) => html`<${Visit} key=${visit.start + visit.page} visit=${visit} open=${open} toggle=${toggle} session=${data} state=${state} request=${request} />`)
      : html`<${Empty} title="No events of this kind"><p><a data-stay href=${here(route, { kind: null })}>All events of the session</a></p><//>`}
    <${Pager} route=${route} total=${data.total} offset=${data.offset} limit=${data.limit} what="events" changes=${{ event: null }} />
  `;
}

function Visit({ visit, open, toggle, session, state, request }) {
  const length = Math.max(visit.end - visit.start, 0.001);
  const problems = visit.events.filter((event) => event.problem).length;
  return html`<section class="visit card">
    <header><h2>${visible(visit.page, "No page")}</h2>
      <span class="quiet">${clockWithin(visit.start, visit.end - visit.start)} · ${visit.end > visit.start && `${span(visit.end - visit.start)} · `}${plural(visit.events.length, "event")}</span>
      ${problems > 0 && html`<span class="chip bad">${plural(problems, "problem")}</span>`}
    </header>
    ${visit.end > visit.start && html`<div class="ruler" aria-hidden="true"><span></span><span>${[0, 1, 2, 3].map((quarter) => html`<i key=${quarter}>${quarter ? millis((quarter * length * 1000) / 4) : "0"}</i>`)}</span><span></span></div>`}
    <ol>${visit.events.map((event) => html`<${Row} key=${event.key} event=${event} visit=${visit} length=${length} isOpen=${event.key === open} toggle=${toggle} session=${session} state=${state} request=${request} />`)}</ol>
  </section>`;
}

// The whole session in one strip, whichever of its events are shown.
function Whole({ data }) {
  if (data.last === data.first) return null;
  return html`<figure class="card pad whole" role="img" aria-label=${`The whole session, ${span(data.last - data.first)}: ${plural(data.page_views, "page view")}, ${plural(data.errors, "error")}, ${plural(data.failed_requests, "failed request")}`}>
    <${Strip} cells=${data.long_strip} />
    <div class="axis quiet">${[0, 0.5, 1].map((part) => html`<span key=${part}>${clockWithin(data.first + part * (data.last - data.first), data.last - data.first)}</span>`)}</div>
  </figure>`;
}

function Row({ event, visit, length, isOpen, toggle, session, state, request }) {
  const offset = event.start - visit.start;
  const left = ((event.start - visit.start) / length) * 100;
  const width = ((event.duration_millis ?? 0) / 1000 / length) * 100;
  const lost = event.dropped ? "dropped" : event.removed.length ? "trimmed" : "";
  return html`<li class=${`event k-${event.kind} ${event.problem ? "problem" : ""} ${lost}`} data-row=${event.key}>
    <button aria-expanded=${isOpen} onClick=${() => toggle(event.key)}>
      <span class="offset" title=${clockWithin(event.start, 0)}>+${millis(offset * 1000)}</span>
      <i class="dot" aria-hidden="true"></i>
      <span class="what"><b>${label(event)}</b> <span>${event.summary}</span>${lost && html` <span class=${`chip ${event.dropped ? "bad" : "warn"}`}>${event.dropped ? "would be dropped" : `${event.removed.length} removed`}</span>`}</span>
      <span class="timeline"><i class=${`took ${event.rating ?? ""}`} style=${{ left: `min(${left}%, 100% - 4px)`, width: `${width}%` }}></i></span>
      <span class="took-text">${event.kind === "vital" && event.rating ? html`<span class=${event.rating}>${RATINGS[event.rating]}</span>` : event.duration_millis !== null && millis(event.duration_millis)}</span>
    </button>
    ${isOpen && html`<${Detail} event=${event} session=${session} kept=${state.requests.get(requestKey("request", { batch: event.batch_id }))} request=${request} />`}
  </li>`;
}

const label = (event) => visible(event.name).replace(/_event$/, "").replace(/^performance_/, "").replaceAll("_", " ");

class Detail extends Component {
  componentDidMount() {
    this.props.request("request", { batch: this.props.event.batch_id });
  }

  // Kept requests are limited in number.
  componentDidUpdate() {
    if (!this.props.kept) this.componentDidMount();
  }

  render({ event, session, kept }) {
    return html`<div class="detail">
      <p class="decision">${event.dropped ? html`<b class="poor">RUM would drop this event without an error:</b> ${event.dropped}` : html`<b class="good">RUM would keep this event.</b>`}</p>
      ${event.removed.map((one) => html`<p key=${one.key}><b class="fair">RUM would remove the attribute ${JSON.stringify(one.key)}:</b> ${one.reason}</p>`)}
      <p class="actions">
        <${Copy} text=${event.id} what="event id" label="Copy id" />
        <${Copy} text=${curl(event, session, location.origin)} what="as curl" label="Copy as curl" />
        <${Copy} text=${pytest(event)} what="as pytest" label="Copy as pytest assertion" />
        <${Copy} text=${location.href} what="link" label="Copy link" />
        ${event.trace && html`<a href=${tracePath(event.trace)}>Trace</a>`}
      </p>
      ${typeof event.details.stack === "string" && event.details.stack && html`<h3>Stack trace</h3><${Stack} stack=${event.details.stack} />`}
      <div class="columns">
        <div><h3>Details <code>${event.type}</code></h3><${Json} value=${event.details} label="details" /></div>
        <div><h3>Metadata <span class="quiet">with the request's</span></h3><${Json} value=${event.metadata} label="metadata" /></div>
      </div>
      <dl class="facts small"><div><dt>Event</dt><dd class="id">${event.id}</dd></div><div><dt>Timestamp</dt><dd>${event.timestamp}</dd></div></dl>
      <h3>Request</h3>
      <${Request} kept=${kept} batch=${event.batch_id} />
    </div>`;
  }
}

function Request({ kept, batch }) {
  if (!kept || kept.waiting) return html`<p class="quiet">Reading …</p>`;
  if (kept.missing) return html`<p class="quiet">The request ${batch} is no longer stored.</p>`;
  return kept.requests.map((sent, i) => html`<div key=${i} class="request">
    <dl class="facts small">
      <div><dt>Request</dt><dd><code>POST ${sent.path}</code></dd></div>
      <div><dt>BatchId</dt><dd class="id">${batch}</dd></div>
      <div><dt>Received</dt><dd><${Time} at=${sent.received_at} exact=${true} /></dd></div>
      <div><dt>Signature</dt><dd>${sent.signed ? "SigV4" : "none"}</dd></div>
      <div><dt>Body</dt><dd>${bytes(sent.body_bytes)}</dd></div>
      <div><dt>Events</dt><dd>${Object.entries(sent.decisions).map(([outcome, n]) => `${count(n)} ${outcome}`).join(", ") || "–"}</dd></div>
      <div><dt>Answers</dt><dd>${kept.answers.map((one) => one.status ?? "cut off").join(", ") || "–"}</dd></div>
    </dl>
    <details><summary>Headers</summary><${Json} value=${sent.headers} label="headers" /></details>
    <details><summary>Body as sent${sent.events > sent.body.RumEvents.length && `, the first ${sent.body.RumEvents.length} of ${count(sent.events)} events`}</summary><${Json} value=${sent.body} label="body" /></details>
  </div>`);
}
