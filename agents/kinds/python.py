"""Python callables out of an allow-list: nothing is imported by a name that somebody typed."""

import asyncio
from collections.abc import Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.utils.translation import gettext_lazy as _
from pydantic import Field, field_validator

from agents import python_callables
from agents.errors import AgentError
from agents.kinds.base import JSON, AgentKind, KindCall, KindConfig, KindReply, register
from agents.python_callables import CallFacts, PythonAgent
from portal.core import effects


class PythonConfig(KindConfig):
    callable: str = Field(
        title="Function", description="Name of a function that the installation registered for agents."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, title="Parameters", description="Fixed values given to the function beside the inputs."
    )

    @field_validator("callable")
    @classmethod
    def _registered(cls, name: str) -> str:
        if python_callables.find(name) is None:
            raise ValueError(python_callables.unknown(name))
        return name


@register
class PythonKind(AgentKind):
    kind = "python"
    label = _("Python function")
    description = _("A function of this installation, registered by its developers. No model is called.")
    icon = "code"
    Config = PythonConfig

    async def run(self, call: KindCall) -> KindReply:
        agent = _function_of(call.config)
        facts = CallFacts(
            organisation_id=call.organisation_id,
            idempotency_key=call.idempotency_key,
            attempt=call.attempt,
            deadline=call.deadline,
            parameters=call.config.parameters,
            shared=call.shared,
            emit=call.emit,
        )
        inputs = dict(call.inputs)
        outputs = await (_call_outside(agent, inputs, facts) if agent.effects else _call(agent, inputs, facts))
        if not isinstance(outputs, Mapping):
            raise AgentError(
                f"The function “{agent.name}” answered with {type(outputs).__name__}; named values are wanted.",
                code="invalid_output",
            )
        return KindReply(outputs=dict(outputs))

    def is_pure(self, config: Any) -> bool:
        return not _function_of(config).effects

    def contract(self, config: Any) -> tuple[dict[str, JSON], dict[str, JSON]]:
        agent = _function_of(config)
        return dict(agent.input_schema), dict(agent.output_schema)


def _function_of(config: PythonConfig) -> PythonAgent:
    found = python_callables.find(config.callable)
    if found is None:
        raise AgentError(f"{python_callables.unknown(config.callable)}.", code="invalid_config")
    return found


async def _call_outside(agent: PythonAgent, inputs: dict[str, JSON], facts: CallFacts) -> JSON:
    """What it does there only the function knows: whether a failure left something behind, nobody."""
    request = {"inputs": ", ".join(sorted(inputs)), **effects.fingerprint(inputs)}
    async with effects.outside(
        kind="tool", target=agent.name, request=request, idempotency_key=facts.idempotency_key
    ) as effect:
        effect.unsure()
        return await _call(agent, inputs, facts)


async def _call(agent: PythonAgent, inputs: dict[str, JSON], facts: CallFacts) -> JSON:
    """A plain function runs in a thread: it may block, the host of hundreds of runs may not."""
    try:
        if agent.blocks:
            return await sync_to_async(agent.function, thread_sensitive=False)(inputs, facts)
        return await agent.function(inputs, facts)
    except (AgentError, asyncio.CancelledError, TimeoutError):
        raise
    except Exception as error:  # whatever a registered function raises is its failure, not the portal's
        raise AgentError(
            f"The function “{agent.name}” failed: {type(error).__name__}: {error}",
            code="callable_failed",
            retryable=True,
        ) from error
