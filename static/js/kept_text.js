/* What has been typed outlives a lost session: whoever sends a form after having been signed out is led to the login
   page, and finds the form as it was when they come back. It is kept in the tab (sessionStorage), for the same person
   and page alone, and only until the form is seen again.

   On the form: data-module="kept_text" data-keeps="<the person's id>". On a page that one is led to instead of the
   answer (sign-in, a form that is too old): data-module="kept_text" data-keeps-on. */

import { toast } from "ensemble/toasts";

const KEY = "kept-text";
const FIELDS = "textarea[name], input[type=text][name], input:not([type])[name], input[type=hidden][name=revision]";

export default function attach(element) {
  if (element.matches("[data-keeps-on]")) {
    keepOn();
    element.dataset.keepsOn = "done";
    return;
  }
  let goesOn = false;
  let sent = false;
  restore(element);
  element.addEventListener("submit", () => (sent = true));
  addEventListener("pagehide", () => keepText(element, { sent, goesOn }));
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    goesOn ||= event.detail.xhr.getResponseHeader("HX-Refresh") === "true";
  });
}

function fieldsOf(form) {
  return [...form.elements].filter((field) => field.matches(FIELDS));
}

function keepText(form, { sent, goesOn }) {
  const fields = fieldsOf(form);
  if (!sent && fields.every((field) => field.value === field.defaultValue)) {
    sessionStorage.removeItem(KEY);
    return;
  }
  const values = Object.fromEntries(fields.map((field) => [field.name, field.value]));
  const kept = { page: location.pathname, person: form.dataset.keeps, goesOn, values };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    sessionStorage.removeItem(KEY); // more than a tab may keep: then it is as without this module
  }
}

function keepOn() {
  const kept = JSON.parse(sessionStorage.getItem(KEY));
  const ledFrom = new URLSearchParams(location.search).get("next") ?? location.pathname;
  if (kept && ledFrom.startsWith(kept.page)) sessionStorage.setItem(KEY, JSON.stringify({ ...kept, goesOn: true }));
}

function restore(form) {
  const kept = JSON.parse(sessionStorage.getItem(KEY));
  sessionStorage.removeItem(KEY);
  if (!kept?.goesOn || kept.page !== location.pathname || kept.person !== form.dataset.keeps) return;
  const lost = fieldsOf(form).filter((field) => field.name in kept.values && field.value !== kept.values[field.name]);
  for (const field of lost) {
    field.value = kept.values[field.name];
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (lost.length) toast("You had been signed out, and nothing was sent. What you typed is here again.", "warning");
}
