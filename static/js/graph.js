/* Pan and zoom of a drawn workflow, by changing the viewBox: wheel, drag, pinch, buttons, keys (+ − 0 and arrows).
   Attach with data-module="graph" on a .graph-view that holds svg.graph; buttons inside carry data-graph-zoom="in|out|fit". */

const SMALLEST = 0.15;
const LARGEST = 6;
const STEP = 1.25;
const views = new Map();

export default function attach(view) {
  const svg = () => view.querySelector("svg.graph");
  const first = svg();
  if (!first?.viewBox.baseVal?.width) return;
  const whole = box(first);
  let now = views.get(view.id) ?? { ...whole };
  apply();

  function box(element) {
    const { x, y, width, height } = element.viewBox.baseVal;
    return { x, y, width, height };
  }

  function apply() {
    svg()?.setAttribute("viewBox", `${now.x} ${now.y} ${now.width} ${now.height}`);
    if (view.id) views.set(view.id, now);
  }

  /** Screen point → drawing point. */
  function point(x, y) {
    const at = new DOMPoint(x, y).matrixTransform(svg().getScreenCTM().inverse());
    return { x: at.x, y: at.y };
  }

  function zoom(factor, x, y) {
    const scale = whole.width / (now.width / factor);
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
    now = { ...now, x: now.x - dx * unit, y: now.y - dy * unit };
    apply();
  }

  function fit() {
    now = { ...whole };
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
  new MutationObserver(() => svg() && svg().getAttribute("viewBox") !== `${now.x} ${now.y} ${now.width} ${now.height}` && apply())
    .observe(view, { childList: true, subtree: true, attributes: true, attributeFilter: ["viewBox"] });
}
