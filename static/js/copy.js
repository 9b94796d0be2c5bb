/* data-copy="text" or data-copy-from="#id" puts text on the clipboard and says so. */

import { announce, on } from "ensemble/dom";
import { toast } from "ensemble/toasts";

on("click", "[data-copy], [data-copy-from]", async (event, button) => {
  const source = button.dataset.copyFrom ? document.querySelector(button.dataset.copyFrom) : null;
  const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not over plain http on another host, and not without the person's leave.
    toast("The browser does not let this page copy. Select the text and copy it by hand.", "warning");
    return;
  }
  button.dataset.copied = "";
  announce("Copied");
  setTimeout(() => delete button.dataset.copied, 1600);
});
