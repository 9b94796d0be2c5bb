"""Pages of workflows."""

from django.urls import include, path

from orchestration.views import editing, retention, starting, triggers, workflows

app_name = "workflows"

trigger_urls = [
    path("", triggers.trigger_list, name="triggers"),
    path("new/<slug:kind>/", triggers.new, name="new_trigger"),
    path("<uuid:trigger_id>/", triggers.detail, name="trigger"),
    path("<uuid:trigger_id>/edit/", triggers.edit, name="edit_trigger"),
    path("<uuid:trigger_id>/switch/", triggers.switch, name="switch_trigger"),
    path("<uuid:trigger_id>/secret/", triggers.rotate, name="rotate_trigger"),
    path("<uuid:trigger_id>/delete/", triggers.delete, name="delete_trigger"),
    path("<uuid:trigger_id>/test/", triggers.test, name="test_trigger"),
]

urlpatterns = [
    path("", workflows.workflow_list, name="list"),
    path("new/", editing.new, name="new"),
    path("check/", editing.check, name="check"),
    path("<slug:slug>/", workflows.detail, name="detail"),
    path("<slug:slug>/triggers/", include(trigger_urls)),
    path("<slug:slug>/start/", starting.start, name="start"),
    path("<slug:slug>/edit/", editing.edit, name="edit"),
    path("<slug:slug>/publish/", editing.publish, name="publish"),
    path("<slug:slug>/export/", editing.export, name="export"),
    path("<slug:slug>/hold/", retention.hold_workflow, name="hold"),
    path("<slug:slug>/archive/", editing.archive, name="archive"),
    path("<slug:slug>/restore/", editing.restore, name="restore"),
    path("<slug:slug>/versions/<int:number>/restore/", editing.restore_version, name="restore_version"),
]
