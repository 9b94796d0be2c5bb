"""What the home page shows: what waits for the person, what is under way, what failed, what is done."""

from dataclasses import dataclass

from approvals import queries as approvals
from approvals.models import ApprovalRequest
from orchestration.models import Run, Workflow
from orchestration.monitoring import queries as monitoring
from orchestration.monitoring.queries import RunFilter
from orchestration.queries import workflows
from orchestration.queries.workflows import WorkflowFilter
from portal.core import access
from portal.core.models import Organisation, User
from portal.core.permissions import Permission

_ROWS = 6


@dataclass(frozen=True)
class HomePage:
    """Lists hold the first rows, numbers count all. What the person may not see is empty, and None in numbers."""

    under_way: int | None
    waiting: int | None
    failed: int | None
    completed: int | None
    to_decide: list[ApprovalRequest]
    running: list[Run]
    failures: list[Run]
    recent: list[Run]
    startable: list[Workflow]


def home_page(user: User, organisation: Organisation) -> HomePage:
    """Seven queries, whatever there is. Failures and completions of the last 30 days."""
    sees_runs = access.can(user, organisation, Permission.RUNS_VIEW)
    sees_inbox = access.can(user, organisation, Permission.APPROVALS_VIEW)
    starts = access.can(user, organisation, Permission.RUNS_START)
    counts = monitoring.counts(organisation) if sees_runs else {}
    waiting = approvals.waiting_for(user, organisation) if sees_inbox else ApprovalRequest.objects.none()
    return HomePage(
        under_way=counts.get("unfinished", 0) if sees_runs else None,
        waiting=approvals.count_waiting_for(user, organisation) if sees_inbox else None,
        failed=counts.get("failed", 0) if sees_runs else None,
        completed=counts.get("completed", 0) if sees_runs else None,
        to_decide=list(waiting.select_related("run", "run__started_by")[:_ROWS]),
        running=_runs(organisation, "unfinished") if sees_runs else [],
        failures=_runs(organisation, "failed") if sees_runs else [],
        recent=_runs(organisation, "completed") if sees_runs else [],
        startable=list(workflows.workflows(organisation, WorkflowFilter(state="published"))[:_ROWS]) if starts else [],
    )


def _runs(organisation: Organisation, status: str) -> list[Run]:
    chosen = RunFilter(status=status, period="" if status == "unfinished" else "month")
    return monitoring.newest_runs(organisation, chosen, _ROWS)
