// The page as one state that is drawn whole: what the URL asks for, and the latest answer to it.
import { App } from "./app.js";
import { html, render } from "./html.js";
import { act } from "./keyboard.js";
import { listen } from "./live.js";
import { read, requestKey } from "./route.js";

const MIN_PAUSE_MS = 1000;
// Time passes without news, too.
const REFRESH_MS = 10_000;
const MAX_KEPT_REQUESTS = 50;

const root = document.getElementById("console");
const state = { route: read(location), shown: null, error: "", live: "live", paused: false, arriving: false, help: false, requests: new Map() };
let asked = new AbortController();
let pending = null;

function draw() {
  render(html`<${App} state=${state} go=${go} set=${set} request=${request} retry=${() => load()} />`, root);
}

function set(changes) {
  const resumed = state.paused && changes.paused === false;
  Object.assign(state, changes);
  if (state.paused) stop();
  draw();
  if (resumed) load();
}

function stop() {
  clearTimeout(pending);
  pending = null;
  asked.abort();
}

async function load() {
  stop();
  asked = new AbortController();
  const { signal } = asked;
  const route = state.route;
  const began = performance.now();
  try {
    const response = await fetch(`/api/console/${route.view}?${new URLSearchParams([...route.query, ...Object.entries(route.of)])}`, { signal });
    if (!response.ok && response.status !== 404) throw new Error(`it answers ${response.status}`);
    state.shown = { route, data: response.ok ? await response.json() : null };
    state.error = "";
  } catch (error) {
    if (signal.aborted) return;
    state.error = error.message;
  }
  state.took = performance.now() - began;
  draw();
  if (state.arriving && !state.error) arrive();
}

// News may come many times a second; the page asks again at a pace that leaves the server its time.
function news() {
  if (state.paused || pending) return;
  pending = setTimeout(() => load(), Math.max(MIN_PAUSE_MS, 4 * (state.took ?? 0)));
}

function go(url, { replace = false, stay = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  const before = state.route.path;
  state.route = read(location);
  state.arriving = !stay && state.route.path !== before;
  load();
}

// On another page of the console, the reader begins at its heading.
function arrive() {
  state.arriving = false;
  scrollTo(0, 0);
  document.querySelector("h1")?.focus({ preventScroll: true });
}

// Ask for one request, which is large, when somebody wants to see it.
async function request(view, query) {
  const key = requestKey(view, query);
  if (state.requests.has(key)) return;
  if (state.requests.size >= MAX_KEPT_REQUESTS) state.requests.clear();
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
  const before = state.route.path;
  state.route = read(location);
  state.arriving = state.route.path !== before;
  load();
});
listen(news, (live) => state.live !== live && set({ live }));
setInterval(() => document.hidden || news(), REFRESH_MS);
load();
