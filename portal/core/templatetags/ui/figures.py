"""Times, durations, money and amounts, as people read them."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.core.ui import formats

register = template.Library()


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
