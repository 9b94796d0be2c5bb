"""Icons as inline SVG, of the Tabler set: the files named in static/package.json, in static/vendor/icons.

They are inlined rather than referenced: no request, no flash, `currentColor` works, and htmx fragments carry their own.
"""

import logging
import re
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

logger = logging.getLogger(__name__)

SPACER = re.compile(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>')
BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
NAME = re.compile(r"[a-z0-9-]+")
UNKNOWN = '<path d="M5 5h14v14H5z"/>'


@cache
def shapes(name: str) -> str:
    """Return the inside of the icon's <svg> on a 24 x 24 grid. An unknown name is logged and gives an empty square."""
    path = finders.find(f"vendor/icons/{name}.svg") if NAME.fullmatch(name) else None
    body = BODY.search(Path(path).read_text()) if path else None
    if body is None:
        logger.warning("icon %r is not in static/vendor/icons; add it to static/package.json", name)
        return UNKNOWN
    return " ".join(SPACER.sub("", body[1]).split()).replace("> <", "><")


def icon(name: str, *, label: str = "", classes: str = "") -> SafeString:
    """One icon: decoration hidden from screen readers, or with `label` an image of that name."""
    css = " ".join(filter(None, ("icon", "icon-filled" if name.endswith("-filled") else "", classes)))
    body = mark_safe(shapes(name))  # noqa: S308  # files of our own package, never input
    if label:
        return format_html('<svg class="{}" viewBox="0 0 24 24" role="img" aria-label="{}">{}</svg>', css, label, body)
    return format_html('<svg class="{}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', css, body)
