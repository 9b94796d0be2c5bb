/* How htmx talks to our server: a CSRF token that is always fresh, errors said in words, sign-out noticed. */

import { announce, cookie } from "ensemble/dom";
import { toast } from "ensemble/toasts";

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb === "get") return;
  // The cookie, not the page: it changes at sign-in, in every tab at once. The meta tag serves where the cookie is hidden.
  const token = cookie("csrftoken") || document.querySelector("meta[name='csrf-token']")?.content || "";
  event.detail.headers["X-CSRFToken"] = token;
});

const WORDS = {
  403: "You may not do this, or your session has changed. Reload the page and try again.",
  404: "This is not there any more. Reload the page.",
  409: "Somebody else was faster. Reload the page to see how things stand.",
  413: "This is too large.",
  429: "Too many requests. Wait a moment and try again.",
  503: "The portal is not ready. Try again in a moment.",
};

document.addEventListener("htmx:responseError", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (isBackground(requestConfig)) return;
  if (xhr.getResponseHeader("HX-Trigger")?.includes("toast")) return; // the server has said it itself
  toast(sentence(xhr) ?? WORDS[xhr.status] ?? `The server could not do this (error ${xhr.status}).`, "error");
});

document.addEventListener("htmx:sendError", (event) => {
  if (!isBackground(event.detail.requestConfig)) toast("The server does not answer. Check the connection and try again.", "error");
});

document.addEventListener("htmx:timeout", (event) => {
  if (!isBackground(event.detail.requestConfig)) toast("The server took too long. Try again.", "error");
});

/** Refreshes that nobody asked for fail silently; the bar at the top says when the connection is lost. */
function isBackground(config) {
  return config?.verb === "get" && (config.triggeringEvent?.type ?? "").startsWith("live:");
}

/** A short plain answer or the detail of a problem document is written for the person. */
function sentence(xhr) {
  const type = xhr.getResponseHeader("Content-Type") ?? "";
  try {
    if (type.includes("json")) return JSON.parse(xhr.responseText).detail;
  } catch {
    return undefined;
  }
  return type.startsWith("text/plain") && xhr.responseText.length < 300 ? xhr.responseText : undefined;
}

/** A whole page in answer to a request for a part (sign-in after the session ended): go there instead of showing it inside. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig, target } = event.detail;
  if (!/^\s*<!doctype html/i.test(xhr.responseText.slice(0, 200))) return;
  if (target === document.body || requestConfig?.boosted || requestConfig?.elt?.closest("[hx-select]")) return;
  event.detail.shouldSwap = false;
  location.assign(xhr.responseURL || location.href);
});

/** Focus goes where the server wants it: the first invalid field of a form that came back. */
document.addEventListener("htmx:afterSettle", (event) => {
  const invalid = event.detail.xhr?.status === 422 ? event.target.querySelector?.("[aria-invalid='true']") : null;
  if (!invalid) return;
  invalid.focus();
  announce("The form has errors");
});
