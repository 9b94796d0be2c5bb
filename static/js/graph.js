/* Pan and zoom of a drawn workflow, by changing the viewBox: wheel, drag, pinch, buttons, keys (+ − 0 and arrows).
   Attach with data-module="graph" on a .graph-view that holds svg.graph; buttons inside carry data-graph-zoom="in|out|fit". */

const SMALLEST = 0.1;
const LARGEST = 4;
const STEP = 1.25;
const NATURAL = 1.1; // a small drawing is not blown up beyond this
const READABLE = 0.55; // a large one does not begin smaller than this, but at the step that is under way
const OVERVIEW = 0.42; // with no step under way, all of it is worth smaller letters
const BEGIN = READABLE + 0.15; // but at this, or it would look small still
const TALLEST = 0.62; // of the window
const LEAST_HEIGHT = 190;
const MARGIN = 24; // round the drawing
const views = new Map();

export default function attach(view) {
  const svg = () => view.querySelector("svg.graph");
  const first = svg();
  if (!first?.viewBox.baseVal?.width) return;
  if (!view.clientWidth) {
    // Not shown yet (a closed <details>): begin when it is.
    const shown = new ResizeObserver(() => view.clientWidth && (shown.disconnect(), attach(view)));
    shown.observe(view);
    return;
  }
  let content = box(first);
  // Until the person moves it, the view follows the step under way.
  let touched = views.has(view.id);
  let now = views.get(view.id) ?? begin();
  apply();

  /** Where the drawing lies. Not the viewBox: the server's is generous, for pages without scripts. */
  function box(element) {
    const { x, y, width, height } = element.getBBox();
    return { x: x - MARGIN, y: y - MARGIN, width: width + 2 * MARGIN, height: height + 2 * MARGIN };
  }

  /** The view of `scale` screen pixels a unit whose middle is `at`. */
  function look(scale, at) {
    const [width, height] = [view.clientWidth / scale, room() / scale];
    return { x: at.x - width / 2, y: at.y - height / 2, width, height };
  }

  /** Height of the view, in pixels: what the drawing needs, within reason, if the page's CSS does not say otherwise. */
  function room() {
    const fits = view.clientWidth / content.width;
    const fitting = fits < least() ? BEGIN : Math.min(fits, NATURAL); // as `begin` will draw it
    const height = `${Math.round(Math.max(LEAST_HEIGHT, Math.min(content.height * fitting + 16, innerHeight * TALLEST)))}px`;
    if (view.style.getPropertyValue("--graph-height") !== height) view.style.setProperty("--graph-height", height);
    return svg().getBoundingClientRect().height;
  }

  function busy() {
    return svg().querySelector(":is([data-status='failed'], [data-status='waiting'], [data-status='retrying'], [data-status='running'])");
  }

  function least() {
    return busy() ? READABLE : OVERVIEW;
  }

  function middle() {
    return { x: content.x + content.width / 2, y: content.y + content.height / 2 };
  }

  function whole() {
    return look(Math.min(view.clientWidth / content.width, room() / content.height, NATURAL), middle());
  }

  function begin() {
    const all = whole();
    if (view.clientWidth / all.width >= least()) return all;
    const shape = busy()?.querySelector(".graph-box")?.getBBox();
    const near = look(BEGIN, middle());
    const at = shape ? shape.x + shape.width / 2 : content.x + near.width / 2;
    const most = content.x + content.width - near.width / 2;
    const height = shape ? shape.y + shape.height / 2 : middle().y;
    return look(BEGIN, { x: Math.max(content.x + near.width / 2, Math.min(at, most)), y: height });
  }

  function apply() {
    svg()?.setAttribute("viewBox", `${now.x} ${now.y} ${now.width} ${now.height}`);
    if (view.id && touched) views.set(view.id, now);
  }

  /** Screen point → drawing point. */
  function point(x, y) {
    const at = new DOMPoint(x, y).matrixTransform(svg().getScreenCTM().inverse());
    return { x: at.x, y: at.y };
  }

  function zoom(factor, x, y) {
    const scale = (view.clientWidth / now.width) * factor;
    touched = true;
    if (scale < SMALLEST || scale > LARGEST) return;
    const at = x === undefined ? { x: now.x + now.width / 2, y: now.y + now.height / 2 } : point(x, y);
    now = {
      x: at.x - (at.x - now.x) / factor,
      y: at.y - (at.y - now.y) / factor,
      width: now.width / factor,
      height: now.height / factor,
    };
    apply();
  }

  function pan(dx, dy) {
    const unit = 1 / svg().getScreenCTM().a;
    touched = true;
    now = { ...now, x: now.x - dx * unit, y: now.y - dy * unit };
    apply();
  }

  function fit() {
    touched = true;
    now = whole();
    apply();
  }

  view.addEventListener(
    "wheel",
    (event) => {
      // The wheel scrolls the page; with Ctrl or ⌘ (and a pinch on a trackpad, which says Ctrl) it zooms.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.004)), event.clientX, event.clientY);
    },
    { passive: false },
  );

  const pointers = new Map();
  let moved = 0;
  view.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.target.closest("svg.graph")) return;
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  view.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const after = { x: event.clientX, y: event.clientY };
    if (pointers.size === 1) {
      moved += Math.hypot(after.x - before.x, after.y - before.y);
      if (moved > 3) {
        if (!view.hasPointerCapture(event.pointerId)) view.setPointerCapture(event.pointerId);
        view.dataset.panning = "";
        pan(after.x - before.x, after.y - before.y);
      }
    } else {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const spread = (p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
      moved = 99;
      pan((after.x - before.x) / 2, (after.y - before.y) / 2);
      zoom(spread(after) / spread(before), (after.x + other.x) / 2, (after.y + other.y) / 2);
    }
    pointers.set(event.pointerId, after);
  });
  const end = (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) delete view.dataset.panning;
  };
  view.addEventListener("pointerup", end);
  view.addEventListener("pointercancel", end);
  view.addEventListener("dragstart", (event) => event.preventDefault());
  // A drag that ends on a node is not a click on it.
  view.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest("[data-graph-zoom]");
      if (button) ({ in: () => zoom(STEP), out: () => zoom(1 / STEP), fit })[button.dataset.graphZoom]?.();
      else if (moved > 3) {
        event.preventDefault();
        event.stopPropagation();
      }
      moved = 0;
    },
    { capture: true },
  );

  view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button, input, textarea")) return;
    const keys = {
      "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), "0": fit,
      ArrowLeft: () => pan(40, 0), ArrowRight: () => pan(-40, 0), ArrowUp: () => pan(0, 40), ArrowDown: () => pan(0, -40),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  // A live refresh brings the drawing anew; the person's view of it stays.
  new MutationObserver(() => {
    if (!svg()) return;
    if (svg().getAttribute("viewBox") !== `${now.x} ${now.y} ${now.width} ${now.height}`) {
      content = box(svg());
      if (!touched) now = begin();
      apply();
    }
    if (!view.style.getPropertyValue("--graph-height")) room();
  }).observe(view, { childList: true, subtree: true, attributes: true, attributeFilter: ["viewBox", "style"] });

  // Another width (a turned phone, a panel beside it): the same middle, the same scale.
  let width = view.clientWidth;
  new ResizeObserver(() => {
    if (!view.clientWidth || Math.abs(view.clientWidth - width) < 2) return;
    const scale = width / now.width;
    width = view.clientWidth;
    now = look(scale, { x: now.x + now.width / 2, y: now.y + now.height / 2 });
    apply();
  }).observe(view);
}
