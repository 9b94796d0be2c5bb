"""The offline model as one of litellm's providers: `offline/...` goes the way of every other model.

litellm looks the methods up by name, so no base class is needed; and nothing of it is imported here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agents.llm import offline, prices


class OfflineProvider:
    """A custom provider. `usage` is litellm's own class for the figures of a reply."""

    def __init__(self, usage: Callable[..., Any]) -> None:
        self._usage = usage

    async def acompletion(
        self, *, messages: list[dict[str, str]], model_response: Any, optional_params: dict[str, Any], **_: Any
    ) -> Any:
        text = await self._text(messages, optional_params)
        choice = model_response.choices[0]
        choice.message.content, choice.message.role, choice.finish_reason = text, "assistant", "stop"
        model_response.model = offline.NAME
        model_response.usage = self._usage(**_counted(messages, text))
        return model_response

    async def astreaming(self, *, messages: list[dict[str, str]], optional_params: dict[str, Any], **_: Any) -> Any:
        text = await self._text(messages, optional_params)
        empty = {"tool_use": None, "index": 0, "usage": None}
        for piece in offline.pieces(text):
            yield {**empty, "text": piece, "is_finished": False, "finish_reason": ""}
            await asyncio.sleep(0)  # let the other runs of this loop go on
        yield {**empty, "text": "", "is_finished": True, "finish_reason": "stop", "usage": _counted(messages, text)}

    async def _text(self, messages: list[dict[str, str]], optional_params: dict[str, Any]) -> str:
        form = optional_params.get("response_format") or {}
        schema = form.get("json_schema", {}).get("schema") if isinstance(form, dict) else None
        # In a thread: a long document takes a noticeable fraction of a second, and hundreds of runs share this loop.
        return await asyncio.to_thread(offline.answer, messages, schema)


def _counted(messages: list[dict[str, str]], text: str) -> dict[str, int]:
    read = sum(prices.count_tokens(message["content"]) for message in messages)
    wrote = prices.count_tokens(text)
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
