"""Addresses of the core's sockets."""

from django.urls import path

from portal.core.sockets import TopicsConsumer

websocket_urlpatterns = [path("ws/o/<slug:org>/", TopicsConsumer.as_asgi())]
