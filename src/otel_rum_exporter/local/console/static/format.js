// Formats of numbers and times. Times are in epoch seconds.
const NUMBER = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n) => (n < 100_000 ? NUMBER.format(n) : COMPACT.format(n));
// A text that has no visible character is quoted with its escapes.
export const visible = (text, missing = "(empty)") => {
  if (!text) return missing;
  if (/[^\p{C}\p{Z}\u2800\u3164\uFFA0]/u.test(text)) return text;
  return `(blank: ${[...text].map((one) => `U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`).slice(0, 4).join(" ")})`;
};

// A row of a list shows the beginning of a long text; its item has all of it.
export const beginning = (text, missing) => {
  const shown = visible(text, missing);
  return shown.length > 300 ? `${shown.slice(0, 300)}…` : shown;
};

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
export const shortId = (id) => (id.length > 8 ? id.slice(0, 8) : id);

export function usd(amount) {
  return `${amount >= 1 ? amount.toFixed(2) : Number(amount.toPrecision(2))} USD`;
}

export function millis(ms) {
  if (ms == null) return "–";
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return span(ms / 1000);
}

export function span(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (d) return h ? `${d} d ${h} h` : `${d} d`;
  if (h) return m ? `${h} h ${m} min` : `${h} h`;
  const s = Math.round(seconds % 60);
  return s && m < 10 ? `${m} min ${s} s` : `${m} min`;
}

export function ago(seconds) {
  const passed = Date.now() / 1000 - seconds;
  if (passed < 5) return "now";
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86_400) return `${Math.floor(passed / 3600)} h ago`;
  return day(seconds);
}

// Times are shown in the zone of this computer or in UTC.
export const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone;
const ZONE = "zone";
const formats = {};
let zone = LOCAL;

export const currentZone = () => zone;

function setZone(wanted) {
  zone = wanted === "UTC" ? "UTC" : LOCAL;
  const format = (options) => new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone });
  const minute = { hour: "2-digit", minute: "2-digit" };
  formats.minute = format(minute);
  formats.clock = format({ ...minute, second: "2-digit" });
  formats.exact = format({ ...minute, second: "2-digit", fractionalSecondDigits: 3 });
  formats.day = format({ ...minute, day: "numeric", month: "short" });
  formats.offset = format({ timeZoneName: "longOffset" });
  try {
    localStorage.setItem(ZONE, zone);
  } catch {
    // Without storage, the choice lasts until the page is closed.
  }
}

export function otherZone() {
  setZone(zone === "UTC" ? LOCAL : "UTC");
  return zone;
}

function storedZone() {
  try {
    return localStorage.getItem(ZONE);
  } catch {
    return null;
  }
}

setZone(storedZone());

// The name of the zone with its offset now, such as "Europe/Berlin, GMT+01:00".
export function zoneName() {
  const offset = formats.offset.formatToParts(new Date()).find((part) => part.type === "timeZoneName").value;
  return zone === "UTC" ? "UTC" : `${zone}, ${offset}`;
}

const at = (seconds) => new Date(seconds * 1000);

export const clock = (seconds) => formats.clock.format(at(seconds));
// The time, as precise as a length of time in seconds needs it: in days, a time of day alone would be ambiguous.
export const clockWithin = (seconds, length) => (length < 10 ? formats.exact : length < 86_400 ? formats.clock : formats.day).format(at(seconds));
export const day = (seconds) => formats.day.format(at(seconds));

// The value of a `datetime-local` input, in the shown zone, and back; empty and NaN for what is no time.
export function toInput(seconds) {
  if (Number.isNaN(at(seconds).getTime())) return "";
  const shift = zone === "UTC" ? 0 : at(seconds).getTimezoneOffset() * 60;
  return iso(seconds - shift).slice(0, 19);
}

export const fromInput = (value) => Math.floor(Date.parse(zone === "UTC" ? `${value}Z` : value) / 1000);

export const iso = (seconds) => at(seconds).toISOString();

// The label of a time on an axis, as precise as the axis steps.
export function tick(seconds, step) {
  if (step < 60) return clock(seconds);
  return step < 3600 && Date.now() / 1000 - seconds < 86_400 ? formats.minute.format(at(seconds)) : day(seconds);
}

export function bytes(n) {
  if (n < 1024) return `${n} B`;
  return n < 1024 * 1024 ? `${(n / 1024).toFixed(1)} KB` : `${(n / 1024 / 1024).toFixed(1)} MB`;
}

export const percent = (part, whole) => (whole ? (100 * part) / whole : 0);

export function vital(value, unit) {
  if (value == null) return "–";
  return unit === "ms" ? millis(value) : value.toFixed(value < 1 ? 3 : 2);
}
