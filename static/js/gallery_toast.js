/* The gallery's button that shows a toast of each level. */

import { toast } from "ensemble/toasts";

export default function attach(button) {
  const examples = [["Run started.", "success"], ["Version 4 is out.", "info"], ["The budget is nearly spent.", "warning"], ["The agent does not answer.", "error"]];
  button.addEventListener("click", () => toast(...examples[0]) ?? examples.push(examples.shift()));
}
