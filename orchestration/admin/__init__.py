"""Workflows, runs, triggers and the engine in the admin site."""

from orchestration.admin.engine import EngineHostAdmin, OrganisationLimitsAdmin
from orchestration.admin.runs import RunAdmin
from orchestration.admin.triggers import BusEventAdmin, TriggerAdmin
from orchestration.admin.workflows import WorkflowAdmin, WorkflowVersionAdmin

__all__ = [
    "BusEventAdmin",
    "EngineHostAdmin",
    "OrganisationLimitsAdmin",
    "RunAdmin",
    "TriggerAdmin",
    "WorkflowAdmin",
    "WorkflowVersionAdmin",
]
