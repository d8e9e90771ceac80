// Word of news from the stand-in. The stream is closed while nobody looks: a browser has few connections to one host.
const POLL_MS = 5000;

export function listen(onNews, onState) {
  let source = null;
  let timer = 0;

  function open() {
    close();
    if (document.hidden) return;
    source = new EventSource("/api/console/live");
    source.onmessage = ({ data }) => {
      onState("live");
      onNews(Number(data));
    };
    source.onerror = () => {
      // The browser tries again by itself, unless it was refused: then ask now and then.
      if (source?.readyState !== EventSource.CLOSED) return onState("lost");
      close();
      timer = setInterval(() => onNews(null), POLL_MS);
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
