/* Rows of a list of objects: add, remove, Enter in the last row adds one. Attach with data-module="rows_input". */

import { announce } from "ensemble/dom";

export default function attach(element) {
  const body = element.querySelector("[data-rows]");
  const blank = element.querySelector("[data-rows-blank]");
  let next = body.children.length;

  function add() {
    const row = blank.content.firstElementChild.cloneNode(true);
    row.innerHTML = row.innerHTML.replaceAll("__row__", next).replaceAll("__number__", body.children.length + 1);
    next += 1;
    body.append(row);
    row.querySelector("input, select").focus();
  }

  function remove(row) {
    const near = row.nextElementSibling ?? row.previousElementSibling;
    if (near) {
      row.remove();
      near.querySelector("input, select").focus();
    } else {
      for (const field of row.querySelectorAll("input, select")) {
        if (field.type === "checkbox") field.checked = false;
        else field.value = "";
      }
      row.querySelector("input, select").focus();
    }
    announce("Row removed");
  }

  element.addEventListener("click", (event) => {
    if (event.target.closest("[data-rows-add]")) add();
    const button = event.target.closest("[data-rows-remove]");
    if (button) remove(button.closest("[data-row]"));
  });

  element.addEventListener("keydown", (event) => {
    const row = event.target.closest("[data-row]");
    if (event.key !== "Enter" || !row || !event.target.matches("input")) return;
    event.preventDefault(); // Enter would send the whole form
    if (row === body.lastElementChild) add();
    else row.nextElementSibling.querySelector("input, select").focus();
  });
}
