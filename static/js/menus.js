/* Menus are <details>: they open without scripts. Here: one at a time, Escape, a click outside, arrow keys. The side
   navigation of the phone is a popover; it takes focus when it opens. */

import { behaviour, on } from "ensemble/dom";

const openMenus = () => document.querySelectorAll("details[data-menu][open]");
const items = (menu) => [...menu.querySelectorAll(".menu-item, .segmented > button")].filter((item) => !item.disabled && item.offsetParent);

on("click", "*", (event) => {
  for (const menu of openMenus()) {
    if (!menu.contains(event.target) || event.target.closest(".menu-item:not([data-keep-open])")) menu.open = false;
  }
});

document.addEventListener("focusin", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = event.target instanceof Element ? event.target.closest("details[data-menu]") : null;
  if (!menu) return;
  const summary = menu.querySelector("summary");
  if (event.key === "Escape" && menu.open) {
    event.stopPropagation();
    menu.open = false;
    summary.focus();
  } else if (["ArrowDown", "ArrowUp"].includes(event.key) && !event.target.matches("input, textarea, select")) {
    event.preventDefault();
    menu.open = true;
    const all = items(menu);
    const step = event.key === "ArrowDown" ? 1 : -1;
    const now = all.indexOf(document.activeElement);
    all.at(now < 0 ? (step > 0 ? 0 : -1) : (now + step) % all.length)?.focus();
  }
});

behaviour("#side", (side) => {
  side.addEventListener("toggle", (event) => {
    if (event.newState === "open") (side.querySelector(".side-link[aria-current]") ?? side.querySelector(".side-link"))?.focus();
  });
  side.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !side.contains(event.relatedTarget) && side.matches(":popover-open")) side.hidePopover();
  });
});
