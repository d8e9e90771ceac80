// A stack trace with the frames of libraries folded.
import { html } from "./html.js";
import { plural } from "./format.js";
import { Copy } from "./parts.js";

const FRAME = /^\s*(?:at |File "|#?\d+[: ]|[^\s@]*@\S+:\d+)/;
const LIBRARY = /node_modules|site-packages|dist-packages|lib\/python[\d.]+\/|[\/.-]vendor[\/.-]|webpack\/(?:bootstrap|runtime)|\/gems\/|^\s*at (?:java|javax|jdk|sun|org\.springframework|org\.apache|kotlin|scala|System|Microsoft)\.|<anonymous>|node:internal|\[native code\]|<frozen /;

// Groups of lines: [is it of a library, lines]. Source lines below a Python frame belong to it.
function groups(stack) {
  const found = [];
  let isLibrary = false;
  for (const line of stack.split("\n")) {
    const isFrame = FRAME.test(line);
    if (isFrame) isLibrary = LIBRARY.test(line);
    else if (!/^\s{4,}/.test(line)) isLibrary = false;
    if (found.at(-1)?.[0] === isLibrary) found.at(-1)[1].push(line);
    else found.push([isLibrary, [line]]);
  }
  return found;
}

export function Stack({ stack }) {
  const parts = groups(stack);
  const isFolded = parts.some(([isLibrary, lines]) => !isLibrary && lines.some((line) => FRAME.test(line)));
  return html`<div class="json card"><${Copy} text=${stack} what="stack trace" />
    <div tabindex="0" role="region" aria-label="Stack trace" class="stack">${parts.map(([isLibrary, lines], i) => isLibrary && isFolded
      ? html`<details key=${i}><summary>${plural(lines.filter((line) => FRAME.test(line)).length, "frame")} of libraries</summary><pre>${lines.join("\n")}</pre></details>`
      : html`<pre key=${i}>${lines.join("\n")}</pre>`)}</div></div>`;
}
