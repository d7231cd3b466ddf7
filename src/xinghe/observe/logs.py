"""Structured logs on standard error; a request's id is on every line that it causes."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, cast

import msgspec
import structlog

from xinghe.observe.lines import Lines

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "silent": 50}
"""`silent` (nothing here is critical) is for a command that tells all of it in its own words."""

_request_id: ContextVar[str] = ContextVar("request_id", default="")


@contextmanager
def of_request(request_id: str) -> Iterator[None]:
    """Within it, every line that is logged has the request's id."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def configure(level: str, form: str) -> None:
    """`level`: debug, info, warning or error; `form`: json, console or auto."""
    lines = cast("TextIO", Lines(sys.stderr))
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(serializer=_json)
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            _with_request_id,
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


def _with_request_id(_: Any, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    request_id = _request_id.get()
    return {"request_id": request_id, **line} if request_id else line


def _json(line: structlog.types.EventDict, *, default: Callable[[Any], Any]) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=default).decode()
    except Exception:  # half a character, or a number of 100 digits: no line is lost for that
        return json.dumps(line, ensure_ascii=False, default=default)
