"""The HTTP API: one NinjaAPI that mounts each app's router under /api/v1/."""

from importlib import import_module
from importlib.util import find_spec

from ninja import NinjaAPI

from portal.core.api_auth import TokenAuth

api = NinjaAPI(title="Ensemble", version="1", auth=TokenAuth(), urls_namespace="api")

for app in ("agents", "orchestration", "approvals"):
    if find_spec(f"{app}.api"):
        api.add_router("/v1/", import_module(f"{app}.api").router)
