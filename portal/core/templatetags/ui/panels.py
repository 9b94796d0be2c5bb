"""What holds other things: cards, dialogs, menus, notices, figures with a name, and the empty list."""

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def empty_state(
    title: str, text: str = "", icon: str = "inbox", action: str = "", url: str = "", small: bool = False
) -> SafeString:
    """What a list shows when it has nothing: why, and the way on (`action` is the words of a link to `url`)."""
    context = {"title": title, "text": text, "icon": icon, "action": action, "url": url, "small": small}
    return render_to_string("components/empty_state.html", context)


@register.simple_tag
def stat(label: str, value: object, note: str = "", icon: str = "", url: str = "", tone: str = "") -> SafeString:
    """A figure with its name; a link when `url` is given."""
    context = {"label": label, "value": value, "note": note, "icon": icon, "url": url, "tone": tone}
    return render_to_string("components/stat.html", context)


@register.simple_block_tag
def card(
    content: str,
    title: str = "",
    *,
    icon: str = "",
    note: str = "",
    id: str = "",
    flush: bool = False,
    level: int = 2,
    link: str = "",
    url: str = "",
) -> SafeString:
    """A panel. `flush` lets a table or list reach its edges; `link` and `url` put a link at the right of the title."""
    context = {
        "content": content,
        "title": title,
        "icon": icon,
        "note": note,
        "id": id,
        "flush": flush,
        "heading": f"h{level}",
        "link": link,
        "url": url,
    }
    return render_to_string("components/card.html", context)


@register.simple_block_tag
def dialog(content: str, id: str, title: str, *, size: str = "", note: str = "") -> SafeString:
    """A modal window, closed at first; any element with data-dialog-open="id" opens it. Sizes: "", lg, drawer."""
    return render_to_string(
        "components/dialog.html", {"content": content, "id": id, "title": title, "size": size, "note": note}
    )


@register.simple_block_tag
def menu(
    content: str, label: str, *, icon: str = "", icon_only: bool = False, variant: str = "", align: str = "start"
) -> SafeString:
    """A button that opens a list of links and buttons (class menu-item). Works without scripts."""
    context = {
        "content": content,
        "label": label,
        "icon": icon,
        "icon_only": icon_only,
        "variant": variant,
        "align": align,
    }
    return render_to_string("components/menu.html", context)


@register.simple_block_tag
def callout(content: str, tone: str = "info", *, title: str = "", icon: str = "") -> SafeString:
    """A notice in the page. Tones: info, success, warning, danger, neutral."""
    marks = {"info": "info-circle", "success": "circle-check", "warning": "alert-triangle", "danger": "alert-circle"}
    context = {"content": content, "tone": tone, "title": title, "icon": icon or marks.get(tone, "info-circle")}
    return render_to_string("components/callout.html", context)
