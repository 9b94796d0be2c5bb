"""The gateway: the only module that knows litellm, and the only way to a model.

A call reads: *find the models to ask; ask the first within the deadline; check its answer, ask once more if it does not
keep the schema; on a failure that another model may not have, go to the next.* Retrying the same model is the engine's
business (it knows the budget), so litellm is told never to retry.

Facts about litellm (1.106, measured) that shape this file: its `timeout` starts anew with every byte, so the deadline
is ours; importing it takes three seconds and 150 MB and, unless told otherwise, loads prices from the network and a
`.env` file from the working directory; `choices: []` is a success to it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings

from agents.errors import AgentError
from agents.llm import connections, errors, offline, prices, router, structured
from agents.llm.types import JSON, ModelReply, ModelRequest, Target
from portal.core import clock, effects

log = structlog.get_logger(__name__)

_LARGEST_ANSWER = 4_000_000  # characters; a server that never stops must not fill the memory
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# After these another model may do better; a refused request or a wrong answer stays what it is.
_TRY_NEXT = frozenset(
    [
        "authentication",
        "model_not_found",
        "quota_exhausted",
        "rate_limited",
        "timeout",
        "connection",
        "address_refused",
        "bad_response",
        "provider_unavailable",
        "context_too_long",
    ]
)

# After these nobody knows whether the model has worked, and is to be paid for it.
_UNSURE = frozenset(["timeout", "connection", "bad_response", "provider_unavailable"])

_lock = threading.Lock()
_litellm: Any = None
# Models that refused `response_format`; asked without it from then on. Per process, rebuilt by one failed request.
_no_format: set[tuple[str, str | None]] = set()


@dataclass(slots=True)
class Spent:
    """What the requests of one call have cost so far; it is told even when the call fails."""

    target: Target
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    calls: int = 0
    estimated: set[str] = field(default_factory=set)

    def add(self, answer: Answer) -> None:
        self.input_tokens += answer.input_tokens
        self.output_tokens += answer.output_tokens
        self.cost_usd = None if self.cost_usd is None or answer.cost_usd is None else self.cost_usd + answer.cost_usd
        self.estimated |= answer.estimated

    def usage(self) -> dict[str, JSON]:
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
            "model": self.target.model,
            "profile": self.target.profile,
            "reason": self.target.reason,
            "calls": self.calls,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply of a provider."""

    text: str
    model: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    estimated: frozenset[str]


def preload() -> None:
    """Import and set up litellm; three seconds. A host calls it before it claims its first run."""
    _load()


async def close() -> None:
    """Give back the connections of this event loop, at the end of a host's shift."""
    if _litellm is not None:
        _litellm.in_memory_llm_clients_cache.flush_cache()
        worker = importlib.import_module("litellm.litellm_core_utils.logging_worker").GLOBAL_LOGGING_WORKER
        await worker.stop()
    await connections.close()


async def complete(request: ModelRequest) -> ModelReply:
    """Ask the model of `request.profile`, or its fallbacks. Raises AgentError; its `usage` tells what was spent."""
    if _litellm is None:  # not preloaded: three seconds that must not count against the deadline
        await asyncio.to_thread(_load)
    targets = await router.resolve(request.organisation_id, request.profile, request.hints)
    failed: list[str] = []
    spent_before: list[Spent] = []
    while True:
        target = targets[len(failed)]
        spent = Spent(target)
        try:
            reply = await _ask_target(request, target, spent)
        except AgentError as error:
            spent_before.append(spent)
            error.usage = {**(error.usage or spent.usage()), **_sum(spent_before)}
            failed.append(f"{target.model}: {error.code}")
            if error.code in _TRY_NEXT and len(failed) < len(targets) and _seconds_left(request, target) > 0:
                log.info("model fallback", model=target.model, code=error.code)
                continue
            raise
        if not failed:
            return reply
        sums = _sum([*spent_before, spent])
        return replace(
            reply, reason=f"{target.reason}; instead of {', '.join(failed)}", cost_usd=sums["cost_usd"],
            input_tokens=sums["input_tokens"], output_tokens=sums["output_tokens"], calls=sums["calls"],
        )  # fmt: skip


def _sum(spent: list[Spent]) -> dict[str, Any]:
    costs = [one.cost_usd for one in spent]
    return {
        "input_tokens": sum(one.input_tokens for one in spent),
        "output_tokens": sum(one.output_tokens for one in spent),
        "cost_usd": None if None in costs else sum(cost for cost in costs if cost is not None),
        "calls": sum(one.calls for one in spent),
    }


async def _ask_target(request: ModelRequest, target: Target, spent: Spent) -> ModelReply:
    """One model: the answer, and the repair of a structured one that breaks the schema."""
    started = time.monotonic()
    seconds = _seconds_left(request, target)
    if seconds <= 0:
        raise AgentError("No time is left to ask a model.", code="timeout", usage=spent.usage())
    try:
        async with asyncio.timeout(seconds):
            answer, data, repaired = await _answer(request, target, spent)
    except TimeoutError as error:
        meaning = errors.TIMEOUT
        raise AgentError(
            f"{target.model} did not answer within {seconds:.0f} seconds.",
            code=meaning.code,
            retryable=meaning.retryable,
            usage=spent.usage(),
        ) from error
    return ModelReply(
        text=answer.text,
        data=data,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost_usd=spent.cost_usd,
        model=answer.model,
        profile=target.profile,
        reason=target.reason,
        finish_reason=answer.finish_reason,
        repaired=repaired,
        calls=spent.calls,
        seconds=time.monotonic() - started,
        estimated=tuple(sorted(spent.estimated)),
    )


async def _answer(request: ModelRequest, target: Target, spent: Spent) -> tuple[Answer, JSON, bool]:
    schema = request.output_schema
    messages = [dict(message) for message in request.messages]
    if schema is None:
        return await _request(request, target, messages, spent), None, False
    if not target.offline:
        messages = structured.instructed(messages, schema)
    answer = await _request(request, target, messages, spent)
    data, problems = _read(answer, schema)
    if not problems:
        return answer, data, False
    again = structured.repair(messages, answer.text, problems)
    answer = await _request(request, target, again, spent, suffix="/repair")
    data, problems = _read(answer, schema)
    if problems:
        cut = " It was cut off: raise the profile's longest answer." if answer.finish_reason == "length" else ""
        raise AgentError(
            f"{target.model} did not keep the output schema, even when asked again: "
            f"{problems[0]['path']}: {problems[0]['message']}.{cut}",
            code="invalid_output",
            retryable=True,
            detail={"faults": problems, "answer": answer.text[:2000]},
            usage=spent.usage(),
        )
    return answer, data, True


def _read(answer: Answer, schema: Mapping[str, JSON]) -> tuple[JSON, list[dict[str, str]]]:
    try:
        data = structured.parse(answer.text)
    except structured.Unreadable as error:
        cut = " (the answer was cut off: be shorter)" if answer.finish_reason == "length" else ""
        return None, [{"path": "$", "message": f"{error}{cut}"}]
    return data, structured.faults(data, schema)


async def _request(
    request: ModelRequest, target: Target, messages: list[dict[str, str]], spent: Spent, suffix: str = ""
) -> Answer:
    """One HTTP request. A model that refuses `response_format` is asked again without, and from then on."""
    litellm = _load()
    _forbid_in_tests(target)
    arguments = _arguments(litellm, request, target, messages, suffix)
    shape = (target.model, target.api_base)
    try:
        return await _send(litellm, request, target, arguments, messages, spent)
    except AgentError as error:
        if error.code != "invalid_request" or "response_format" not in arguments:
            raise
        _no_format.add(shape)
        del arguments["response_format"]
        return await _send(litellm, request, target, arguments, messages, spent)


def _arguments(
    litellm: Any, request: ModelRequest, target: Target, messages: list[dict[str, str]], suffix: str
) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": target.model,
        "messages": messages,
        "timeout": _seconds_left(request, target),
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
    if request.output_schema is not None and (target.model, target.api_base) not in _no_format:
        form = _format(litellm, target, request.output_schema)
        arguments |= {"response_format": form} if form else {}
    return arguments


def _format(litellm: Any, target: Target, schema: Mapping[str, JSON]) -> dict[str, JSON] | None:
    """The schema where the model takes one, else the bare wish for JSON, else nothing: the prompt says it anyway."""
    if target.offline or litellm.supports_response_schema(model=target.model):
        return structured.response_format(schema)
    known = litellm.get_supported_openai_params(model=target.model) or []
    return {"type": "json_object"} if "response_format" in known else None


async def _send(
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
                raw = await _stream(reply, request) if arguments["stream"] else _whole(reply)
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
        answer = _priced(litellm, target, raw, messages)
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
    _refuse_empty(answer, target, spent)
    return answer


def _told(target: Target, messages: list[dict[str, str]]) -> dict[str, JSON]:
    """For the ledger: what was asked by its size and a hash, never the words."""
    return {"profile": target.profile, "messages": len(messages), **effects.fingerprint(messages)}


@dataclass(slots=True)
class _Raw:
    text: str = ""
    finish_reason: str = ""
    model: str = ""
    usage: Any = None
    counted: bool = False
    """The usage figures are litellm's own count, the provider sent none."""


def _whole(reply: Any) -> _Raw:
    choices = getattr(reply, "choices", None) or []
    if not choices:
        return _Raw(model=reply.model or "", usage=getattr(reply, "usage", None))
    return _Raw(
        text=choices[0].message.content or "",
        finish_reason=choices[0].finish_reason or "",
        model=reply.model or "",
        usage=getattr(reply, "usage", None),
    )


async def _stream(reply: Any, request: ModelRequest) -> _Raw:
    raw, parts, length = _Raw(), list[str](), 0
    async for chunk in reply:
        raw.model = raw.model or chunk.model or ""
        raw.usage = getattr(chunk, "usage", None) or raw.usage
        if not chunk.choices:
            continue
        raw.finish_reason = chunk.choices[0].finish_reason or raw.finish_reason
        text = chunk.choices[0].delta.content
        if text:
            parts.append(text)
            length += len(text)
            if length > _LARGEST_ANSWER:
                raise ValueError("the answer does not end")
            if request.on_text is not None:
                request.on_text(text)
    raw.text = "".join(parts)
    raw.counted = not any(getattr(chunk, "usage", None) for chunk in getattr(reply, "chunks", []))
    return raw


def _priced(litellm: Any, target: Target, raw: _Raw, messages: list[dict[str, str]]) -> Answer:
    input_tokens = int(getattr(raw.usage, "prompt_tokens", 0) or 0)
    output_tokens = int(getattr(raw.usage, "completion_tokens", 0) or 0)
    estimated = {"tokens"} if raw.counted and not target.offline else set()
    if not input_tokens:
        input_tokens = sum(prices.count_tokens(message["content"]) for message in messages)
        output_tokens = output_tokens or prices.count_tokens(raw.text)
        estimated.add("tokens")
    cost = prices.cost(litellm, target, raw.usage, input_tokens, output_tokens)
    if estimated and cost:
        estimated.add("cost")
    return Answer(
        text=raw.text,
        model=offline.NAME if target.offline else target.model,
        finish_reason=raw.finish_reason,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost,
        estimated=frozenset(estimated),
    )


def _refuse_empty(answer: Answer, target: Target, spent: Spent) -> None:
    if answer.finish_reason == "content_filter":
        meaning = errors.CONTENT_FILTER
    elif not answer.text.strip():
        meaning = errors.BAD_RESPONSE
    else:
        return
    raise AgentError(
        meaning.message.format(model=target.model) if answer.text.strip() else f"{target.model} sent an empty answer.",
        code=meaning.code,
        retryable=meaning.retryable,
        detail={"model": target.model, "finish_reason": answer.finish_reason},
        usage=spent.usage(),
    )


def _seconds_left(request: ModelRequest, target: Target) -> float:
    if request.deadline is None:
        return target.timeout_seconds
    return min(target.timeout_seconds, (request.deadline - clock.now()).total_seconds())


def _forbid_in_tests(target: Target) -> None:
    """A test never pays: what is neither offline nor on this machine is an error of the test."""
    if settings.TESTING and not target.offline and urlsplit(target.api_base or "").hostname not in _LOOPBACK:
        raise RuntimeError(f"A test is about to call {target.model} outside of this machine.")


class _OfflineHandler:
    """litellm's custom provider for `offline/...`; it looks methods up by name, so no base class is needed."""

    async def acompletion(
        self, *, messages: list[dict[str, str]], model_response: Any, optional_params: dict[str, Any], **_: Any
    ) -> Any:
        text = await self._text(messages, optional_params)
        choice = model_response.choices[0]
        choice.message.content, choice.message.role, choice.finish_reason = text, "assistant", "stop"
        model_response.model = offline.NAME
        model_response.usage = _load().Usage(**_offline_usage(messages, text))
        return model_response

    async def astreaming(self, *, messages: list[dict[str, str]], optional_params: dict[str, Any], **_: Any) -> Any:
        text = await self._text(messages, optional_params)
        empty = {"tool_use": None, "index": 0, "usage": None}
        for piece in offline.pieces(text):
            yield {**empty, "text": piece, "is_finished": False, "finish_reason": ""}
            await asyncio.sleep(0)  # let the other runs of this loop go on
        yield {
            **empty, "text": "", "is_finished": True, "finish_reason": "stop", "usage": _offline_usage(messages, text)
        }  # fmt: skip

    async def _text(self, messages: list[dict[str, str]], optional_params: dict[str, Any]) -> str:
        form = optional_params.get("response_format") or {}
        schema = form.get("json_schema", {}).get("schema") if isinstance(form, dict) else None
        # In a thread: a long document takes a noticeable fraction of a second, and hundreds of runs share this loop.
        return await asyncio.to_thread(offline.answer, messages, schema)


def _offline_usage(messages: list[dict[str, str]], text: str) -> dict[str, int]:
    read = sum(prices.count_tokens(message["content"]) for message in messages)
    wrote = prices.count_tokens(text)
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def _load() -> Any:
    global _litellm
    if _litellm is not None:
        return _litellm
    with _lock:
        if _litellm is None:
            if settings.PROCESS in ("web", "jobs"):
                raise RuntimeError(
                    "Models are called by the engine only; this is the process “" + settings.PROCESS + "”."
                )
            os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
            os.environ["LITELLM_MODE"] = "PRODUCTION"  # else it reads a .env file it happens to find
            module: Any = importlib.import_module("litellm")
            module.telemetry = False
            module.suppress_debug_info = True
            module.set_verbose = False
            for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
                logging.getLogger(name).handlers.clear()  # it prints a line a call, beside our own log
                logging.getLogger(name).setLevel(logging.ERROR)
            module.disable_hf_tokenizer_download = True  # counting tokens must not open connections
            module.custom_provider_map = [{"provider": "offline", "custom_handler": _OfflineHandler()}]
            _litellm = module
    return _litellm
