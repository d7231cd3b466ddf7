"""Structured logs on standard error; a request's id is on every line that it causes."""

import logging
import sys
from typing import TextIO, cast

import structlog

from xinghe.observe.lines import Lines

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "silent": 50}
"""`silent` (nothing here is critical) is for a command that tells all of it in its own words."""


def configure(level: str, form: str) -> None:
    """`level`: debug, info, warning or error; `form`: json, console or auto."""
    lines = cast("TextIO", Lines(sys.stderr))
    json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard module; only their warnings are of use to an operator.
    logging.basicConfig(stream=lines, level=logging.WARNING, force=True)
