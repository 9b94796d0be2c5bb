"""The socket of one run: hints and streamed text."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestration import live
from orchestration.models import Run
from portal.core.models import Organisation, User
from portal.core.permissions import Permission
from portal.core.sockets import OrganisationConsumer


class RunConsumer(OrganisationConsumer):
    """`/ws/o/<org>/runs/<uuid>/`. The base asks the gate; a run of another organisation is as if it were not there."""

    permission = Permission.RUNS_VIEW

    @property
    def run_id(self) -> UUID:
        found: UUID = self.scope["url_route"]["kwargs"]["run_id"]
        return found

    def allowed(self, user: User, organisation: Organisation) -> bool:
        return Run.objects.filter(organisation=organisation, pk=self.run_id).exists()

    def groups_of(self) -> list[str]:
        return [live.run_group(self.run_id)]

    async def tokens(self, message: dict[str, Any]) -> None:
        """Group message {"type": "tokens", ...}: passed on as it is."""
        await self.tell(message)
