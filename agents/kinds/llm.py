"""A language model with a prompt. Which model answers is the profile's business (`agents.llm`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from pydantic import Field, field_validator

from agents import prompts
from agents.contracts import Fault
from agents.errors import AgentError
from agents.kinds.base import AgentKind, KindCall, KindConfig, KindReply, register
from agents.llm.types import ModelReply, ModelRequest
from agents.models import ModelProfile
from agents.models.profiles import BUILT_IN_PROFILES
from portal.core.models import Organisation

# The one text output of an agent without structure: the model's whole answer.
TEXT = "text"


class LlmConfig(KindConfig):
    """Prompts are templates of `agents.prompts`: `{{ input.name }}` is replaced by the input, fenced as data."""

    system: str = Field(
        min_length=1,
        title="System prompt",
        description="Who the agent is, what it must do, and how a good answer looks.",
    )
    user: str = Field(
        default="",
        title="User prompt",
        description="The request; write {{ input.name }} where an input belongs. Empty: all inputs follow by name.",
    )
    profile: str = Field(
        default="auto",
        min_length=1,
        max_length=40,
        title="Model profile",
        description="fast, quality, code, auto, offline, or one of your own.",
    )
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=2,
        title="Temperature",
        description="0 answers the same way each time. Empty: the profile's.",
    )
    max_tokens: int | None = Field(
        default=None, ge=1, le=200_000, title="Longest answer", description="In tokens. Empty: the profile's."
    )

    @field_validator("system", "user")
    @classmethod
    def _placeholders(cls, template: str) -> str:
        for fault in prompts.template_faults(template, [], "$"):
            raise ValueError(fault.message)
        return template


@register
class LlmKind(AgentKind):
    kind = "llm"
    label = _("Language model")
    description = _("A prompt to a language model. The answer follows the output schema.")
    icon = "sparkles"
    Config = LlmConfig

    async def run(self, call: KindCall) -> KindReply:
        # Imported here: the gateway pulls in litellm, which only the engine may load.
        from agents.llm.gateway import complete

        config: LlmConfig = call.config
        free_text = _is_free_text(call.output_schema)
        reply = await complete(
            ModelRequest(
                organisation_id=call.organisation_id,
                profile=config.profile,
                messages=[
                    {"role": "system", "content": prompts.render_system(config.system, call.inputs)},
                    {"role": "user", "content": prompts.render_user(config.user, call.inputs, call.shared)},
                ],
                output_schema=None if free_text else call.output_schema,
                temperature=config.temperature,
                max_tokens=config.max_tokens,
                deadline=call.deadline,
                idempotency_key=call.idempotency_key,
                on_text=call.emit,
                hints=call.hints,
            )
        )
        return KindReply(outputs={TEXT: reply.text} if free_text else _structured(reply), usage=reply.usage)

    def check(self, organisation: Organisation, config: Any, input_schema: Mapping[str, Any]) -> list[Fault]:
        known = input_schema.get("properties", {})
        return [
            *prompts.template_faults(config.system, known, "$.system"),
            *prompts.template_faults(config.user, known, "$.user"),
            *_profile_faults(organisation, config.profile),
        ]


def _is_free_text(schema: Any) -> bool:
    """Whether the output is only `text`: then the model writes freely, and the answer streams as it will stay."""
    properties = schema.get("properties", {})
    return not properties or (set(properties) == {TEXT} and properties[TEXT].get("type") == "string")


def _structured(reply: ModelReply) -> Any:
    if not isinstance(reply.data, dict):
        raise AgentError(
            "The model did not answer with named values.",
            code="invalid_output",
            retryable=True,
            usage=dict(reply.usage),
        )
    return reply.data


def _profile_faults(organisation: Organisation, name: str) -> Iterator[Fault]:
    names = set(ModelProfile.objects.filter(organisation=organisation).values_list("name", flat=True))
    known = sorted(names.union(BUILT_IN_PROFILES))
    if name not in known:
        yield Fault("$.profile", f"names no model profile of this organisation; there are: {', '.join(known)}")
