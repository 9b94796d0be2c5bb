"""Pages of the approvals desk."""

from django.urls import include, path

from approvals.views import inbox

inbox_urls = [
    path("", inbox.inbox_list, name="list"),
    path("<uuid:request_id>/", inbox.detail, name="detail"),
    path("<uuid:request_id>/decide/", inbox.decide, name="decide"),
    path("of/<uuid:run_id>/<slug:node>/", inbox.of_node, name="of_node"),
]

urlpatterns = [path("o/<slug:org>/inbox/", include((inbox_urls, "inbox")))]
