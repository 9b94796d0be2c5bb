/* What a live refresh must leave as the person has it. The server does not know which <details> are open or what is half
   written, so a morph that follows it to the letter would close and wipe; and it never writes style attributes (the CSP
   forbids them), so those there are come from our own modules. */

const defaults = window.Idiomorph?.defaults;

const KEPT = {
  open: () => true,
  style: () => true,
  popover: () => true,
  value: (field) => "defaultValue" in field && field.value !== field.defaultValue, // a <progress> has none
  checked: (box) => box.checked !== box.defaultChecked,
  selected: (option) => option.selected !== option.defaultSelected,
};

if (defaults) {
  defaults.ignoreActiveValue = true;
  defaults.callbacks.beforeAttributeUpdated = (name, element) => !KEPT[name]?.(element);
}
