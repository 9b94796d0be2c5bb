/* Tokens of a model as they come: appended to the <pre data-stream-node data-stream-path data-stream-at> of the opened step.
   A piece that does not fit where the text ends (a lost message) is left; the next refresh brings the whole. */

export default function attach(container) {
  document.body.addEventListener("live:tokens", (event) => {
    const { node, path, offset, text } = event.detail;
    for (const place of container.querySelectorAll("[data-stream-node]")) {
      if (place.dataset.streamNode !== node || place.dataset.streamPath !== (path ?? "")) continue;
      const at = Number(place.dataset.streamAt);
      if (offset > at || offset + text.length <= at) continue;
      const atEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
      place.append(text.slice(at - offset));
      place.dataset.streamAt = String(offset + text.length);
      if (atEnd) place.scrollTop = place.scrollHeight;
    }
  });
}
