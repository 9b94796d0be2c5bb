"""Template tags of every page, a builtin library. What they draw is in templates/components; its README shows each."""

import json
import zlib
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Textarea
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal.core.ui import formats, icons, import_map, json_tree, markdown, statuses

register = template.Library()

THEMES = ("light", "dark", "system")


def _attributes(values: Mapping[str, Any]) -> SafeString:
    """Keywords as HTML attributes: data_copy → data-copy, class_ → class; True stands alone, None and False vanish."""
    parts = []
    for key, value in values.items():
        name = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(f" {name}")
        elif value not in (None, False):
            parts.append(f' {name}="{escape(value)}"')
    return mark_safe("".join(parts))  # noqa: S308  # names are written in templates, values are escaped above


# -- small things ---------------------------------------------------------------------------------------------------


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
def button(
    label: str,
    *,
    icon: str = "",
    variant: str = "",
    size: str = "",
    href: str = "",
    type: str = "button",
    icon_only: bool = False,
    class_: str = "",
    **attributes: Any,
) -> SafeString:
    """A button, or a link that looks like one when `href` is given.

    variant: "" (quiet), primary, danger, ghost · size: "", sm, lg · other keywords become attributes:
    {% button "Cancel" icon="x" data_confirm="Cancel this run?" hx_post=url %}
    """
    css = " ".join(
        filter(
            None,
            ("btn", variant and f"btn-{variant}", size and f"btn-{size}", "btn-icon" if icon_only else "", class_),
        )
    )
    mark = icons.icon(icon) if icon else ""
    text = (
        format_html('<span class="visually-hidden">{}</span>', label)
        if icon_only
        else format_html("<span>{}</span>", label)
    )
    if icon_only:
        attributes.setdefault("title", label)
    extra = _attributes(attributes)
    if href:
        return format_html('<a class="{}" href="{}"{}>{}{}</a>', css, href, extra, mark, text)
    return format_html('<button class="{}" type="{}"{}>{}{}</button>', css, type, extra, mark, text)


@register.simple_tag
def copy_button(text: object, label: str = "Copy") -> SafeString:
    """A button that puts `text` on the clipboard and says so."""
    return format_html(
        '<button class="btn btn-ghost btn-icon btn-sm copy" type="button" data-copy="{}" title="{}">{}{}'
        '<span class="visually-hidden">{}</span></button>',
        text, label, icons.icon("copy", classes="copy-idle"), icons.icon("check", classes="copy-done"), label,
    )  # fmt: skip


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


# -- formats --------------------------------------------------------------------------------------------------------


@register.filter
def ago(value: datetime | None) -> SafeString:
    """A <time> that says how long ago; the exact time is its title, and the browser keeps it ticking."""
    if value is None:
        return format_html('<span class="muted">{}</span>', formats.NOTHING)
    local = timezone.localtime(value)
    exact = f"{date_format(local, 'j F Y, H:i:s')} {local.tzname()}"
    words = formats.ago(local, timezone.localtime())
    iso = value.isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{}" data-ago>{}</time>', iso, exact, words)


@register.filter
def moment(value: datetime | date | None, exact: str = "") -> SafeString:
    """A <time> with date and time of day, in the portal's time zone. {{ at|moment:"exact" }} has milliseconds."""
    if value is None:
        return format_html('<span class="muted">{}</span>', formats.NOTHING)
    at = value if isinstance(value, datetime) else timezone.make_aware(datetime.combine(value, time()))
    local = timezone.localtime(at)
    text = date_format(local, "j M Y, H:i" if isinstance(value, datetime) else "j M Y")
    if exact:
        text = f"{date_format(local, 'j M, H:i:s')}.{local.microsecond // 1000:03}"
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), text)


@register.filter
def duration(value: timedelta | float | Decimal | None) -> str:
    """{{ 200|duration }} → 3 min 20 s."""
    return formats.duration(value)


@register.filter
def money(value: Decimal | float | None) -> str:
    """{{ 0.0034|money }} → $0.0034."""
    return formats.money(value)


@register.filter
def compact(value: float | None) -> str:
    """{{ 38211|compact }} → 38k."""
    return formats.compact(value)


# -- text of others -------------------------------------------------------------------------------------------------


@register.filter
def model_markdown(text: str | None) -> SafeString:
    """Markdown of a model or a person as safe HTML. htmx is off inside."""
    return format_html('<div class="model-output prose" hx-disable data-hx-disable>{}</div>', markdown.to_html(text))


@register.simple_tag
def json_view(value: Any, label: str = "", open_depth: int = json_tree.OPEN_DEPTH) -> SafeString:
    """A JSON value as a collapsible tree with types and a copy button. Everything in it is escaped."""
    context = {"root": json_tree.entry(value, open_depth=open_depth), "text": json_tree.pretty(value), "label": label}
    return render_to_string("components/json_view.html", context)


@register.simple_tag
def code(text: object, language: str = "", label: str = "", lines: bool = False) -> SafeString:
    """Text in fixed width with a copy button; `lines` numbers its lines, `language` is shown, "diff" colours them."""
    source = text if isinstance(text, str) else json_tree.pretty(text)
    rows = source.splitlines() or [""]
    context = {
        "text": source,
        "rows": rows,
        "language": language,
        "label": label,
        "lines": lines,
        "rich": lines or language == "diff",
    }
    return render_to_string("components/code.html", context)


@register.filter
def is_short(value: object) -> bool:
    """Whether a value reads well within a line: a number, a short text."""
    return isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 120 and "\n" not in value)


@register.filter
def is_diff(text: object) -> bool:
    """Whether a text is a unified diff, to be shown by {% code text language="diff" %}."""
    return isinstance(text, str) and (text.startswith("diff --git ") or "\n@@ -" in text[:20_000])


@register.filter
def diff_class(line: str) -> str:
    """The CSS class of one line of a unified diff."""
    if line.startswith(("+++", "---", "diff ", "index ")):
        return "diff-file"
    return {"+": "diff-added", "-": "diff-removed", "@": "diff-hunk"}.get(line[:1], "")


# -- forms ----------------------------------------------------------------------------------------------------------


@register.simple_tag
def field(bound: BoundField, **options: Any) -> SafeString:
    """A field of a Django form with label, help and errors tied to it. Other keywords become attributes of the input.

    label_hidden=True keeps the label for screen readers; file_drop=True lets a textarea take a dropped text file.
    """
    label_hidden = options.pop("label_hidden", False)
    file_drop = options.pop("file_drop", bound.field.widget.attrs.get("data-file-drop", False))
    widget = bound.field.widget
    kind = "input"
    if isinstance(widget, CheckboxInput):
        kind = "checkbox"
    elif isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        kind = "choices"
    attributes = {key.rstrip("_").replace("_", "-"): value for key, value in options.items()}
    help_id, error_id = f"{bound.auto_id}_help", f"{bound.auto_id}_error"
    described = " ".join(filter(None, (help_id if bound.help_text else "", error_id if bound.errors else "")))
    if described:
        attributes["aria-describedby"] = described
    if bound.errors:
        attributes["aria-invalid"] = "true"
    if isinstance(widget, Textarea):
        attributes.setdefault("data-autosize", True)
    context = {
        "field": bound,
        "kind": kind,
        "control": bound.as_widget(attrs=attributes),
        "help_id": help_id,
        "error_id": error_id,
        "label_hidden": label_hidden,
        "file_drop": file_drop,
        "optional": not bound.field.required and kind != "checkbox",
    }
    return render_to_string("components/field.html", context)


@register.simple_tag
def form_fields(form: BaseForm) -> SafeString:
    """All of a form: its hidden fields, a summary of errors that belong to no field, then each field."""
    return render_to_string("components/form_fields.html", {"form": form})


# -- navigation -----------------------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def page_url(context: template.Context, **changes: Any) -> str:
    """The present address with these query parameters changed; None or "" removes one. {% page_url page=2 %}"""
    query = context["request"].GET.copy()
    for key, value in changes.items():
        if value in (None, ""):
            query.pop(key, None)
        else:
            query[key] = value
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def sort_header(context: template.Context, key: str, label: str, parameter: str = "sort") -> SafeString:
    """The inside of a <th> one can sort by: a link that turns the direction and says the present one."""
    now = context["request"].GET.get(parameter, "")
    direction = "ascending" if now == key else "descending" if now == f"-{key}" else ""
    target = f"-{key}" if direction == "ascending" else key
    mark = {"ascending": "arrow-up", "descending": "arrow-down"}.get(direction, "selector")
    said = format_html('<span class="visually-hidden">, sorted {}</span>', direction) if direction else ""
    url = page_url(context, **{parameter: target, "page": None})
    return format_html(
        '<a class="sort{}" href="{}">{}{}{}</a>', " active" if direction else "", url, label, said, icons.icon(mark)
    )


@register.simple_tag(takes_context=True)
def nav_current(context: template.Context, *names: str) -> SafeString:
    """aria-current="page" when the present page is one of these url names or in one of these namespaces ("runs:")."""
    match = getattr(context.get("request"), "resolver_match", None)
    if match is None:
        return SafeString("")
    here = any(f"{match.namespace}:" == name or match.view_name == name for name in names)
    return SafeString(' aria-current="page"' if here else "")


@register.simple_tag
def crumb(label: object, url: str = "") -> SafeString:
    """One step of the breadcrumbs block; without `url` the present page."""
    if url:
        return format_html('<li><a href="{}">{}</a></li>', url, label)
    return format_html('<li aria-current="page">{}</li>', label)


@register.simple_tag
def tab(label: str, url: str, active: bool = False, count: int | None = None, icon: str = "") -> SafeString:
    """One tab: a link, so that it works without scripts and can be shared."""
    number = "" if count is None else format_html('<span class="count">{}</span>', count)
    mark = icons.icon(icon) if icon else ""
    now = SafeString(' aria-current="page"' if active else "")
    return format_html('<a class="tab" href="{}"{}>{}<span>{}</span>{}</a>', url, now, mark, label, number)


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """light, dark or system: the person's choice, kept in a cookie so that the first paint is right."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "system") if request else "system"
    return chosen if chosen in THEMES else "system"


@register.simple_tag(takes_context=True, name="import_map")
def import_map_tag(context: template.Context) -> SafeString:
    """The <script type="importmap"> of the page; before any module."""
    body = mark_safe(import_map.import_map())  # noqa: S308  # our own file names, "<" escaped
    nonce = getattr(context.get("request"), "csp_nonce", "")
    return format_html('<script type="importmap" nonce="{}">{}</script>', nonce, body)


@register.filter
def has(container: Any, item: Any) -> bool:
    """{% if permissions|has:"runs.start" %}; an absent container holds nothing."""
    return bool(container) and item in container


@register.filter
def has_any(container: Any, items: str) -> bool:
    """{% if permissions|has_any:"members.view members.manage" %}: one of them is enough."""
    return any(has(container, item) for item in items.split())


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """{{ mapping|get:key }}, None if it is not there."""
    return mapping.get(key) if isinstance(mapping, Mapping) else None


@register.filter
def as_json(value: Any) -> str:
    """The value as JSON text, to be escaped by the template; for textareas and data- attributes."""
    return json.dumps(value, ensure_ascii=False, default=str)


# -- components with a body -----------------------------------------------------------------------------------------


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


@register.simple_block_tag(takes_context=True)
def filters(context: template.Context, content: str, target: str, *, label: str = "Filter the list") -> SafeString:
    """A row of filters: a GET form that works by itself; htmx fills `target` (a CSS selector) as one types.

    The view answers a partial request with the inside of `target`.
    """
    request = context["request"]
    return render_to_string(
        "components/filters.html", {"content": content, "target": target, "label": label, "path": request.path}
    )
