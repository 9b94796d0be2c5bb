/* Light, dark or the device's: a cookie, so that the server paints right the first time. */

import { behaviour, on } from "ensemble/dom";

const YEAR = 31536000;

function show(choice) {
  for (const button of choice.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === document.documentElement.dataset.theme));
  }
}

behaviour("[data-theme-choice]", show);

on("click", "[data-theme-choice] button", (event, button) => {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${button.value}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  document.documentElement.dataset.theme = button.value;
  document.querySelectorAll("[data-theme-choice]").forEach(show);
});
