// The filter of time: the latest minutes to days, or an absolute range.
import { Component, html } from "./html.js";
import { fromInput, toInput, zoneName } from "./format.js";
import { here } from "./route.js";

const RANGES = [["", "All time"], ["5m", "Last 5 minutes"], ["15m", "Last 15 minutes"], ["1h", "Last hour"], ["6h", "Last 6 hours"], ["1d", "Last day"], ["7d", "Last week"], ["absolute", "Absolute"]];
const SECONDS = { "5m": 300, "15m": 900, "1h": 3600, "6h": 21_600, "1d": 86_400, "7d": 604_800 };

export class Range extends Component {
  choose = ({ target: { value } }) => {
    const { route, go } = this.props;
    const now = Math.ceil(Date.now() / 1000);
    const span = value === "absolute" ? { range: null, from: now - (SECONDS[route.query.get("range")] ?? 3600), to: now } : { range: value, from: null, to: null };
    go(here(route, span), { stay: true });
  };

  set = (name) => ({ target: { value } }) => {
    const seconds = fromInput(value);
    this.props.go(here(this.props.route, { [name]: Number.isNaN(seconds) ? null : seconds }), { stay: true });
  };

  render({ route }) {
    const value = (name) => route.query.get(name) ?? "";
    const isAbsolute = value("from") || value("to");
    const chosen = isAbsolute ? "absolute" : value("range");
    const input = (name, label) => html`<label>${label} <input type="datetime-local" step="1" name=${name} aria-label=${`${label}, ${zoneName()}`} title=${zoneName()} value=${value(name) && toInput(Number(value(name)))} onChange=${this.set(name)} /></label>`;
    return html`
      <select name="range" aria-label="Time" class=${chosen ? "set" : ""} onChange=${this.choose} value=${chosen}>
        ${RANGES.map(([option, text]) => html`<option key=${option} value=${option} selected=${option === chosen}>${text}</option>`)}
      </select>
      ${isAbsolute && html`<span class="absolute">${input("from", "From")} ${input("to", "to")}</span>`}`;
  }
}
