// The distribution of the values of tags: metadata and custom attributes.
import { html } from "./html.js";
import { count, percent, plural, visible } from "./format.js";
import { link } from "./route.js";

// A link from a value searches the events that have it. Shortened values and quotes cannot be searched.
const MAX_CHARACTERS = 120;
const isSearchable = (name, value) => /^[\w.:-]+$/.test(name) && value && value.length < MAX_CHARACTERS && !/["\n]/.test(value);
const search = (name, value) => `${name}=${/[\s,]/.test(value) ? `"${value}"` : value}`;

export function Tags({ tags, of, route, path }) {
  if (!tags.length) return html`<p class="card pad quiet">None.</p>`;
  return html`<ul class="tag-list">${tags.map((tag) => html`<li key=${tag.name} class="card pad">
    <h3>${tag.name} <span class="quiet">${tag.events < of ? `in ${count(tag.events)} of ${count(of)}` : ""}</span></h3>
    <ol>${tag.values.map(([value, n]) => html`<li key=${value}><${Share} part=${n} all=${tag.events}>${isSearchable(tag.name, value) ? html`<a href=${link(route, path, { q: search(tag.name, value) })}>${visible(value)}</a>` : visible(value)}<//></li>`)}</ol>
    ${tag.other_values > 0 && html`<p class="quiet">${plural(tag.other_values, "other value")}</p>`}
  </li>`)}</ul>`;
}

// A row with the share of a value as a bar behind its name.
export function Share({ part, all, note, children }) {
  return html`<span class="share"><span class="share-name">${children}</span><span class="n">${count(part)}${note && html` <span class="quiet">${note}</span>`}</span>
    <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="none" width="100" height="4" /><rect class="part" width=${percent(part, all)} height="4" /></svg></span>`;
}
