"""Node types that wait for a person: approval and human_input.

The request row appears in the commit that records that the node waits, and is withdrawn in the commit that records
that it does not wait any more: no path leads round an open approval, and none is left behind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from approvals.nodes.rows import Asked, open_request
from orchestration.definition.fields import Literal as LiteralText
from orchestration.definition.fields import NodeSettings
from orchestration.engine.events import AttemptFailed, NodeCancelled, NodeFailed, NodeSkipped, NodeWaiting
from orchestration.engine.ids import path_text
from orchestration.nodes.base import Context, Done, NodeFailure, NodeType, Result, RunFacts, Wait, register
from portal.core.in_threads import in_database

if TYPE_CHECKING:
    import psycopg

    from orchestration.engine.events import NodeEvent

JSON = Any


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Assignee(_Part):
    user: str = Field("", title="Person", description="User name. This person alone may decide.")
    role: str = Field("", title="Role", description="Slug of a role; any of its holders may decide.")


class Option(_Part):
    port: LiteralText = Field(
        title="Port", description="Name of the way out that this choice takes.", pattern=r"^[a-z][a-z0-9_]{0,62}$"
    )
    label: str = Field(title="Button")
    style: Literal["primary", "danger", "default"] = Field("default", title="Look of the button")
    comment_required: bool = Field(False, title="Needs a comment")


class ContextItem(_Part):
    label: str = Field(title="Heading")
    value: JSON = Field(None, title="Value", description="Usually a reference, such as {{ analyse.outputs.summary }}.")
    format: Literal["markdown", "text", "json"] = Field("markdown", title="Shown as")


_STOCK_OPTIONS = (
    Option(port="approve", label="Approve", style="primary"),
    Option(port="reject", label="Reject", style="danger", comment_required=True),
)


class ApprovalSettings(NodeSettings):
    title: str = Field("", title="Title", description="What the inbox shows; the node's name if empty.")
    message: str = Field("", title="Message", description="What the person is asked, in Markdown.")
    assignee: Assignee = Field(Assignee(), title="For", description="A person, a role, or everybody who may decide.")
    options: tuple[Option, ...] = Field(_STOCK_OPTIONS, title="Options", description="Each is a way out of the node.")
    recommended: str = Field("", title="Recommended", description="Port of the option the workflow recommends.")
    context: tuple[ContextItem, ...] = Field((), title="Context", description="What the person reads before deciding.")

    @field_validator("options")
    @classmethod
    def _distinct(cls, options: tuple[Option, ...]) -> tuple[Option, ...]:
        ports = [option.port for option in options]
        if not ports:
            raise ValueError("An approval needs at least one option.")
        if len(set(ports)) < len(ports):
            raise ValueError("Two options lead to the same port.")
        if "error" in ports:
            raise ValueError("The port error is taken: it is where failures go.")
        return options


class HumanInputSettings(NodeSettings):
    title: str = Field("", title="Title", description="What the inbox shows; the node's name if empty.")
    message: str = Field("", title="Message", description="What the person is asked, in Markdown.")
    assignee: Assignee = Field(Assignee(), title="For", description="A person, a role, or everybody who may decide.")
    fields: dict[str, JSON] = Field(title="Fields", description="JSON Schema of the object the person fills in.")
    context: tuple[ContextItem, ...] = Field((), title="Context", description="What the person reads before answering.")
    submit_label: str = Field("Submit", title="Button")


class AsksPerson(NodeType):
    """What both types share: open a request with the wait, withdraw it when the wait ends otherwise."""

    category = "people"
    asks_person = True
    effect = "asks a person"

    async def resume(self, ctx: Context, signal: JSON | None) -> Result:
        if signal is None:
            raise NodeFailure("Nobody answered in time.", code="timeout")
        return self.answer(signal)

    @abstractmethod
    def answer(self, signal: Mapping[str, JSON]) -> Done:
        """What a person's answer means for the run."""

    def in_commit(self, connection: psycopg.Connection[Any], run: RunFacts, events: Sequence[NodeEvent]) -> None:
        for event in events:
            if isinstance(event, NodeWaiting):
                _open(connection, run, event)
            elif isinstance(event, AttemptFailed | NodeCancelled | NodeFailed | NodeSkipped):
                _withdraw(connection, run, event)


@register
class Approval(AsksPerson):
    """Wait until a person decides. Outputs: {"option", "label", "comment", "decided_by", "decided_at"}."""

    kind, label, icon = "approval", "Approval", "user-check"
    description = "Waits until a person chooses one of the options; each option is a way out."
    Settings = ApprovalSettings

    def ports(self, settings: Mapping[str, JSON]) -> tuple[str, ...]:
        options = settings.get("options")
        if not isinstance(options, list | tuple):  # none chosen, or a draft that is wrong here
            return tuple(option.port for option in _STOCK_OPTIONS)
        return tuple(option["port"] for option in options if isinstance(option, Mapping) and "port" in option)

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        text = {"type": "string"}
        names = ("option", "label", "comment", "decided_by", "decided_at")
        return {"type": "object", "properties": dict.fromkeys(names, text), "additionalProperties": False}

    async def execute(self, ctx: Context) -> Result:
        settings: ApprovalSettings = ctx.settings
        ports = {option.port for option in settings.options}
        if settings.recommended and settings.recommended not in ports:
            raise NodeFailure(
                f"The recommended option {settings.recommended!r} is none of: {', '.join(sorted(ports))}.",
                code="invalid_settings",
            )
        await _check_assignee(ctx, settings.assignee)
        options = [option.model_dump() for option in settings.options]
        return _wait(ctx, settings, kind=self.kind, options=options, recommended=settings.recommended)

    def answer(self, signal: Mapping[str, JSON]) -> Done:
        names = ("option", "label", "comment", "decided_by", "decided_at")
        return Done(outputs={name: signal.get(name) for name in names}, port=signal["option"])


@register
class HumanInput(AsksPerson):
    """Wait until a person fills in a form. Outputs: {"values", "decided_by", "decided_at"}."""

    kind, label, icon = "human_input", "Human input", "forms"
    description = "Waits until a person has filled in a form; what they entered is the output."
    Settings = HumanInputSettings

    def output_schema(self, settings: Mapping[str, JSON]) -> dict[str, JSON]:
        text = {"type": "string"}
        fields = settings.get("fields") if isinstance(settings.get("fields"), Mapping) else {}
        return {"type": "object", "properties": {"values": fields, "decided_by": text, "decided_at": text}}

    async def execute(self, ctx: Context) -> Result:
        settings: HumanInputSettings = ctx.settings
        await _check_assignee(ctx, settings.assignee)
        submit = Option(port="out", label=settings.submit_label, style="primary").model_dump()
        return _wait(ctx, settings, kind=self.kind, options=[submit], fields=settings.fields)

    def answer(self, signal: Mapping[str, JSON]) -> Done:
        return Done(outputs={name: signal.get(name) for name in ("values", "decided_by", "decided_at")})


def _wait(
    ctx: Context,
    settings: ApprovalSettings | HumanInputSettings,
    *,
    kind: str,
    options: list[JSON],
    recommended: str = "",
    fields: JSON = None,
) -> Wait:
    """Until a person answers. The data is what `_open` makes the request of, in the commit that records the wait."""
    return Wait(
        reason=kind,
        data={
            "kind": kind,
            "title": settings.title or ctx.name,
            "message": settings.message,
            "assignee": settings.assignee.model_dump(),
            "options": options,
            "recommended": recommended,
            "context": [item.model_dump() for item in settings.context],
            "fields": fields or {},
        },
    )


async def _check_assignee(ctx: Context, assignee: Assignee) -> None:
    """A request that nobody could ever decide must not be opened."""
    from approvals.services.assignees import fault  # models: not before the apps are loaded

    found = await in_database(fault, organisation_id=ctx.run.organisation_id, user=assignee.user, role=assignee.role)
    if found:
        raise NodeFailure(found, code="invalid_assignee")


_WITHDRAW = """
    UPDATE approvals_approvalrequest SET status = 'withdrawn', closed_at = clock_timestamp(), closed_because = %s
    WHERE run_id = %s AND node = %s AND path = %s AND status = 'open'
"""


def _open(connection: psycopg.Connection[Any], run: RunFacts, event: NodeWaiting) -> None:
    """Of what a type waits with (`_wait`). Named to a person it is theirs alone, whatever role is named besides."""
    data, user = event.data, event.data["assignee"]["user"]
    names = ("kind", "title", "message", "context", "options", "recommended", "fields")
    asked = Asked(**{name: data[name] for name in names}, user=user, role="" if user else data["assignee"]["role"])
    open_request(connection, run, event.node, event.path, asked)


_WHY = {
    "cancelled": "the run was cancelled",
    "lost_join": "another branch came first",
    "failed_join": "the join it led to had failed",
    "run_failed": "the run failed elsewhere",
    "iteration_failed": "its iteration failed elsewhere",
    "loop_stopped": "the loop was stopped",
    "timeout": "its time was up",
}


def _withdraw(connection: psycopg.Connection[Any], run: RunFacts, event: NodeEvent) -> None:
    reason = getattr(event, "reason", "") or (getattr(event, "error", None) or {}).get("code", "")
    connection.execute(_WITHDRAW, (_WHY.get(reason, "the node failed"), run.id, event.node, path_text(event.path)))
