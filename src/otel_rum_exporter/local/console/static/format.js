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

const at = (seconds) => new Date(seconds * 1000);
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTE = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const clock = (seconds) => CLOCK.format(at(seconds));
export const day = (seconds) => DAY.format(at(seconds));
export const iso = (seconds) => at(seconds).toISOString();

// The label of a time on an axis, as precise as the axis steps.
export function tick(seconds, step) {
  if (step < 60) return clock(seconds);
  return step < 3600 && Date.now() / 1000 - seconds < 86_400 ? MINUTE.format(at(seconds)) : day(seconds);
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
