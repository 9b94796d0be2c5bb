/* Keys. An element with data-shortcut="g r" is clicked (links) or focused (fields) by that sequence; "/" goes to the search
   field of the page, "?" opens the table. Inert while typing and behind an open dialog. Elements that also have
   data-shortcut-label are added to the table. */

import { isTyping, on } from "ensemble/dom";

const PAUSE = 900;
let typed = "";
let timer;

function find(sequence) {
  return [...document.querySelectorAll("[data-shortcut]")].find(
    (element) => element.dataset.shortcut === sequence && !element.disabled && element.getAttribute("aria-disabled") !== "true",
  );
}

function begins(sequence) {
  return [...document.querySelectorAll("[data-shortcut]")].some((element) => element.dataset.shortcut.startsWith(`${sequence} `));
}

function run(element) {
  if (element.matches("input, textarea, select")) {
    element.focus();
    element.select?.();
  } else if (element.matches("summary")) {
    element.focus();
    element.click();
  } else {
    element.click();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  if (event.key === "Escape" && event.target.matches?.("[data-shortcut-search]")) {
    event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const field = document.querySelector("[data-shortcut-search]");
    if (field) {
      event.preventDefault();
      run(field);
    }
    return;
  }
  if (event.key === "?") {
    event.preventDefault();
    openTable();
    return;
  }
  if (event.key.length !== 1) return;
  const sequence = typed ? `${typed} ${event.key}` : event.key;
  const element = find(sequence) ?? find(event.key);
  clearTimeout(timer);
  typed = "";
  if (element) {
    event.preventDefault();
    run(element);
  } else if (begins(sequence)) {
    typed = sequence;
    timer = setTimeout(() => (typed = ""), PAUSE);
  } else if (begins(event.key)) {
    typed = event.key;
    timer = setTimeout(() => (typed = ""), PAUSE);
  }
});

function openTable() {
  const dialog = document.getElementById("shortcuts");
  if (!dialog) return;
  fill(dialog.querySelector("[data-shortcuts-table]"));
  dialog.showModal();
}

on("click", "[data-dialog-open='shortcuts']", () => fill(document.querySelector("[data-shortcuts-table]")));

function fill(table) {
  table.querySelectorAll("[data-from-page]").forEach((row) => row.remove());
  const seen = new Set();
  for (const element of document.querySelectorAll("[data-shortcut][data-shortcut-label]")) {
    const { shortcut, shortcutLabel } = element.dataset;
    if (seen.has(shortcut)) continue;
    seen.add(shortcut);
    const row = document.createElement("div");
    row.dataset.fromPage = "";
    const term = document.createElement("dt");
    term.textContent = shortcutLabel;
    const keys = document.createElement("dd");
    for (const key of shortcut.split(" ")) keys.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    row.append(term, keys);
    table.append(row);
  }
}
