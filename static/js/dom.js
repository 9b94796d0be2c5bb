/* The two ways a behaviour meets the page: delegated events, and elements as they appear (first load and each htmx swap). */

const attached = new WeakMap();
const waiting = [];
let started = false;

/** Call `handler(event, element)` for events whose target lies in `selector`. */
export function on(type, selector, handler, options) {
  document.addEventListener(
    type,
    (event) => {
      const element = event.target instanceof Element ? event.target.closest(selector) : null;
      if (element) handler(event, element);
    },
    options,
  );
}

/** Call `attach(element)`, which may be async, once for each element of `selector`, now and whenever one is swapped in. */
export function behaviour(selector, attach) {
  waiting.push([selector, attach]);
  if (started) scan(document.body, [[selector, attach]]);
}

function scan(root, pairs = waiting) {
  const begun = [];
  for (const [selector, attach] of pairs) {
    const found = [...root.querySelectorAll(selector)];
    if (root.matches(selector)) found.unshift(root);
    for (const element of found) {
      const done = attached.get(element) ?? new Set();
      if (done.has(attach)) continue;
      attached.set(element, done.add(attach));
      begun.push(attach(element));
    }
  }
  return Promise.all(begun);
}

/** Begin; called once by app.js after all behaviours are registered. Resolves when what the page has is attached. */
export function start() {
  started = true;
  const attachedAll = scan(document.body);
  document.addEventListener("htmx:load", (event) => {
    if (event.target instanceof Element) scan(event.target);
  });
  // A morph keeps elements and changes their inside without loading them anew.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target instanceof Element && event.target.isConnected) scan(event.target);
  });
  return attachedAll;
}

/** Say something to screen readers only. */
export function announce(text) {
  const region = document.querySelector("[data-announce]");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

/** True while the person writes, so that single keys are letters. */
export function isTyping(target) {
  return target instanceof Element && (target.closest("input, textarea, select, [contenteditable='true']") !== null);
}

/** The value of a cookie, or "". */
export function cookie(name) {
  const pair = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return pair ? decodeURIComponent(pair.slice(name.length + 1)) : "";
}
