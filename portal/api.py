"""The HTTP API: one NinjaAPI that mounts each app's router. Contract: docs/reference/api.md; errors: core.problems."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger

from portal.core import access, problems
from portal.core.api_auth import TokenAuth


class Documentation(Swagger):
    """Swagger UI from our own static files, as the content security policy wants it, in the portal's frame."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        swagger = {**self.settings, "url": self.get_openapi_url(api, kwargs)}
        return render(request, "core/api_docs.html", {"swagger": swagger})


api = NinjaAPI(
    title="Ensemble",
    version="1",
    description="Workflows, runs, approvals and agents. Create a token on your account page and authorise with it.",
    auth=TokenAuth(),
    urls_namespace="api",
    docs=Documentation(settings={"persistAuthorization": False, "tryItOutEnabled": True}),
    docs_decorator=access.signed_in,
)
problems.install(api)

for app in ("agents", "orchestration", "approvals"):
    if find_spec(f"{app}.api"):
        api.add_router("/v1/", import_module(f"{app}.api").router)
        if plain := getattr(import_module(f"{app}.api"), "plain", None):
            api.add_router("/", plain)  # addresses that callers knew before there were versions
