"""Tables of workflows and runs."""

from orchestration.models.bus import BusEvent, EventDelivery, EventSubscription
from orchestration.models.effects import Effect
from orchestration.models.limits import OrganisationLimits
from orchestration.models.places import Place
from orchestration.models.retention import LegalHold, MeasuredCall, RetentionRule, RunArchive
from orchestration.models.runs import EngineHost, NodeRun, Run, RunEvent, RunSignal, RunSnapshot
from orchestration.models.triggers import Trigger, TriggerFire, WebhookSeen
from orchestration.models.values import StoredValue, ValueChunk, ValueUse
from orchestration.models.workflows import Definition, Workflow, WorkflowVersion

__all__ = [
    "BusEvent",
    "Definition",
    "Effect",
    "EngineHost",
    "EventDelivery",
    "EventSubscription",
    "LegalHold",
    "MeasuredCall",
    "NodeRun",
    "OrganisationLimits",
    "Place",
    "RetentionRule",
    "Run",
    "RunArchive",
    "RunEvent",
    "RunSignal",
    "RunSnapshot",
    "StoredValue",
    "Trigger",
    "TriggerFire",
    "ValueChunk",
    "ValueUse",
    "WebhookSeen",
    "Workflow",
    "WorkflowVersion",
]
