/* Fields: text areas that grow, files read into text areas, filters that keep the address short, no doubled submits. */

import { announce, behaviour, cookie, on } from "ensemble/dom";
import { toast } from "ensemble/toasts";

const LARGEST = 5 * 1024 * 1024;
const GROWS_TO = 560;

behaviour("textarea[data-autosize]", (area) => {
  const grow = () => {
    if (!area.offsetParent) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight + 2, GROWS_TO)}px`;
  };
  area.addEventListener("input", grow);
  grow();
});

async function read(box, file) {
  const area = box.querySelector("textarea");
  const name = box.querySelector(".file-drop-name");
  if (file.size > LARGEST) {
    toast(`${file.name} is larger than 5 MB.`, "error");
    return;
  }
  const bytes = await file.arrayBuffer();
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    toast(`${file.name} is not a text file in UTF-8.`, "error");
    return;
  }
  area.value = text;
  area.dispatchEvent(new Event("input", { bubbles: true }));
  if (name) name.textContent = `${file.name}, ${text.length.toLocaleString("en")} characters`;
  announce(`${file.name} was read into the field`);
}

/** [data-file-drop] holds a textarea and a [data-file-pick] button; a textarea with data-file-target is its own box. */
behaviour("[data-file-drop]:not(textarea), textarea[data-file-target]", (element) => {
  const box = element.matches("textarea") ? element.parentElement : element;
  const picker = Object.assign(document.createElement("input"), { type: "file", hidden: true });
  if (element.dataset.accept) picker.accept = element.dataset.accept;
  box.querySelector("[data-file-pick]")?.addEventListener("click", () => picker.click());
  picker.addEventListener("change", () => picker.files[0] && read(box, picker.files[0]).then(() => (picker.value = "")));
  box.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    box.dataset.over = "";
  });
  box.addEventListener("dragleave", () => delete box.dataset.over);
  box.addEventListener("drop", (event) => {
    delete box.dataset.over;
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    read(box, event.dataTransfer.files[0]);
  });
});

/** Empty filters stay out of the address. */
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches?.("form[data-filters]")) return;
  for (const [name, value] of [...event.detail.formData.entries()]) {
    if (value === "") event.detail.formData.delete(name);
  }
});

/** Each new content of a list is told by its count. */
document.addEventListener("htmx:afterSettle", (event) => {
  const { requestConfig, elt } = event.detail;
  if (!requestConfig?.elt?.matches?.("form[data-filters]")) return;
  const count = document.querySelector(".result-count");
  if (count) announce(count.textContent.trim());
  else if (elt) announce("The list has changed");
});

/** A page that came back with errors: go to the first field that has one, if nothing on the page has the focus yet. */
const invalid = document.querySelector("main [aria-invalid='true']");
const refused = performance.getEntriesByType("navigation")[0]?.responseStatus >= 400;
if (refused && invalid && document.activeElement === document.body) {
  invalid.closest("details")?.setAttribute("open", "");
  invalid.focus();
}

/** A page may be older than the present sign-in (another tab): its token is renewed from the cookie before it goes. */
document.addEventListener(
  "submit",
  (event) => {
    const token = cookie(document.documentElement.dataset.csrfCookie || "csrftoken");
    const field = event.target.querySelector?.("input[name='csrfmiddlewaretoken']");
    if (token && field) field.value = token;
  },
  { capture: true },
);

on("submit", "form[method='post']", (event, form) => {
  if (event.defaultPrevented || form.matches("[hx-post], [data-hx-post]")) return;
  if ("sent" in form.dataset) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "";
  // Back from the browser's cache the form must work again.
  addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
  setTimeout(() => delete form.dataset.sent, 4000);
});
