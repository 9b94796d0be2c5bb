"""The ASGI application: pages and API by Django, sockets by Channels."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  needs the app registry
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from portal.core.handler import Handler  # noqa: E402
from portal.core.sockets import SessionAuthMiddleware  # noqa: E402
from portal.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": Handler(),
        # The origin check is outermost: without it a foreign page could open a socket with the user's cookie.
        "websocket": AllowedHostsOriginValidator(SessionAuthMiddleware(URLRouter(websocket_urlpatterns))),
    }
)
