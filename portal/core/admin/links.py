"""Links in the admin's lists and forms, in Unfold's look."""

from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def link(url: str, text: object) -> SafeString:
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', url, text)


def row_of(rows: Any) -> SafeString:
    return format_html_join(" · ", "{}", ((row,) for row in rows))
