// Templates. Text is set as text nodes and attributes, never as markup.
import { h, Component, Fragment, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { Component, Fragment, render };
