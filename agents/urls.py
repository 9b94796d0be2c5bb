"""Pages of agents. Trying one lives in `orchestration`, because a trial is a run."""

from django.urls import path

from agents.views import catalogue, detail, manage

app_name = "agents"

urlpatterns = [
    path("o/<slug:org>/agents/", catalogue.agent_list, name="list"),
    path("o/<slug:org>/agents/import/", manage.import_agent, name="import"),
    path("o/<slug:org>/agents/<slug:slug>/", detail.overview, name="detail"),
    path("o/<slug:org>/agents/<slug:slug>/versions/", detail.versions, name="versions"),
    path("o/<slug:org>/agents/<slug:slug>/usage/", detail.usage, name="usage"),
    path("o/<slug:org>/agents/<slug:slug>/export/", detail.export, name="export"),
    path("o/<slug:org>/agents/<slug:slug>/status/", manage.set_status, name="status"),
    path("o/<slug:org>/agents/<slug:slug>/versions/<int:number>/restore/", manage.restore, name="restore"),
]
