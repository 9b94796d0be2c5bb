"""Pages of workflows."""

from django.urls import path

from orchestration.views import editing, starting, workflows

app_name = "workflows"

urlpatterns = [
    path("", workflows.workflow_list, name="list"),
    path("new/", editing.new, name="new"),
    path("check/", editing.check, name="check"),
    path("<slug:slug>/", workflows.detail, name="detail"),
    path("<slug:slug>/start/", starting.start, name="start"),
    path("<slug:slug>/edit/", editing.edit, name="edit"),
    path("<slug:slug>/publish/", editing.publish, name="publish"),
    path("<slug:slug>/export/", editing.export, name="export"),
    path("<slug:slug>/archive/", editing.archive, name="archive"),
    path("<slug:slug>/restore/", editing.restore, name="restore"),
    path("<slug:slug>/versions/<int:number>/restore/", editing.restore_version, name="restore_version"),
]
