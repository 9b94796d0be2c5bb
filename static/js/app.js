/* Registers the behaviours of every page. A page brings more by data-module="name": static/js/name.js, whose default
   export is called with the element. */

import { behaviour, start } from "ensemble/dom";
import "ensemble/copy";
import "ensemble/dialogs";
import "ensemble/forms";
import "ensemble/htmx";
import "ensemble/live";
import "ensemble/menus";
import "ensemble/morph";
import "ensemble/scroll";
import "ensemble/shortcuts";
import "ensemble/theme";
import "ensemble/times";
import "ensemble/toasts";

behaviour("[data-module]", async (element) => {
  for (const name of element.dataset.module.split(" ").filter(Boolean)) {
    const { default: attach } = await import(`ensemble/${name}`);
    attach(element);
  }
});

await start();
document.documentElement.dataset.ready = "";
