// SVG charts. Classes set the colours, so that the style sheet handles light, dark and high contrast.
import { Component, html } from "./html.js";
import { here } from "./route.js";
import { count, tick } from "./format.js";

const HEIGHT = 100;
const WIDTH = 10;
const LEAST = 3; // so that a small number beside a large one is seen

// Stacked columns over time. `series` is [[name, class, numbers]]. Arrow keys move the cursor, Enter or a click zooms.
export class Columns extends Component {
  state = { at: null, from: null };

  render({ chart, series, label, format = count, route, go }, { at, from }) {
    const steps = series[0][2].length;
    const top = rounded(Math.max(1, ...Array.from({ length: steps }, (_, i) => series.reduce((sum, [, , values]) => sum + (values[i] ?? 0), 0))));
    const time = (i) => tick(chart.start + i * chart.step_seconds, chart.step_seconds);
    const zoom = (one, other = one) => {
      const [first, last] = [Math.min(one, other), Math.max(one, other)];
      const from = Math.floor(chart.start + first * chart.step_seconds);
      const to = Math.ceil(chart.start + (last + 1) * chart.step_seconds);
      this.setState({ from: null });
      go(here(route, { range: null, from, to }), { stay: true });
    };
    const walk = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) this.setState({ at: Math.min(Math.max((at ?? (by > 0 ? -1 : steps)) + by, 0), steps - 1) });
      else if (event.key === "Enter" && at !== null) zoom(at);
      else if (event.key === "Escape") this.setState({ at: null });
      else return;
      event.preventDefault();
    };
    const point = (event) => {
      const box = event.currentTarget.querySelector("svg").getBoundingClientRect();
      return Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * steps), 0), steps - 1);
    };
    const description = (i) => series.map(([name, , values]) => `${name} ${format(values[i])}`).join(", ");
    return html`<figure class="chart">
      <figcaption><span class="legend">${series.map(([name, kind, values]) => html`<span key=${name} class=${kind}><i aria-hidden="true"></i>${name}${at !== null && at < steps && html` <b>${format(values[at])}</b>`}</span>`)}</span>
        <span class="quiet readout">${at !== null && at < steps ? time(at) : ""}</span></figcaption>
      <div class="plot" tabindex="0" role="application" aria-roledescription="chart" aria-label=${`${label}. Arrow keys move through time, Enter zooms in; drag to choose a range.`}
        onKeyDown=${walk} onBlur=${() => this.setState({ at: null })} onPointerMove=${(event) => this.setState({ at: point(event) })}
        onPointerLeave=${() => this.setState({ at: null })} onPointerDown=${(event) => {
          if (event.button) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          this.setState({ from: point(event) });
        }}
        onPointerUp=${(event) => from !== null && zoom(from, point(event))} onPointerCancel=${() => this.setState({ from: null })}>
        <span class="top quiet" aria-hidden="true">${format(top)}</span><span class="middle quiet" aria-hidden="true">${format(top / 2)}</span>
        <svg viewBox="0 0 ${steps * WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
          ${at !== null && at < steps && html`<rect class="cursor" x=${Math.min(at, from ?? at) * WIDTH} width=${(Math.abs(at - (from ?? at)) + 1) * WIDTH} height=${HEIGHT} />`}
          ${Array.from({ length: steps }, (_, i) => {
            let y = HEIGHT;
            return series.map(([name, kind, values]) => {
              const height = values[i] > 0 ? Math.max((values[i] / top) * HEIGHT, LEAST) : 0;
              y -= height;
              return height > 0 && html`<rect key=${`${name}${i}`} class=${kind} x=${i * WIDTH + WIDTH * 0.12} y=${y} width=${WIDTH * 0.76} height=${height} />`;
            });
          })}
        </svg>
        <span class="hidden" role="status">${at !== null && at < steps ? `${time(at)}: ${description(at)}` : ""}</span>
      </div>
      <div class="axis quiet" aria-hidden="true"><span>${time(0)}</span>${steps > 2 && html`<span>${time(Math.floor(steps / 2))}</span>`}${steps > 1 && html`<span>${time(steps - 1)}</span>`}</div>
    </figure>`;
  }
}

// The next of 2, 4, 6, 8, 10, 20 …, whose half is as round.
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 6, 8, 10].find((step) => value <= step * power && (step * power) % 2 === 0) || 10 * power;
}

export function Spark({ values, kind = "" }) {
  const top = Math.max(1, ...values);
  return html`<svg class=${`spark ${kind}`} viewBox="0 0 ${values.length * 4} 24" preserveAspectRatio="none" aria-hidden="true">
    ${values.map((value, i) => value > 0 && html`<rect key=${i} x=${i * 4 + 0.5} y=${24 - Math.max(2, (value / top) * 24)} width="3" height=${Math.max(2, (value / top) * 24)} />`)}
  </svg>`;
}
