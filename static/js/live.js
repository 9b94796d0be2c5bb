/* Live pages. One socket carries hints ("run X is at 42"); each becomes an event on <body> that hx-trigger may name:

     hx-trigger="live:runs from:body"      topics of the organisation: runs, inbox, agents, workflows
     hx-trigger="live:run from:body"       the run of this page; detail {run, seq}
     live:tokens                           text of a model as it comes; detail {run, node, path, offset, text}

   Hints of one kind that come close together are joined here; while a refresh is under way, htmx keeps the last further
   one for afterwards (its default queue): at most one is in flight and none is missed. A hidden page waits until it is
   looked at. When the socket is lost a bar says so and every kind fires each 20 s; when it opens, every kind fires
   once. */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const POLL = 20_000;
const SAY_LOST_AFTER = 4_000;
const GATHER = 120;

const body = document.body;
const sockets = (body.dataset.liveUrl ?? "").split(" ").filter(Boolean).map((url) => new Line(url));
const pending = new Map();
const missed = new Set();

function Line(url) {
  this.url = url;
  this.wait = FIRST_WAIT;
  this.open = false;
  this.everOpen = false;
  this.connect = () => {
    clearTimeout(this.timer);
    const socket = new WebSocket(new URL(url, location.href.replace(/^http/, "ws")));
    this.socket = socket;
    socket.onopen = () => {
      this.open = true;
      this.wait = FIRST_WAIT;
      show();
      // Also the first time: what happened between the page's rendering and now was told to nobody.
      everything(this.everOpen ? "reconnected" : "connected");
      this.everOpen = true;
    };
    socket.onmessage = (event) => receive(JSON.parse(event.data), socket);
    socket.onclose = (event) => {
      this.open = false;
      if (event.code === 4401) {
        location.reload(); // signed out elsewhere: the server shows the sign-in
        return;
      }
      if (event.code === 4403) return; // the right is gone; a new attempt would be refused too
      show();
      this.timer = setTimeout(this.connect, this.wait * (0.5 + Math.random()));
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    };
  };
}

function receive(message, socket) {
  if (message.type === "ping") socket.send('{"type":"pong"}');
  else if (message.type === "tokens") emit("live:tokens", message);
  else if (message.type === "hint") hint(message);
}

function hint(message) {
  gather(message.topic ? `live:${message.topic}` : "live:run", message);
}

/** Join hints of a kind that come close together, then fire once. */
function gather(name, detail) {
  if (document.hidden) {
    missed.add(name);
    return;
  }
  const waiting = pending.get(name);
  if (waiting) {
    waiting.detail = detail;
    return;
  }
  const entry = { detail };
  pending.set(name, entry);
  setTimeout(() => {
    pending.delete(name);
    emit(name, entry.detail);
  }, GATHER);
}

function emit(name, detail) {
  body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}

function everything(reason) {
  for (const topic of ["run", "runs", "events", "inbox", "notifications", "agents", "workflows"]) gather(`live:${topic}`, { reason });
}

/* The bar. Short losses are not worth a word. */
const slot = document.querySelector("[data-connection]");
let lostTimer;
let said = false;

function show() {
  const whole = sockets.every((line) => line.open);
  clearTimeout(lostTimer);
  if (whole && said) {
    said = false;
    bar("success", "Connected again.");
    setTimeout(() => !said && slot.replaceChildren(), 3000);
  } else if (!whole && !said) {
    lostTimer = setTimeout(() => {
      said = true;
      bar("warning", "Live updates are interrupted. The page looks for changes every 20 seconds.");
    }, SAY_LOST_AFTER);
  }
}

function bar(tone, text) {
  if (!slot) return;
  const element = document.createElement("p");
  element.className = `bar tone-${tone}`;
  element.textContent = text;
  slot.replaceChildren(element);
}

if (sockets.length) {
  for (const line of sockets) line.connect();
  setInterval(() => {
    if (!document.hidden && !sockets.every((line) => line.open)) everything("poll");
  }, POLL);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const name of missed) gather(name, { reason: "seen again" });
    missed.clear();
    for (const line of sockets) {
      if (!line.open && line.socket?.readyState === WebSocket.CLOSED) line.connect();
    }
  });
  addEventListener("pagehide", () => {
    for (const line of sockets) {
      clearTimeout(line.timer);
      line.socket.onclose = null;
      line.socket.close();
    }
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const line of sockets) line.connect();
    everything("restored");
  });
}

/* Numbers of the navigation: the answer to hx-get of nav_counts is JSON {"inbox": 3, "running": 1}. */
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, xhr, successful } = event.detail;
  if (!successful || !elt.matches?.("[data-counts]")) return;
  const counts = JSON.parse(xhr.responseText);
  for (const place of document.querySelectorAll("[data-count]")) place.textContent = counts[place.dataset.count] || "";
});
