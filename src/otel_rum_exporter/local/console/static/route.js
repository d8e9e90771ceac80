// The route in the URL: the view, its item, and the filters.
export const DIMENSIONS = { monitor: "app monitor", page: "page", browser: "browser", os: "system", device: "device", country: "country" };
export const FILTERS = ["range", "from", "to", "q", ...Object.keys(DIMENSIONS)];

const PATTERNS = [
  ["overview", /^\/$/],
  ["session", /^\/sessions\/([^/]+)$/, "id"],
  ["sessions", /^\/sessions$/],
  ["user", /^\/users\/([^/]+)$/, "id"],
  ["page", /^\/pages\/(.+)$/, "name"],
  ["trace", /^\/traces\/([^/]+)$/, "id"],
  ["custom", /^\/custom$/],
  ["devices", /^\/devices$/],
  ["error", /^\/errors\/([^/]+)$/, "key"],
  ["errors", /^\/errors$/],
  ["http", /^\/http$/],
  ["pages", /^\/pages$/],
  ["refused", /^\/refused$/],
];

export function read(location) {
  for (const [view, pattern, member] of PATTERNS) {
    const match = pattern.exec(location.pathname);
    if (match) {
      const query = new URLSearchParams(location.search);
      return { view, path: location.pathname, query, of: member ? { [member]: decoded(match[1]) } : {} };
    }
  }
  return { view: "unknown", path: location.pathname, query: new URLSearchParams(location.search), of: {} };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// The URL of another view with the same filters; a change to null, undefined or "" removes a parameter.
export function link(route, path, changes = {}) {
  return url(path, FILTERS.map((name) => [name, route.query.get(name)]), changes);
}

// The URL of this view with changes, at the first page of its list.
export function here(route, changes) {
  return url(route.path, [...route.query].filter(([name]) => name !== "offset"), changes);
}

function url(path, kept, changes) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...Object.fromEntries(kept), ...changes })) {
    if (value != null && value !== "") query.set(name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

export const requestKey = (view, query) => `${view}?${new URLSearchParams(query)}`;
export const sessionPath = (id) => `/sessions/${encodeURIComponent(id)}`;
export const userPath = (id) => `/users/${encodeURIComponent(id)}`;
export const tracePath = (id) => `/traces/${id}`;
export const pagePath = (name) => `/pages/${encodeURIComponent(name)}`;
export const hasFilters = (route) => FILTERS.some((name) => route.query.get(name));
export const noFilters = Object.fromEntries(FILTERS.map((name) => [name, null]));
