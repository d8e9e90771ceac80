// Change notifications from the server. A hidden page closes the stream: browsers limit the connections to a host.
const POLL_MS = 5000;

export function listen(onChange, onState) {
  let source = null;
  let timer = 0;

  function open() {
    close();
    if (document.hidden) return;
    source = new EventSource("/api/console/live");
    source.onmessage = ({ data }) => {
      onState("live");
      onChange(Number(data));
    };
    source.onerror = () => {
      // The browser reconnects by itself, except after an error response: then poll.
      if (source?.readyState !== EventSource.CLOSED) return onState("lost");
      close();
      timer = setInterval(() => onChange(null), POLL_MS);
    };
  }

  function close() {
    source?.close();
    source = null;
    clearInterval(timer);
  }

  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    document.removeEventListener("visibilitychange", open);
    close();
  };
}
