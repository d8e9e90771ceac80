// The page state: the route from the URL and the latest data for it. Each change redraws the whole page.
import { App } from "./app.js";
import { html, render } from "./html.js";
import { act } from "./keyboard.js";
import { listen } from "./live.js";
import * as places from "./places.js";
import { read, requestKey } from "./route.js";

const MIN_PAUSE_MS = 1000;
// Relative times change without new data.
const REFRESH_MS = 10_000;
const MAX_KEPT_REQUESTS = 50;

const root = document.getElementById("console");
const state = { route: read(location), shown: null, error: "", live: "live", paused: false, help: false, requests: new Map() };
let running = null; // AbortController of the running request
let pending = null; // timer of the next request
let latest = null; // latest revision from the server
let took = 0; // duration of the latest request in milliseconds
// Where the next data is to be shown: null (keep the place), or the place to restore ({}: the top).
let arriving = places.current() ?? { isFirst: true };

function draw() {
  render(html`<${App} state=${state} go=${go} set=${set} request=${request} retry=${() => load()} />`, root);
}

function set(changes) {
  const resumed = state.paused && changes.paused === false;
  Object.assign(state, changes);
  if (changes.paused) {
    clearTimeout(pending);
    pending = null;
  }
  draw();
  if (resumed) load();
}

function stop() {
  clearTimeout(pending);
  pending = null;
  running?.abort();
  running = null;
}

async function load() {
  stop();
  const own = (running = new AbortController());
  const route = state.route;
  if (route.view === "unknown") {
    state.shown = { route, data: null };
    running = null;
    draw();
    return;
  }
  const began = performance.now();
  try {
    const query = new URLSearchParams([...route.query, ...Object.entries(route.of)]);
    const response = await fetch(`/api/console/${route.view}?${query}`, { signal: own.signal });
    if (!response.ok && response.status !== 404) throw new Error(`the server answered ${response.status}`);
    const data = response.ok ? await response.json() : null;
    state.shown = { route, data };
    state.error = "";
  } catch (error) {
    if (own.signal.aborted) return;
    state.error = error.message;
  }
  running = null;
  took = performance.now() - began;
  draw();
  if (arriving && !state.error) arrive();
  if (isOld()) onChange(latest);
}

const isOld = () => latest !== null && state.shown?.data && latest !== state.shown.data.frame.revision;

// Revisions can change many times a second. The page limits its request rate by the duration of the latest request and
// never sends two requests at once. A null revision means unknown.
function onChange(revision) {
  latest = revision;
  if (state.paused || pending || running) return;
  pending = setTimeout(() => {
    pending = null;
    if (latest === null || isOld() || !state.shown?.data) load();
  }, Math.max(MIN_PAUSE_MS, 4 * took));
}

function go(url, { replace = false, stay = false } = {}) {
  places.push(url, { replace });
  state.route = read(location);
  arriving = stay ? null : {};
  load();
}

// Restore the place, else show the event that the URL names, else move the focus to the heading.
function arrive() {
  const place = arriving;
  arriving = null;
  const event = document.querySelector("[data-row] > [aria-expanded='true']");
  if (place.top !== undefined) return places.restore(place);
  if (event) {
    event.scrollIntoView();
    return event.focus({ preventScroll: true });
  }
  scrollTo(0, 0);
  if (!place.isFirst) document.querySelector("h1")?.focus({ preventScroll: true });
}

// Load a RUM request on demand, because it is large.
async function request(view, query) {
  const key = requestKey(view, query);
  if (state.requests.has(key)) return;
  if (state.requests.size >= MAX_KEPT_REQUESTS) state.requests.delete(state.requests.keys().next().value);
  state.requests.set(key, { waiting: true });
  draw();
  try {
    const response = await fetch(`/api/console/${key}`);
    state.requests.set(key, response.ok ? await response.json() : { missing: true });
  } catch {
    state.requests.delete(key);
  }
  draw();
}

document.addEventListener("click", (event) => {
  const anchor = event.target.closest?.("a[href^='/']");
  if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (anchor.getAttribute("href").startsWith("/api/")) return;
  event.preventDefault();
  go(anchor.getAttribute("href"), { stay: "stay" in anchor.dataset });
});
document.addEventListener("keydown", (event) => act(event, { state, go, set }));
addEventListener("popstate", () => {
  arriving = places.returned() ?? {};
  state.route = read(location);
  load();
});
addEventListener("pagehide", places.leave);
listen(onChange, (live) => state.live !== live && set({ live }));
setInterval(() => document.hidden || onChange(null), REFRESH_MS);
load();
