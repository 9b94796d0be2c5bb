"""Small marks: icons, states, badges, faces, keys and bars."""

import zlib

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from portal.core.ui import formats, icons, statuses

register = template.Library()


@register.simple_tag(name="icon")
def icon_tag(name: str, label: str = "", class_: str = "") -> SafeString:
    """{% icon "home" %} decoration · {% icon "alert-triangle" label="Warning" %} meaning · class_ adds CSS classes."""
    return icons.icon(name, label=label, classes=class_)


@register.simple_tag
def status_badge(status: str, label: str = "", icon_only: bool = False) -> SafeString:
    """The state of a run, node run, agent or approval: icon and word. `icon_only` keeps the word for screen readers."""
    look = statuses.look(status)
    word = label or look.label
    text = format_html('<span class="{}">{}</span>', "visually-hidden" if icon_only else "status-word", word)
    return format_html(
        '<span class="status tone-{}" data-status="{}"{}>{}{}</span>',
        look.tone, status, format_html(' title="{}"', word) if icon_only else "", icons.icon(look.icon), text,
    )  # fmt: skip


@register.filter
def status_label(status: str) -> str:
    """{{ "failed"|status_label }} → Failed."""
    return str(statuses.look(status).label)


@register.simple_tag
def badge(text: object, tone: str = "neutral", icon: str = "", title: str = "") -> SafeString:
    """A small label. Tones: neutral, accent, info, success, warning, danger."""
    mark = icons.icon(icon) if icon else ""
    tip = format_html(' title="{}"', title) if title else ""
    return format_html('<span class="badge tone-{}"{}>{}{}</span>', tone, tip, mark, text)


@register.simple_tag
def avatar(person: object, size: str = "") -> SafeString:
    """Initials in a quiet square; `person` is a user, an agent or a name. Sizes: "", sm, lg."""
    full_name = getattr(person, "get_full_name", None)
    name = (full_name() if callable(full_name) else "") or getattr(person, "name", "") or str(person)
    hue = zlib.crc32(name.encode()) % 6 + 1
    css = f"avatar avatar-{hue}" + (f" avatar-{size}" if size else "")
    return format_html('<span class="{}" aria-hidden="true">{}</span>', css, formats.initials(name))


@register.simple_tag
def progress(value: float | None, maximum: float = 100, label: str = "", tone: str = "accent") -> SafeString:
    """A bar. `value` None means: under way, of unknown length. Write the number beside it if it matters."""
    amount = "" if value is None else format_html(' value="{}"', f"{float(value):g}")
    return format_html(
        '<progress class="progress tone-{}" max="{}"{} aria-label="{}"></progress>',
        tone,
        f"{float(maximum):g}",
        amount,
        label or "Progress",
    )


@register.simple_tag
def kbd(keys: str) -> SafeString:
    """{% kbd "g r" %} → two key caps."""
    return mark_safe("".join(format_html("<kbd>{}</kbd>", key) for key in keys.split()))  # noqa: S308  # each key is escaped
