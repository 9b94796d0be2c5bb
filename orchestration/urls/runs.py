"""Pages of runs."""

from django.urls import path

from orchestration.views import runs

app_name = "runs"

urlpatterns = [
    path("", runs.run_list, name="list"),
    path("<uuid:run_id>/", runs.detail, name="detail"),
    path("<uuid:run_id>/events/", runs.events, name="events"),
    path("<uuid:run_id>/outputs/<str:name>", runs.download, name="download"),
    path("<uuid:run_id>/values/<str:digest>", runs.value, name="value"),
    path("<uuid:run_id>/cancel/", runs.cancel, name="cancel"),
    path("<uuid:run_id>/pause/", runs.pause, name="pause"),
    path("<uuid:run_id>/resume/", runs.resume, name="resume"),
    path("<uuid:run_id>/retry/", runs.retry, name="retry"),
]
