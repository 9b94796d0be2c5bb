"""Addresses of the sockets of runs."""

from django.urls import path

from orchestration.consumers import RunConsumer

websocket_urlpatterns = [path("ws/o/<slug:org>/runs/<uuid:run_id>/", RunConsumer.as_asgi())]
