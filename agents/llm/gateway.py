"""The gateway: the only way to a model.

A call reads: *find the models to ask; ask the first within the deadline; check its answer, ask once more if it does not
keep the schema; on a failure that another model may not have, go to the next.* Retrying the same model is the engine's
business: it knows the budget.

`requests.py` sends one request, `answers.py` reads what comes back, `library.py` is litellm itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from agents.errors import AgentError
from agents.llm import errors, library, requests, router, structured
from agents.llm.answers import Answer, Spent
from agents.llm.types import JSON, ModelReply, ModelRequest, Target

log = structlog.get_logger(__name__)

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


async def complete(request: ModelRequest) -> ModelReply:
    """Ask the model of `request.profile`, or its fallbacks. Raises AgentError; its `usage` tells what was spent."""
    if not library.is_loaded():  # not preloaded: three seconds that must not count against the deadline
        await asyncio.to_thread(library.load)
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
            if error.code in _TRY_NEXT and len(failed) < len(targets) and requests.seconds_left(request, target) > 0:
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
    seconds = requests.seconds_left(request, target)
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
        return await requests.send(request, target, messages, spent), None, False
    if not target.offline:
        messages = structured.instructed(messages, schema)
    answer = await requests.send(request, target, messages, spent)
    data, problems = _read(answer, schema)
    if not problems:
        return answer, data, False
    again = structured.repair(messages, answer.text, problems)
    answer = await requests.send(request, target, again, spent, suffix="/repair")
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
