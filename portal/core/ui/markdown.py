"""Markdown of models and people as safe HTML.

Written text may be hostile (prompt injection, OWASP LLM05): raw HTML is off in the parser, and the result passes nh3
with a list of our own that has no images (an image address is a way to carry data out), no ids, no classes but ours,
and only http(s) links that open without a handle on this page.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token

TAGS = {
    "p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "del", "code", "pre", "blockquote",
    "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"align"}, "th": {"align"}}
LIMIT = 400_000  # characters; a page is no place for more, the file is there to download


def _image(_renderer: RendererProtocol, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    """An image becomes words: its address must not be asked for."""
    return escapeHtml(f"[image: {tokens[index].content or 'without a name'}]")


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).enable(
        ["table", "strikethrough"]
    )
    parser.add_render_rule("image", _image)
    return parser


def to_html(text: str | None) -> SafeString:
    """Return `text` as HTML of the tags above. Text beyond LIMIT is cut and the cut is said."""
    source = text or ""
    if len(source) > LIMIT:
        source = source[:LIMIT] + "\n\n*… cut here; download the text to read the rest.*"
    # The page has its own h1, so headings go one down; alignment comes as style attributes, which the CSP forbids.
    tokens = _parser().parse(source)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        style = token.attrs.pop("style", None)
        if isinstance(style, str) and style.startswith("text-align:"):
            token.attrs["align"] = style.removeprefix("text-align:")
    html = _parser().renderer.render(tokens, _parser().options, {})
    clean = nh3.clean(
        html, tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https"}, link_rel="noopener noreferrer nofollow"
    )
    # A wide table scrolls in a box of its own; static/js/scroll.js lets the keyboard reach it.
    boxed = clean.replace("<table>", '<div class="prose-table"><table>').replace("</table>", "</table></div>")
    return mark_safe(boxed)  # noqa: S308  # cleaned above
