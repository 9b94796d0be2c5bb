"""Pages of workflows."""

from django.urls import path

from orchestration.views import starting, workflows

app_name = "workflows"

urlpatterns = [
    path("", workflows.workflow_list, name="list"),
    path("<slug:slug>/", workflows.detail, name="detail"),
    path("<slug:slug>/start/", starting.start, name="start"),
]
