/* What scrolls sideways can be reached by the keyboard, and only then (WCAG 2.1.1). */

import { behaviour } from "ensemble/dom";

const BOXES = ".table-wrap, .prose-table";
const watch = new ResizeObserver((entries) => entries.forEach(({ target }) => look(target)));

function look(box) {
  if (box.scrollWidth > box.clientWidth + 1) {
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", "Table, scrolls sideways");
  } else {
    box.removeAttribute("tabindex");
    box.removeAttribute("role");
    box.removeAttribute("aria-label");
  }
}

behaviour(BOXES, (box) => watch.observe(box));
// A morph takes away what the server did not write.
document.addEventListener("htmx:afterSettle", () => document.querySelectorAll(BOXES).forEach(look));
