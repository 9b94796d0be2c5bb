"""The page that says how long runs are kept."""

from django.urls import path

from orchestration.views import retention

app_name = "retention"

urlpatterns = [
    path("", retention.policy, name="policy"),
    path("preview/", retention.preview, name="preview"),
]
