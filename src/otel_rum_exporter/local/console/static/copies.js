// An event as text to use elsewhere: a curl command that sends it, and a pytest test that expects it.
const UNSTABLE = /^(version|stack|duration|durationMs|startTime|time|timestamp|start_time|end_time|value|lineno|colno)$|id$/i;
const ABSOLUTE = /^(?:file:|\/|\\\\|[a-z]:[\\/])/i;
const METADATA = ["pageId", "title"];
const MAX_ASSERTIONS = 8;

export function curl(event, session, origin) {
  const body = {
    BatchId: event.batch_id,
    AppMonitorDetails: { id: session.monitor },
    UserDetails: { ...(event.user && { userId: event.user }), ...(session.id !== "none" && { sessionId: session.id }) },
    RumEvents: [{ id: event.id, timestamp: event.timestamp, type: event.type, metadata: JSON.stringify(event.metadata), details: JSON.stringify(event.details) }],
  };
  // The end of the text is a line of its own, which JSON of one line cannot contain.
  return `curl ${origin}/appmonitors/${session.monitor} -H 'Content-Type: application/json' --data-binary @- <<'END'\n${JSON.stringify(body)}\nEND\n`;
}

export function pytest(event) {
  const checks = [
    ...assertions("event.details", event.details),
    ...METADATA.filter((name) => typeof event.metadata[name] === "string").map((name) => check("event.metadata", name, event.metadata[name])),
  ];
  return `def test_${event.name.replace(/\W+/g, "_").toLowerCase()}_is_sent(local_rum):
    ...  # use the application, which sends to local_rum.url
    event = local_rum.wait_for(${JSON.stringify(event.type)})[-1]
${checks.map((line) => `    ${line}\n`).join("")}`;
}

// What differs between runs or machines is left out: ids, times, measured numbers and absolute paths of files.
function assertions(path, value, depth = 0) {
  return Object.entries(value).filter(([name, one]) => !UNSTABLE.test(name) && !(/file.?(name|path)$/i.test(name) && ABSOLUTE.test(one))).flatMap(([name, one]) => {
    if (one && typeof one === "object") return depth < 2 && !Array.isArray(one) ? assertions(`${path}[${JSON.stringify(name)}]`, one, depth + 1) : [];
    return [check(path, name, one)];
  }).slice(0, MAX_ASSERTIONS);
}

function check(path, name, value) {
  const literal = { true: "is True", false: "is False", null: "is None" }[String(value)];
  return `assert ${path}[${JSON.stringify(name)}] ${typeof value !== "string" && literal ? literal : `== ${JSON.stringify(value)}`}`;
}
