// Components that several views use.
import { Component, html } from "./html.js";
import { ago, clock, count, iso, percent, plural, shortId, visible } from "./format.js";
import { here, link, sessionPath } from "./route.js";

export const Lone = ({ children }) => html`<p class="lone quiet">${children}</p>`;
export const Time = ({ at, exact }) => html`<time dateTime=${iso(at)} title=${iso(at)}>${exact ? clock(at) : ago(at)}</time>`;
export const Title = ({ children, note }) => html`<h1 tabindex="-1">${children}${note && html` <small>${note}</small>`}</h1>`;

export function Empty({ title, children }) {
  return html`<section class="empty"><h2>${title}</h2>${children}</section>`;
}

export function NoMatch({ what, clear, children }) {
  return html`<${Empty} title=${`No ${what}${clear ? "" : " yet"}`}>
    <p>${clear ? html`No match for these filters. <a data-stay href=${clear}>Clear them</a>` : children}</p>
  <//>`;
}

export function NotStored({ children }) {
  return html`<${Empty} title="This item is not stored">
    <p>The local RUM keeps the latest events only. Without a data file it loses them when it stops.</p>
    ${children}
  <//>`;
}

// An icon made from an id: a symmetric grid of five by five cells, with a colour from the id.
export function Face({ id }) {
  let hash = 2166136261;
  for (const letter of id) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619) >>> 0;
  const cells = [];
  for (let i = 0; i < 15; i++) {
    if ((hash >>> i) & 1) {
      const [x, y] = [Math.floor(i / 5), i % 5];
      cells.push([x, y]);
      if (x < 2) cells.push([4 - x, y]);
    }
  }
  return html`<svg class="face" viewBox="-1.5 -1.5 8 8" aria-hidden="true" style=${{ "--hue": hash % 360 }}>
    <rect class="ground" x="-1.5" y="-1.5" width="8" height="8" />
    ${cells.map(([x, y]) => html`<rect x=${x} y=${y} width="1.03" height="1.03" />`)}
  </svg>`;
}

export const name = (session) => (session.user ? `User ${shortId(session.user)}` : "Anonymous");
export const device = ({ browser, os, device: kind, country }) => [browser, os, kind, country].filter(Boolean).join(" · ");

// The page path of a session, shortened at the end.
export function journey({ journey: pages, journey_steps: steps }) {
  if (!pages.length) return "no page view";
  const more = steps > pages.length ? ` → … ${steps - pages.length} more` : "";
  return pages.map((page) => visible(page)).join(" → ") + more;
}

export function sessionLink(route, session, changes = {}) {
  return link(route, sessionPath(session.id ?? session.session), { monitor: route.query.get("monitor") || session.monitor, ...changes });
}

// The headings of a list whose rows are links: [title, order], in the columns of the rows; "" leaves a column without.
export function Heads({ of, columns, sort, route }) {
  return html`<nav class=${`heads of-${of}`} aria-label=${`Order of ${of}`}>${columns.map(([title, by, side], i) => html`<span key=${i} class=${side}>
    ${by ? html`<a data-stay href=${here(route, { sort: by === sort ? `-${by}` : by })} data-sort=${ariaSort(by, sort)} aria-current=${ariaSort(by, sort) && "true"} aria-label=${ariaSort(by, sort) && `${title}, ${ariaSort(by, sort)}`}>${title}</a>` : title}
  </span>`)}</nav>`;
}

const SESSION_HEADS = [[""], ["User", ""], ["Pages", ""], ["Timeline", ""], ["Problems", "problems", "n"], ["Events", "events", "n"], ["Last event", "last", "n"]];

export function SessionRows({ sessions, route, sort }) {
  return html`${sort && html`<${Heads} of="sessions" columns=${SESSION_HEADS} sort=${sort} route=${route} />`}<ol class="sessions card">
    ${sessions.map((session) => html`<li key=${session.monitor + session.id} data-row=${session.monitor + session.id}>
      <a href=${sessionLink(route, session)}>
        <${Face} id=${session.user ?? session.id} />
        <span class="who"><b>${name(session)}</b><span class="quiet">${device(session) || `session ${shortId(session.id)}`}</span></span>
        <span class="way" title=${journey(session)}>${journey(session)}</span>
        <${Strip} cells=${session.strip} />
        <span class="tally">
          ${session.forgotten > 0 && html`<span class="chip" title=${`Its first ${plural(session.forgotten, "event is", "events are")} no longer stored`}>truncated</span>`}
          ${session.errors > 0 && html`<span class="chip bad">${count(session.errors)} ${session.errors === 1 ? "error" : "errors"}</span>`}
          ${session.failed_requests > 0 && html`<span class="chip warn">${count(session.failed_requests)} failed</span>`}
        </span>
        <span class="n">${count(session.events)}<span class="quiet"> ${session.events === 1 ? "event" : "events"}</span></span>
        <span class="when"><${Time} at=${session.last} /></span>
      </a>
    </li>`)}
  </ol>`;
}

const CELL_CLASSES = { p: "page", e: "other", h: "http", x: "error" };

export function Strip({ cells }) {
  return html`<svg class="strip" viewBox="0 0 ${cells.length * 4} 16" preserveAspectRatio="none" aria-hidden="true">
    <rect class="line" y="7.5" width=${cells.length * 4} height="1" />
    ${[...cells].map((cell, i) => cell !== " " && html`<rect key=${i} class=${`k-${CELL_CLASSES[cell]}`} x=${i * 4} y=${cell === "e" ? 5 : 1} width="3" height=${cell === "e" ? 6 : 14} rx="1" />`)}
  </svg>`;
}

export function Ratings({ good, fair, poor, label }) {
  const all = good + fair + poor;
  return html`<svg class="ratings" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=${`${label}: ${good} good, ${fair} to improve, ${poor} poor`}>
    <rect class="none" width="100" height="4" />
    <rect class="good" width=${percent(good, all)} height="4" />
    <rect class="fair" x=${percent(good, all)} width=${percent(fair, all)} height="4" />
    <rect class="poor" x=${percent(good + fair, all)} width=${percent(poor, all)} height="4" />
  </svg>`;
}

// A table. A column is [title, function from row to cell, options].
export function Table({ label, columns, rows, keyOf, sort, route }) {
  return html`<div class="table card"><table aria-label=${label}>
    <thead><tr>${columns.map(([title, , { by, number, wide } = {}]) => html`<th key=${title} scope="col" class=${classes({ number, wide })} aria-sort=${ariaSort(by, sort)}>
      ${by && sort ? html`<a data-stay href=${here(route, { sort: by === sort ? `-${by}` : by })}>${title}</a>` : title}
    </th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${keyOf(row)} data-row=${keyOf(row)}>${columns.map(([title, cell, { number, wide, main } = {}]) => html`<${main ? "th" : "td"} ...${main ? { scope: "row" } : {}} class=${classes({ number, wide, main })} data-title=${title}>${cell(row)}<//>`)}</tr>`)}</tbody>
  </table></div>`;
}

// Names ascend and numbers descend, unless a minus reverses them.
export function ariaSort(by, sort) {
  if (!by || !sort || sort.replace("-", "") !== by) return null;
  return ["url", "page", "type", "name", "value", "reason"].includes(by) === sort.startsWith("-") ? "descending" : "ascending";
}

const classes = (flags) => Object.keys(flags).filter((name) => flags[name]).join(" ") || null;

export function Pager({ route, total, offset, limit, what, changes }) {
  if (total <= limit && !offset) return null;
  return html`<nav class="pager" aria-label=${`Pages of ${what}`}>
    ${offset > 0 ? html`<a href=${here(route, { ...changes, offset: Math.max(0, offset - limit) || null })} rel="prev">Previous</a>` : html`<span></span>`}
    <span class="quiet">${count(Math.min(offset + 1, total))} – ${count(Math.min(offset + limit, total))} of ${count(total)} ${what}</span>
    ${offset + limit < total ? html`<a href=${here(route, { ...changes, offset: offset + limit })} rel="next">Next</a>` : html`<span></span>`}
  </nav>`;
}

// What a list without pages leaves out.
export function More({ shown, total, what }) {
  return shown < total && html`<p class="quiet note">The first ${count(shown)} of ${count(total)} ${what}. To see others, use the filters or the search.</p>`;
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

export function Json({ value, label }) {
  const text = JSON.stringify(value, null, 2);
  return html`<div class="json"><${Copy} text=${text} what=${label} /><pre tabindex="0" role="region" aria-label=${label}>${[...tokens(text)]}</pre></div>`;
}

function* tokens(text) {
  let last = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > last) yield text.slice(last, match.index);
    const kind = match[2] ? "key" : match[1] ? "string" : "literal";
    yield html`<span class=${kind}>${match[1] ?? match[0]}</span>`;
    if (match[2]) yield match[2];
    last = match.index + match[0].length;
  }
  yield text.slice(last);
}

export class Copy extends Component {
  copy = async () => {
    try {
      await navigator.clipboard.writeText(this.props.text);
      this.setState({ status: "Copied" });
    } catch {
      this.setState({ status: "Not allowed" });
    }
    setTimeout(() => this.setState({ status: "" }), 1500);
  };

  render({ what, label }, { status }) {
    return html`<button class=${label ? "copy inline" : "copy"} onClick=${this.copy} aria-label=${status || label ? null : `Copy ${what}`}>${status || label || "Copy"}</button>`;
  }
}
