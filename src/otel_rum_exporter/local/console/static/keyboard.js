// Keyboard shortcuts. Each control is also reachable with Tab.
import { otherZone } from "./format.js";
import { link, noFilters, here } from "./route.js";

export const VIEWS = [
  ["overview", "/", "Overview"],
  ["sessions", "/sessions", "Sessions"],
  ["pages", "/pages", "Pages"],
  ["errors", "/errors", "Errors"],
  ["http", "/http", "HTTP"],
  ["custom", "/custom", "Custom"],
  ["devices", "/devices", "Devices"],
  ["refused", "/refused", "Refused"],
];

export const KEYS = [
  ["1 – 8", "Go to a view"],
  ["j  k", "Next, previous row"],
  ["Enter", "Open the row"],
  ["u", "Up, to the list"],
  ["/", "Search"],
  ["x", "Clear all filters"],
  ["p", "Pause, resume"],
  ["z", "Change the time zone"],
  ["?", "This list"],
];

const PARENTS = { session: "/sessions", user: "/sessions", trace: "/sessions", error: "/errors", page: "/pages" };

export function act(event, { state, go, set }) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog")) return;
  const { route } = state;
  const done = {
    j: () => move(1),
    k: () => move(-1),
    u: () => go(link(route, PARENTS[route.view] ?? route.path)),
    "/": () => document.getElementById("search")?.focus(),
    x: () => go(here(route, noFilters), { stay: true }),
    p: () => set({ paused: !state.paused }),
    z: () => set({ zone: otherZone() }),
    "?": () => set({ help: !state.help }),
  }[event.key];
  const view = VIEWS[Number(event.key) - 1];
  if (!done && !view) return;
  event.preventDefault();
  if (done) done();
  else go(link(route, view[1]));
}

function move(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const current = rows.findIndex((row) => row.contains(document.activeElement));
  const next = current < 0 ? (by > 0 ? 0 : rows.length - 1) : current + by;
  const row = rows[Math.min(Math.max(next, 0), rows.length - 1)];
  const target = row?.matches("a, button") ? row : row?.querySelector("a, button, summary");
  target?.focus();
  target?.scrollIntoView({ block: "nearest" });
}
