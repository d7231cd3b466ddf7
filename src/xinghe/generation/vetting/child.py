"""The worker that vets: all of llguidance and jsonschema_rs that a client can size runs here.

Both hold the interpreter's lock and know no limit of time; this process has one, and one of
memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from xinghe.core import Tool, ToolUse
from xinghe.generation.structure import Unguaranteed, structured
from xinghe.generation.structure.canonical import validator
from xinghe.generation.structure.strict import checker
from xinghe.generation.tools import arguments_fault, decide, vet
from xinghe.generation.tools.grammar import placed
from xinghe.generation.vetting.walks import Walks
from xinghe.generation.vetting.wire import (
    Finished,
    Form,
    Formed,
    Functions,
    Planned,
    Refused,
    Validated,
    Verdict,
    Walk,
    Walked,
    Wanted,
)
from xinghe.workers import Job, serve_jobs

KEPT = 32
"""Validators that are kept: an answer is checked soon after another of the same form."""


def handle(wanted: Wanted, job: Job) -> Verdict:
    """Never raises, but for want of memory: whatever a schema does to a library, it is refused."""
    at: int | None = None

    def begun(number: int) -> None:
        nonlocal at
        at = number
        job.progress(number)

    try:
        return Verdict(_work(wanted, begun))
    except Unguaranteed as error:
        return Verdict(Refused(error.keyword, error.path, error.reason))
    except MemoryError:
        raise
    except BaseException as error:  # a panic of the Rust libraries is no `Exception`
        reason = "cannot be compiled"
        if isinstance(error, RecursionError):
            reason = "is nested, or leads back to itself, too deeply"
        strange = Unguaranteed("schema", "", reason)
        strange = strange if at is None else placed(at, strange)
        return Verdict(Refused(strange.keyword, strange.path, strange.reason, type(error).__name__))


def _work(wanted: Wanted, begun: Callable[[int], None]) -> Formed | Planned | Validated | Walked:
    match wanted.work:
        case Form(schema, max_tokens):
            value = None if schema is None else json.loads(schema)
            form = structured(value, max_tokens=max_tokens)
            return Formed(form.constraint.grammar, form.hint)
        case Functions(tools, native, choice, name, parallel, max_tokens):
            listed = tuple(Tool(**tool) for tool in json.loads(tools))
            use = ToolUse(listed, choice, name, parallel)
            if native:
                vet(use, begun)
                return Planned(None)
            return Planned(decide(use, max_tokens=max_tokens, begun=begun))
        case Finished(schema, text, arguments):
            check = _checker(schema)
            return Validated(arguments_fault(check, text) if arguments else check(text))
        case Walk():
            return WALKS.walk(wanted.work)


@lru_cache(maxsize=KEPT)
def _checker(schema: bytes) -> Callable[[str], str | None]:
    return checker(validator(json.loads(schema)))


WALKS = Walks()

if __name__ == "__main__":
    serve_jobs(handle, Wanted)
