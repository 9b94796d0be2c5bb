"""Pages of workflows and runs, one list a resource; all live within an organisation."""

from django.urls import include, path

from orchestration.views import hooks

urlpatterns = [
    path("hooks/<slug:org>/<str:path>", hooks.receive, name="hook"),
    path("o/<slug:org>/workflows/", include("orchestration.urls.workflows")),
    path("o/<slug:org>/runs/", include("orchestration.urls.runs")),
    path("o/<slug:org>/retention/", include("orchestration.urls.retention")),
    path("o/<slug:org>/events/", include("orchestration.urls.events")),
    path("o/<slug:org>/agents/<slug:slug>/try/", include("orchestration.urls.trials")),
]
