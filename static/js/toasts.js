/* Short messages. From Django messages in the page, from the event "toast" {text, level} of an answer, from `toast()`.
   They go after a while, but never while read (pointer or focus in the stack), and errors stay until dismissed. */

import { behaviour, on } from "ensemble/dom";

const STAY = { success: 5000, info: 6000, warning: 9000 };
const TONES = { error: "danger", debug: "info" };

/** Show `text`; level: success, info, warning, error. */
export function toast(text, level = "info") {
  const stack = document.querySelector("[data-toasts]");
  const template = document.querySelector("template[data-toast-template]");
  if (!stack || !template) return;
  const tone = TONES[level] ?? level;
  const element = template.content.firstElementChild.cloneNode(true);
  element.className = `toast tone-${tone}`;
  element.querySelector(".toast-text").textContent = text;
  const icon = document.querySelector("template[data-toast-icons]").content.querySelector(`.${tone}`);
  if (icon) element.querySelector(".icon").replaceWith(icon.cloneNode(true));
  stack.append(element);
  raise(stack);
  leave(element);
}

/** To the top layer, and inside of the open dialog: outside of it a modal dialog makes everything inert. */
function raise(stack) {
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  if (dialog && !dialog.contains(stack)) {
    dialog.append(stack);
    dialog.addEventListener("close", () => document.body.append(stack), { once: true });
  }
  if (stack.popover === undefined) return;
  stack.popover = "manual";
  if (stack.matches(":popover-open")) stack.hidePopover();
  stack.showPopover();
}

function leave(element) {
  const tone = Object.keys(STAY).find((name) => element.classList.contains(`tone-${name}`));
  if (!tone) return;
  const stack = element.parentElement;
  const go = () => (stack?.matches(":hover, :focus-within") ? setTimeout(go, 1500) : element.remove());
  setTimeout(go, STAY[tone]);
}

behaviour("[data-toasts] [data-toast]", leave);
on("click", "[data-toast-close]", (event, button) => button.closest("[data-toast]").remove());
document.addEventListener("toast", (event) => {
  const { text, value, level } = event.detail ?? {};
  if (text ?? value) toast(text ?? value, level);
});
