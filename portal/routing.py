"""Addresses of the sockets; each app brings its own."""

from orchestration import routing as orchestration
from portal.core import routing as core

websocket_urlpatterns = [*core.websocket_urlpatterns, *orchestration.websocket_urlpatterns]
