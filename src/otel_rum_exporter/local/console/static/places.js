// Scroll position and focus of each history entry, for Back, Forward and Reload.
const STORED = "places";
const MAX_PLACES = 100;
const TARGETS = "a[href], button, summary, input, select, [tabindex]";

const places = new Map(stored());
let entry = history.state?.entry ?? null;
history.scrollRestoration = "manual";
if (entry === null) push(location.href, { replace: true });

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED)) ?? [];
  } catch {
    return [];
  }
}

// Keep the place in the entry that is left.
export function leave() {
  places.delete(entry);
  places.set(entry, { top: scrollY, focus: nameOf(document.activeElement) });
  if (places.size > MAX_PLACES) places.delete(places.keys().next().value);
  try {
    sessionStorage.setItem(STORED, JSON.stringify([...places]));
  } catch {
    // Without storage, places last until the page is closed.
  }
}

export function push(url, { replace = false } = {}) {
  if (replace) entry ??= crypto.randomUUID?.() ?? String(Math.random());
  else {
    leave();
    entry = crypto.randomUUID?.() ?? String(Math.random());
  }
  history[replace ? "replaceState" : "pushState"]({ entry }, "", url);
}

// The place of the entry that the browser moved to; undefined when it was not visited.
export function returned() {
  if (entry !== history.state?.entry) leave();
  entry = history.state?.entry ?? entry;
  return current();
}

export const current = () => places.get(entry);

export function restore({ top, focus }) {
  scrollTo(0, top);
  const target = focus && [...document.querySelectorAll(TARGETS)].find((element) => nameOf(element) === focus);
  (target || document.querySelector("h1"))?.focus({ preventScroll: true });
}

function nameOf(element) {
  if (!element || element === document.body) return null;
  const row = element.closest("[data-row]")?.dataset.row;
  const own = element.getAttribute("href") ?? (row ? "" : element.id || element.getAttribute("aria-label") || element.textContent.slice(0, 80));
  return [row ?? "", element.tagName, own].join(" ");
}
