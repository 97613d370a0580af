"""Structured logs: one JSON object a line, with time, process and level; no personal data."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict


def set_up_logs(process: str) -> None:
    """Write logs of this process to standard error, one JSON object a line."""

    def named(_logger: Any, _method: str, event: EventDict) -> EventDict:
        # Not a context variable: threads that a server starts would not have it.
        event.setdefault("process", process)
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            named,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
