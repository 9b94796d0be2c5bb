"""litellm itself, imported and set up once a process: three seconds and 150 MB, so only the engine may load it.

Facts about it (1.106, measured) that shape this file: unless told otherwise it loads prices from the network and a
`.env` file from the working directory, and prints a line a call.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from typing import Any

from django.conf import settings

from agents.llm import connections
from agents.llm.offline.provider import OfflineProvider

_lock = threading.Lock()
_litellm: Any = None


def load() -> Any:
    """The module, set up. The first call takes three seconds; a host makes it before it claims its first run."""
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
            module.custom_provider_map = [{"provider": "offline", "custom_handler": OfflineProvider(module.Usage)}]
            _litellm = module
    return _litellm


def is_loaded() -> bool:
    return _litellm is not None


async def close() -> None:
    """Give back the connections of this event loop, at the end of a host's shift."""
    if _litellm is not None:
        _litellm.in_memory_llm_clients_cache.flush_cache()
        worker = importlib.import_module("litellm.litellm_core_utils.logging_worker").GLOBAL_LOGGING_WORKER
        await worker.stop()
    await connections.close()
