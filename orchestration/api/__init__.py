"""The API of workflows and runs, mounted under /api/v1/, and `plain`, mounted under /api/ as its callers know it."""

from ninja import Router

from orchestration.api import effects, events, execute, listing, retention, runs, steering, triggers, workflows

router = Router()
router.add_router("/workflows", workflows.router)
router.add_router("/runs", runs.router)
router.add_router("/runs", effects.router)
router.add_router("/runs", steering.router)
router.add_router("/runs", retention.of_runs)
router.add_router("/workflows", retention.of_workflows)
router.add_router("/retention", retention.router)
router.add_router("/events", events.router)
router.add_router("/triggers", triggers.router)

plain = Router()
plain.add_router("/workflows", listing.router)
plain.add_router("/workflows", execute.router)
