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
const state = { route: read(location), shown: null, error: "", live: "live", paused: false, help: false, requests: new Map() };
let asked = null; // what aborts the question that has no answer yet
let pending = null; // the timer of the next question
let told = null; // the latest revision heard of
let took = 0; // milliseconds of the latest question
let arriving = false; // whether the next answer begins another page of the console

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
  asked?.abort();
  asked = null;
}

async function load() {
  stop();
  const mine = (asked = new AbortController());
  const route = state.route;
  const began = performance.now();
  try {
    const query = new URLSearchParams([...route.query, ...Object.entries(route.of)]);
    const response = await fetch(`/api/console/${route.view}?${query}`, { signal: mine.signal });
    if (!response.ok && response.status !== 404) throw new Error(`it answers ${response.status}`);
    const data = response.ok ? await response.json() : null;
    state.shown = { route, data };
    state.error = "";
  } catch (error) {
    if (mine.signal.aborted) return;
    state.error = error.message;
  }
  asked = null;
  took = performance.now() - began;
  draw();
  if (arriving && !state.error) arrive();
  if (isOld()) news(told);
}

const isOld = () => told !== null && state.shown?.data && told !== state.shown.data.frame.revision;

// News may come many times a second; the page asks again at a pace that leaves the server its time, and never while it
// waits for an answer. Without a revision, there may be news or not.
function news(revision) {
  told = revision;
  if (state.paused || pending || asked) return;
  pending = setTimeout(() => {
    pending = null;
    if (told === null || isOld() || !state.shown?.data) load();
  }, Math.max(MIN_PAUSE_MS, 4 * took));
}

function go(url, { replace = false, stay = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  const before = state.route.path;
  state.route = read(location);
  arriving = !stay && state.route.path !== before;
  load();
}

// On another page of the console, the reader begins at its heading.
function arrive() {
  arriving = false;
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
  arriving = state.route.path !== before;
  load();
});
listen(news, (live) => state.live !== live && set({ live }));
setInterval(() => document.hidden || news(null), REFRESH_MS);
load();
