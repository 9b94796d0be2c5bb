"""The portal's addresses, and the gallery, which otherwise exists in debug only."""

from django.urls import path

from portal.core.ui import views
from portal.urls import urlpatterns as portal_urls

urlpatterns = [*portal_urls, path("gallery/", views.components)]
