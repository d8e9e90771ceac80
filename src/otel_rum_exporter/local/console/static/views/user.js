// One user: all sessions.
import { html } from "../html.js";
import { count, plural, shortId } from "../format.js";
import { link } from "../route.js";
import { Face, Pager, SessionRows, Time, Title } from "../parts.js";

export const title = (data) => `User ${shortId(data.id)}`;

export function View({ data, route }) {
  return html`
    <p class="up"><a href=${link(route, "/sessions")}>Sessions</a></p>
    <div class="person"><${Face} id=${data.id} /><div><${Title}>User ${shortId(data.id)}<//><p class="quiet id">${data.id}</p></div></div>
    <dl class="facts">
      <div><dt>Sessions</dt><dd>${count(data.total)}</dd></div>
      <div><dt>Page views</dt><dd>${count(data.page_views)}</dd></div>
      <div><dt>Errors</dt><dd>${count(data.errors)}</dd></div>
      <div><dt>Failed requests</dt><dd>${count(data.failed_requests)}</dd></div>
      <div><dt>First event</dt><dd><${Time} at=${data.first} /></dd></div>
      <div><dt>Last event</dt><dd><${Time} at=${data.last} /></dd></div>
    </dl>
    ${data.other_users > 0 && html`<p class="quiet note">${plural(data.other_users, "session also has", "sessions also have")} events of another user or from before the login.</p>`}
    <section aria-labelledby="sessions"><h2 id="sessions">Sessions <small>latest first</small></h2>
      <${SessionRows} sessions=${data.sessions} route=${route} />
      <${Pager} route=${route} total=${data.total} offset=${data.offset} limit=${data.limit} what="sessions" />
    </section>`;
}
