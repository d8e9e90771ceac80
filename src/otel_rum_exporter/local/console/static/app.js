// The frame around each view: navigation, filters and connection state.
import { Component, html } from "./html.js";
import { KEYS, VIEWS } from "./keyboard.js";
import { Range } from "./range.js";
import { LOCAL, count, currentZone, otherZone, plural, visible, zoneName } from "./format.js";
import { DIMENSIONS, hasFilters, here, link, noFilters } from "./route.js";
import { Recording } from "./recording.js";
import { Lone, NotStored, Title } from "./parts.js";
import * as overview from "./views/overview.js";
import * as sessions from "./views/sessions.js";
import * as session from "./views/session.js";
import * as pages from "./views/pages.js";
import * as errors from "./views/errors.js";
import * as error from "./views/error.js";
import * as http from "./views/http.js";
import * as custom from "./views/custom.js";
import * as devices from "./views/devices.js";
import * as page from "./views/page.js";
import * as trace from "./views/trace.js";
import * as user from "./views/user.js";
import * as refused from "./views/refused.js";

const SHOWN = { overview, sessions, session, user, trace, pages, page, errors, error, http, custom, devices, refused };
const SECTION = { session: "sessions", user: "sessions", trace: "sessions", page: "pages", error: "errors" };
const UNFILTERED = ["session", "user", "trace"];

export function App({ state, ...actions }) {
  const shown = state.shown;
  const route = shown?.route ?? state.route;
  const frame = shown?.data?.frame;
  const title = shown?.data && SHOWN[route.view] ? SHOWN[route.view].title(shown.data) : "Local RUM";
  document.title = title === "Local RUM" ? title : `${title} · Local RUM`;
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <${Header} route=${state.route} state=${state} lost=${frame?.lost} set=${actions.set} />
    ${state.error && html`<${Offline} error=${state.error} retry=${actions.retry} />`}
    ${frame && !UNFILTERED.includes(route.view) && (hasFilters(state.route) || frame.choices.monitor.length > 0) && html`<${Filters} route=${state.route} choices=${frame.choices} monitors=${frame.monitors} go=${actions.go} />`}
    ${frame && html`<${Forgotten} frame=${frame} />`}
    <main id="main" aria-busy=${shown?.route !== state.route}>
      ${shown ? html`<${View} key=${route.view} shown=${shown} state=${state} actions=${actions} />` : !state.error && html`<${Lone}>Reading …<//>`}
    </main>
    <${Footer} set=${actions.set} />
    ${state.help && html`<${Help} close=${() => actions.set({ help: false })} />`}
  `;
}

function View({ shown: { route, data }, state, actions }) {
  if (route.view === "unknown") {
    return html`<${Title}>This page does not exist<//><p><code>${route.path}</code> is no page of the local RUM. <a href="/">Overview</a></p>`;
  }
  if (data === null) {
    return html`<${Title}>Not found<//><${NotStored}><p><a href=${link(route, "/sessions")}>All sessions</a></p><//>`;
  }
  return html`<${SHOWN[route.view].View} data=${data} route=${route} state=${state} ...${actions} />`;
}

function Header({ route, state, lost, set }) {
  const total = lost ? lost.refused + lost.dropped + lost.removed : 0;
  const current = SECTION[route.view] ?? route.view;
  const fresh = state.paused ? "Paused" : state.live === "live" ? "Live" : "Offline";
  return html`<header class="masthead">
    <a class="brand" href="/" aria-label="Local RUM, overview">
      <svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M5 17h5l3-8 5 15 4-10 1.5 3H27" /></svg>
      <span>Local RUM</span>
    </a>
    <nav aria-label="Views">
      ${VIEWS.map(([view, path, name]) => html`<a key=${view} href=${link(route, path)} aria-current=${view === current ? "page" : null}>
        ${name}${view === "refused" && total > 0 && html`<span class="badge">${count(total)}<span class="hidden"> lost</span></span>`}
      </a>`)}
    </nav>
    ${LOCAL !== "UTC" && html`<button class="zone" aria-label=${`Times in ${zoneName()}; change the time zone`} title=${zoneName()} onClick=${() => set({ zone: otherZone() })}>${currentZone() === "UTC" ? "UTC" : LOCAL.split("/").at(-1).replaceAll("_", " ")}</button>`}
    <button class=${`live ${fresh.toLowerCase()}`} title=${state.paused ? "Resume (p)" : "Pause (p)"} onClick=${() => set({ paused: !state.paused })}><i aria-hidden="true"></i>${fresh}</button>
    <span class="hidden" role="status">${fresh === "Live" ? "" : fresh}</span>
  </header>`;
}

function Forgotten({ frame: { forgotten, max_events: most } }) {
  const older = [["events", "event"], ["refused", "refused request"], ["dropped", "dropped event"], ["removed", "removed attribute"]]
    .filter(([name]) => forgotten[name] > 0).map(([name, one]) => plural(forgotten[name], one));
  return older.length > 0 && html`<p class="notice forgotten">No longer stored, and not counted here: ${older.join(", ")}, the oldest.${forgotten.events > 0 && html` The local RUM keeps the latest ${count(most)} events. To keep more, start it with <code>--max-events</code>.`}</p>`;
}

function Offline({ error, retry }) {
  return html`<div role="alert">
    <p><strong>The local RUM does not answer.</strong> This page shows the last received data. To fix: start it again, then try again. <span class="quiet">${error}</span></p>
    <button onClick=${retry}>Try again</button>
  </div>`;
}

class Filters extends Component {
  // The search waits until the user pauses typing; the typed text survives redraws until then. A search is one history
  // entry, with any number of letters.
  type = (event) => {
    this.typed = event.target.value;
    clearTimeout(this.timer);
    this.timer = setTimeout(this.search, 200);
  };

  search = () => {
    if (this.typed == null) return;
    const q = this.typed;
    this.typed = null;
    this.props.go(here(this.props.route, { q }), { replace: this.isTyping, stay: true });
    this.isTyping = true;
  };

  leave = () => {
    clearTimeout(this.timer);
    this.search();
    this.isTyping = false;
  };

  render({ route, choices, monitors, go }) {
    const value = (name) => route.query.get(name) ?? "";
    const change = (name) => (event) => go(here(route, { [name]: event.target.value }), { stay: true });
    const text = (name, choice) => visible((name === "monitor" && monitors[choice]) || choice);
    const offered = Object.entries(DIMENSIONS).filter(([name]) => value(name) || choices[name].length > 1);
    return html`<form class="filters" role="search" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
      <input id="search" type="search" placeholder="Search: refused tier=gold,silver -browser=Edge" title="All words must match. A minus excludes, name=value searches a field of metadata, attributes or details, a comma separates several values, and quotes keep spaces." aria-label="Search" value=${this.typed ?? value("q")}
        onInput=${this.type} onBlur=${this.leave} autocomplete="off" spellcheck="false" />
      <${Range} route=${route} go=${go} />
      ${offered.map(([name, label]) => html`<${Choice} key=${name} name=${name} label=${label} value=${value(name)} change=${change(name)}
        options=${[["", `Any ${label}`], ...withValue(choices[name], value(name)).map(([choice, n]) => [choice, n == null ? text(name, choice) : `${text(name, choice)} (${count(n)})`])]} />`)}
      ${hasFilters(route) && html`<a class="clear" data-stay href=${here(route, noFilters)}>Clear</a>`}
    </form>`;
  }
}

const withValue = (choices, value) => (!value || choices.some(([choice]) => choice === value) ? choices : [[value, null], ...choices]);

function Choice({ name, label, value, options, change }) {
  return html`<select name=${name} aria-label=${label} class=${value ? "set" : ""} onChange=${change} value=${value}>
    ${options.map(([option, text]) => html`<option key=${option} value=${option} selected=${option === value}>${text}</option>`)}
  </select>`;
}

function Footer({ set }) {
  return html`<footer>
    <p>A local Amazon CloudWatch RUM data plane. It sends nothing to AWS. Times are in ${zoneName()}.</p>
    <p><${Recording} /><a href="/api/events">All data as JSON</a> <button class="plain" onClick=${() => set({ help: true })}>Keys <kbd>?</kbd></button></p>
  </footer>`;
}

class Help extends Component {
  componentDidMount() {
    this.dialog.showModal();
  }

  render({ close }) {
    return html`<dialog aria-label="Keys" ref=${(dialog) => (this.dialog = dialog)} onClose=${close} onClick=${(event) => event.target === this.dialog && close()}>
      <h2>Keys</h2>
      <dl class="keys">${KEYS.map(([keys, what]) => html`<div key=${keys}><dt>${keys.split(/ {2}/).map((one) => html`<kbd>${one}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl>
      <form method="dialog"><button>Close</button></form>
    </dialog>`;
  }
}
