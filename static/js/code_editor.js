/* The text of a definition: line numbers with marks, problems that jump to their line, Tab that indents, Ctrl+S that saves,
   a warning before unsaved text is left. Without this module it is a plain text area and works all the same. */

import { announce } from "ensemble/dom";
import { toast } from "ensemble/toasts";

const LARGEST = 4 * 1024 * 1024;

export default function attach(editor) {
  const area = editor.querySelector("[data-editor-area]");
  const gutter = editor.querySelector("[data-editor-gutter]");
  const picker = editor.querySelector("[data-editor-file]");
  const findings = document.getElementById("findings");
  const form = area.form;
  let saved = area.value;
  let count = 0;
  let tabMovesOn = false;

  function number() {
    const lines = area.value.split("\n").length;
    if (lines === count) return;
    for (; count < lines; count += 1) gutter.append(Object.assign(document.createElement("span"), { textContent: count + 1 }));
    for (; count > lines; count -= 1) gutter.lastElementChild.remove();
  }

  function mark() {
    for (const marked of gutter.querySelectorAll("[data-mark]")) delete marked.dataset.mark;
    for (const finding of findings.querySelectorAll("[data-line]")) {
      const line = gutter.children[Number(finding.dataset.line) - 1];
      const wanted = finding.classList.contains("tone-danger") ? "error" : "warning";
      if (line && line.dataset.mark !== "error") line.dataset.mark = wanted;
    }
  }

  function goTo(line) {
    const lines = area.value.split("\n");
    const index = Math.min(line, lines.length) - 1;
    const start = lines.slice(0, index).reduce((sum, text) => sum + text.length + 1, 0);
    area.focus();
    area.setSelectionRange(start, start + lines[index].length);
    const height = parseFloat(getComputedStyle(area).lineHeight);
    area.scrollTop = Math.max(0, index * height - area.clientHeight / 3);
    area.scrollLeft = 0;
    announce(`Line ${index + 1}`);
  }

  /** Through the browser's own editing, so that undo works. */
  function insert(text) {
    if (!document.execCommand("insertText", false, text)) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  }

  function indent(outwards) {
    const { selectionStart: from, selectionEnd: to, value } = area;
    if (from === to && !outwards) {
      insert("  ");
      return;
    }
    const start = value.lastIndexOf("\n", from - 1) + 1;
    const block = value.slice(start, to);
    const changed = outwards ? block.replace(/^ {1,2}/gm, "") : block.replace(/^(?=.)/gm, "  ");
    area.setSelectionRange(start, to);
    insert(changed);
    area.setSelectionRange(start, start + changed.length);
  }

  function newLine() {
    const before = area.value.slice(0, area.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const deeper = /[[{]\s*$/.test(line) ? "  " : "";
    insert(`\n${line.match(/^ */)[0]}${deeper}`);
  }

  area.addEventListener("input", number);
  area.addEventListener("scroll", () => (gutter.scrollTop = area.scrollTop));
  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      tabMovesOn = true;
      return;
    }
    if (event.key === "Tab" && !tabMovesOn && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      indent(event.shiftKey);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      newLine();
    }
    tabMovesOn = false;
  });
  area.addEventListener("blur", () => (tabMovesOn = false));

  document.addEventListener("keydown", (event) => {
    if (!area.isConnected || event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    event.preventDefault();
    form.requestSubmit(document.querySelector("[data-editor-save]"));
  });

  findings.addEventListener("click", (event) => {
    const finding = event.target.closest("[data-line]");
    if (finding) goTo(Number(finding.dataset.line));
  });
  findings.addEventListener("htmx:afterSettle", mark);

  picker?.addEventListener("change", async () => {
    const file = picker.files[0];
    picker.value = ""; // the text is what is sent
    if (!file) return;
    if (file.size > LARGEST) {
      toast(`${file.name} is larger than 4 MB.`, "error");
      return;
    }
    try {
      area.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      toast(`${file.name} is not a text file in UTF-8.`, "error");
      return;
    }
    number();
    area.dispatchEvent(new Event("check"));
    announce(`${file.name} was read`);
  });

  form.addEventListener("submit", () => (saved = area.value));
  addEventListener("beforeunload", (event) => {
    if (area.isConnected && area.value !== saved) event.preventDefault();
  });

  number();
  mark();
}
