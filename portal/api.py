"""The HTTP API: one NinjaAPI that mounts each app's router. Contract: docs/reference/api.md; errors: core.problems."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger

from agents import api as agents
from approvals import api as approvals
from orchestration import api as orchestration
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

api.add_router("/v1/", agents.router)
api.add_router("/v1/", orchestration.router)
api.add_router("/v1/", approvals.router)
api.add_router("/", orchestration.plain)  # addresses that callers knew before there were versions
