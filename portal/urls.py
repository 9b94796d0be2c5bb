"""Every address of the portal. Pages of an organisation live under /o/<org>/; each app brings its own list."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from portal import views
from portal.api import api
from portal.core.ui import views as ui

urlpatterns = [
    path("", views.start, name="home"),
    path("o/<slug:org>/", views.home, name="home"),
    path("o/<slug:org>/nav/", ui.nav_counts, name="nav_counts"),
    path("", include("portal.core.urls")),
    path("", include("agents.urls")),
    path("", include("orchestration.urls")),
    path("", include("approvals.urls")),
    path("api/", api.urls),
    path("admin/", admin.site.urls),
    path("health/live", views.live, name="health_live"),
    path("health/ready", views.ready, name="health_ready"),
]

if settings.DEBUG:
    urlpatterns.append(path("gallery/", ui.components, name="gallery"))

handler400 = "portal.core.views.refusals.bad_request"
handler403 = "portal.core.views.refusals.forbidden"
handler404 = "portal.core.views.refusals.not_found"
handler500 = "portal.core.views.refusals.broken"
