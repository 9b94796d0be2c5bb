"""Trying an agent; below the agent's own address."""

from django.urls import path

from orchestration.views import trials

app_name = "trials"

urlpatterns = [
    path("", trials.agent, name="agent"),
    path("<uuid:run_id>/", trials.answer, name="answer"),
]
