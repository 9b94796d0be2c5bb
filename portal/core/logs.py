"""One shape for every log line, ours and the libraries': event, level, time, logger, and the ids of the work.

`request_id`, `organisation`, `run` come from structlog's contextvars; whoever begins a piece of work binds them.
LOG_FORMAT is `console` or `json`; secrets are taken out last, tracebacks included, whatever the library wrote.
"""

from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def _redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    # Imported late: settings are read before the apps' modules may be.
    from portal.core import redaction

    redacted: EventDict = redaction.processor(logger, method, event)
    return redacted


def _without_private(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Structlog's own bookkeeping: it holds the LogRecord, which must not be walked for secrets."""
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(logger, method, event)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(allow=["status_code"]),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]


def configure(*, form: str, level: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING. `form`: "console" or "json"; `level`: a logging level's name."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(),
                "processors": [_without_private, structlog.processors.format_exc_info, _redact, renderer],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django brings handlers of its own, which would print each line twice.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True, "level": level},
            "axes": {"level": "WARNING"},  # sign-ins are in the ledger
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
        },
    }
