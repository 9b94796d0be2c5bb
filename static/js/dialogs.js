/* Native dialogs: data-dialog-open="id" opens, data-dialog-close or a click beside it closes; data-confirm="question" asks
   first, for forms, buttons, links and htmx requests alike (data-confirm-title, data-confirm-yes name its parts). */

import { behaviour, on } from "ensemble/dom";
import { toast } from "ensemble/toasts";

on("click", "[data-dialog-open]", (event, opener) => {
  const dialog = document.getElementById(opener.dataset.dialogOpen);
  if (!dialog || dialog.open) return;
  event.preventDefault();
  opener.closest("details[data-menu]")?.removeAttribute("open");
  dialog.showModal();
});

on("click", "[data-dialog-close]", (event, closer) => closer.closest("dialog").close());

behaviour("dialog", (dialog) => {
  // Only a press that began on the backdrop: selecting text and letting go outside must not close it.
  let began = false;
  dialog.addEventListener("pointerdown", (event) => (began = event.target === dialog));
  dialog.addEventListener("click", (event) => {
    if (began && event.target === dialog) dialog.close();
  });
});

/** Close the dialog a form lives in once the server has taken it: HX-Trigger "close-dialog". */
document.addEventListener("close-dialog", (event) => {
  const inside = event.target instanceof Element ? event.target.closest("dialog[open]") : null;
  (inside ?? document.querySelector("dialog[open]"))?.close();
});

/** Ask; resolves to true or false. */
export function ask(element) {
  const dialog = document.getElementById("confirm");
  const { confirm: text, confirmTitle, confirmYes } = element.dataset;
  dialog.querySelector("#confirm-title").textContent = confirmTitle ?? "Are you sure?";
  dialog.querySelector("#confirm-text").textContent = text;
  const yes = dialog.querySelector("[data-confirm-yes]");
  yes.textContent = confirmYes ?? (element.textContent.trim() || "Yes");
  yes.classList.toggle("btn-danger", element.dataset.confirmTone !== "calm");
  yes.classList.toggle("btn-primary", element.dataset.confirmTone === "calm");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

document.addEventListener("htmx:confirm", (event) => {
  const { elt, triggeringEvent } = event.detail;
  const asking = [triggeringEvent?.submitter, elt].find((one) => one?.dataset?.confirm);
  if (!asking) return;
  event.preventDefault();
  ask(asking).then((yes) => yes && event.detail.issueRequest(true));
});

const isHtmx = (element) => ["hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete"].some((name) => element.hasAttribute(name));
const confirmed = new WeakSet();

document.addEventListener("submit", (event) => {
  const form = event.target;
  const asking = [event.submitter, form].find((one) => one?.dataset?.confirm);
  if (!asking || isHtmx(form) || (event.submitter && isHtmx(event.submitter)) || confirmed.delete(form)) return;
  event.preventDefault();
  const { submitter } = event;
  ask(asking).then((yes) => {
    if (!yes) return;
    if (!form.isConnected) {
      toast("The page has changed meanwhile, so nothing was done. Look at how things stand.", "warning");
      return;
    }
    confirmed.add(form);
    form.requestSubmit(submitter);
  });
});

on("click", "a[data-confirm]", (event, link) => {
  if (isHtmx(link)) return;
  event.preventDefault();
  ask(link).then((yes) => yes && location.assign(link.href));
});
