"""The API of workflows and runs, mounted under /api/v1/."""

from ninja import Router

from orchestration.api import runs

router = Router()
router.add_router("/runs", runs.router)
