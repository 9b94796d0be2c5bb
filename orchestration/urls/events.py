"""Pages of the event bus."""

from django.urls import path

from orchestration.views import events

app_name = "events"

urlpatterns = [
    path("", events.event_list, name="list"),
    path("publish/", events.publish, name="publish"),
    path("<uuid:event_id>/", events.detail, name="detail"),
]
