"""One request to one model: its arguments, the call itself with its entry in the effects ledger, what a failure means.

litellm's `timeout` starts anew with every byte, so the deadline is the caller's (`gateway.py`); and it is told never to
retry, which is the engine's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings

from agents.errors import AgentError
from agents.llm import answers, connections, errors, library, structured
from agents.llm.answers import Answer, Spent
from agents.llm.types import JSON, ModelRequest, Target
from portal.core import clock, effects

log = structlog.get_logger(__name__)

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# After these nobody knows whether the model has worked, and is to be paid for it.
_UNSURE = frozenset(["timeout", "connection", "bad_response", "provider_unavailable"])

# Models that refused `response_format`; asked without it from then on. Per process, rebuilt by one failed request.
no_format: set[tuple[str, str | None]] = set()


async def send(
    request: ModelRequest, target: Target, messages: list[dict[str, str]], spent: Spent, suffix: str = ""
) -> Answer:
    """One HTTP request. A model that refuses `response_format` is asked again without, and from then on."""
    litellm = library.load()
    _forbid_in_tests(target)
    arguments = _arguments(litellm, request, target, messages, suffix)
    shape = (target.model, target.api_base)
    try:
        return await _call(litellm, request, target, arguments, messages, spent)
    except AgentError as error:
        if error.code != "invalid_request" or "response_format" not in arguments:
            raise
        no_format.add(shape)
        del arguments["response_format"]
        return await _call(litellm, request, target, arguments, messages, spent)


def _arguments(
    litellm: Any, request: ModelRequest, target: Target, messages: list[dict[str, str]], suffix: str
) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": target.model,
        "messages": messages,
        "timeout": seconds_left(request, target),
        "max_retries": 0,
        "num_retries": 0,
        "drop_params": True,
        "stream": request.on_text is not None,
    }
    if not target.offline:
        arguments["shared_session"], fresh = connections.session()
        if fresh:  # clients that litellm keeps hold the session of a loop that is gone
            litellm.in_memory_llm_clients_cache.flush_cache()
    temperature = request.temperature if request.temperature is not None else target.temperature
    optional = {
        "temperature": temperature,
        "max_tokens": request.max_tokens or target.max_tokens,
        "api_base": target.api_base,
        "api_key": target.api_key,
    }
    arguments |= {name: value for name, value in optional.items() if value is not None}
    if request.on_text is not None:
        arguments["stream_options"] = {"include_usage": True}
    if request.idempotency_key:
        # The repair is another request: under the same key a provider would repeat its first answer.
        arguments["extra_headers"] = {"Idempotency-Key": f"{request.idempotency_key}{suffix}"}
    if request.output_schema is not None and (target.model, target.api_base) not in no_format:
        form = _format(litellm, target, request.output_schema)
        arguments |= {"response_format": form} if form else {}
    return arguments


def _format(litellm: Any, target: Target, schema: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """The schema where the model takes one, else the bare wish for JSON, else nothing: the prompt says it anyway."""
    if target.offline or litellm.supports_response_schema(model=target.model):
        return structured.response_format(schema)
    known = litellm.get_supported_openai_params(model=target.model) or []
    return {"type": "json_object"} if "response_format" in known else None


async def _call(
    litellm: Any,
    request: ModelRequest,
    target: Target,
    arguments: dict[str, Any],
    messages: list[dict[str, str]],
    spent: Spent,
) -> Answer:
    spent.calls += 1
    async with effects.outside(
        kind="model",
        target=target.model,
        request=_told(target, messages),
        idempotency_key=arguments.get("extra_headers", {}).get("Idempotency-Key", ""),
    ) as effect:
        try:
            with connections.guarded(not target.trusted):
                reply = await litellm.acompletion(**arguments)
                raw = await answers.streamed(reply, request) if arguments["stream"] else answers.whole(reply)
        except (AgentError, TimeoutError):
            raise
        except Exception as error:  # litellm raises nearly anything; the table says what it means
            if target.offline:
                raise  # our own code: a fault of it is a bug and must look like one
            failure = errors.agent_error(error, model=target.model, usage=spent.usage())
            log.warning("model call failed", model=target.model, code=failure.code, detail=failure.detail)
            effect.outcome({"error": failure.code})
            if failure.code in _UNSURE:
                effect.unsure()
            # Without the cause: tracebacks of HTTP clients carry keys in headers and addresses.
            raise failure from None
        answer = answers.priced(litellm, target, raw, messages)
        spent.add(answer)
        effect.outcome(
            {
                "characters": len(answer.text),
                "finish_reason": answer.finish_reason,
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
            },
            cost_usd=answer.cost_usd,
        )
    answers.refuse_empty(answer, target, spent)
    return answer


def _told(target: Target, messages: list[dict[str, str]]) -> dict[str, JSON]:
    """For the ledger: what was asked by its size and a hash, never the words."""
    return {"profile": target.profile, "messages": len(messages), **effects.fingerprint(messages)}


def seconds_left(request: ModelRequest, target: Target) -> float:
    if request.deadline is None:
        return target.timeout_seconds
    return min(target.timeout_seconds, (request.deadline - clock.now()).total_seconds())


def _forbid_in_tests(target: Target) -> None:
    """A test never pays: what is neither offline nor on this machine is an error of the test."""
    if settings.TESTING and not target.offline and urlsplit(target.api_base or "").hostname not in _LOOPBACK:
        raise RuntimeError(f"A test is about to call {target.model} outside of this machine.")
