"""The look of the admin site (django-unfold): the portal's colours and type. Its pages are in `portal.admin_pages`.

Read by the settings, so nothing here may import models or the admin.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _static(path: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(path)


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Ensemble",
    "SITE_HEADER": "Ensemble",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_URL": "/",
    "SITE_ICON": _static("img/mark.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _static("img/mark.svg")}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": True,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "STYLES": [_static("css/admin.css")],
    "SCRIPTS": [_static("js/admin.js")],
    "DASHBOARD_CALLBACK": "portal.admin_pages.dashboard",
    "ACCOUNT": {
        "navigation": [
            {"title": _("Sessions"), "link": reverse_lazy("account:security")},
            {"title": _("API tokens"), "link": reverse_lazy("account:tokens")},
        ]
    },
    # The same greys and the same blue as static/css/tokens.css.
    "COLORS": {
        "base": {
            "50": "#f7f7f9",
            "100": "#f0f0f3",
            "200": "#e6e6eb",
            "300": "#d3d4db",
            "400": "#949bab",
            "500": "#626876",
            "600": "#464b58",
            "700": "#3a3e49",
            "800": "#2a2d35",
            "900": "#121317",
            "950": "#0d0e11",
        },
        "primary": {
            "50": "#eeeffd",
            "100": "#e0e2fb",
            "200": "#cdd0f7",
            "300": "#b7bcfb",
            "400": "#a3abff",
            "500": "#8089f5",
            "600": "#4650d2",
            "700": "#3841b4",
            "800": "#2d348f",
            "900": "#232a6e",
            "950": "#171a45",
        },
        "font": {
            "subtle-light": "var(--color-base-500)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-600)",
            "default-dark": "#b7bcc8",
            "important-light": "#17181c",
            "important-dark": "#edeef2",
        },
    },
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": "portal.admin_pages.navigation"},
    "COMMAND": {"search_models": True, "show_history": True},
}
