// Save all received requests to a file, send those of a file again, and clear everything.
import { Component, html } from "./html.js";
import { count, plural } from "./format.js";

export class Recording extends Component {
  state = { status: "", isAsking: false };

  choose = () => this.input.click();

  load = async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    const lines = (await file.text()).split("\n").filter(Boolean);
    target.value = "";
    let [sent, refused] = [0, 0];
    for (const line of lines) {
      try {
        const { path, body } = JSON.parse(line);
        if (!/^\/appmonitors\/[^/?#]+\/?$/.test(path)) throw new Error("not a recording");
        const { ok } = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
        if (ok) sent += 1;
        else refused += 1;
      } catch {
        return this.setState({ status: `Line ${count(sent + refused + 1)} of ${file.name} is no request of a recording. ${plural(sent, "request")} loaded.` });
      }
    }
    this.setState({ status: `${plural(sent, "request")} loaded${refused ? `, ${count(refused)} refused again` : ""}.` });
  };

  clear = async () => {
    const response = await fetch("/api/console/clear", { method: "POST" });
    this.setState({ isAsking: false, status: response.ok ? "Cleared." : "Clearing failed." });
  };

  componentDidUpdate(_, { isAsking }) {
    if (this.state.isAsking && !isAsking) this.dialog.showModal();
  }

  render(_, { status, isAsking }) {
    return html`<span class="recording">
      <a href="/api/console/recording" download="local-rum.jsonl">Save recording</a>
      <button class="plain" onClick=${this.choose}>Load recording</button>
      <input hidden type="file" accept=".jsonl" aria-label="Recording" ref=${(input) => (this.input = input)} onChange=${this.load} />
      <button class="plain" onClick=${() => this.setState({ isAsking: true })}>Clear all data</button>
      <span role="status">${status}</span>
      ${isAsking && html`<dialog aria-label="Clear all data" ref=${(dialog) => (this.dialog = dialog)} onClose=${() => this.setState({ isAsking: false })}>
        <h2>Clear all data?</h2>
        <p>This deletes all received events and losses, in the data file too. Save a recording to keep them.</p>
        <form method="dialog"><button>Cancel</button> <button type="button" onClick=${this.clear}>Clear</button></form>
      </dialog>`}
    </span>`;
  }
}
