"""Pages of runs."""

from django.urls import path

from orchestration.views import retention, runs, steering

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
    path("<uuid:run_id>/retry/plan/", runs.retry_plan, name="retry_plan"),
    path("<uuid:run_id>/hold/", retention.hold_run, name="hold"),
    path("<uuid:run_id>/rerun/", steering.rerun_from, name="rerun"),
    path("<uuid:run_id>/variables/", steering.variables, name="variables"),
    path("<uuid:run_id>/move/", steering.move, name="move"),
    path("<uuid:run_id>/steps/<str:node>/<str:act>/", steering.step, name="steer_step"),
]
