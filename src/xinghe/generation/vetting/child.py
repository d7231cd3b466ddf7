"""The worker that vets: all of llguidance and jsonschema_rs that a client can size runs here.

Both hold the interpreter's lock and know no limit of time; this process has one, and one of
memory.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

from llguidance import LLMatcher, LLTokenizer

from xinghe.core import Tool, ToolUse
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.structure import checker, structured
from xinghe.generation.tools import placed
from xinghe.generation.tools.grammar import decide, declared, vet
from xinghe.generation.vetting import wire
from xinghe.workers import Job, serve_jobs

KEPT = 32
"""Validators that are kept: an answer is checked soon after another of the same form."""
MOST, CHARACTERS = 64, 2_000_000
"""Texts that are known at a time, and characters of their grammars.

One that was forgotten is walked again from its beginning.
"""


def handle(wanted: wire.Wanted, job: Job) -> wire.Verdict:
    """Never raises, but for want of memory: whatever a schema does to a library, it is refused."""
    at: int | None = None

    def begun(number: int) -> None:
        nonlocal at
        at = number
        job.progress(number)

    try:
        return wire.Verdict(_work(wanted, begun))
    except Unguaranteed as error:
        return wire.Verdict(wire.Refused(error.keyword, error.path, error.reason))
    except MemoryError:
        raise
    except BaseException as error:  # a panic of the Rust libraries is no `Exception`
        reason = "cannot be compiled"
        if isinstance(error, RecursionError):
            reason = "is nested, or leads back to itself, too deeply"
        strange = placed(at, Unguaranteed("schema", "", reason))
        return wire.Verdict(
            wire.Refused(strange.keyword, strange.path, strange.reason, type(error).__name__)
        )


def _work(
    wanted: wire.Wanted, begun: Callable[[int], None]
) -> wire.Formed | wire.Planned | wire.Validated | wire.Walked:
    match wanted.work:
        case wire.Form(schema, max_tokens):
            value = None if schema is None else json.loads(schema)
            form = structured(value, max_tokens=max_tokens)
            return wire.Formed(form.constraint.grammar, form.hint, form.exact)
        case wire.Functions(tools, native, choice, only, parallel, max_tokens):
            listed = tuple(Tool(**tool) for tool in json.loads(tools))
            use = ToolUse(listed, choice, None if only is None else frozenset(only), parallel)
            if native:
                vet(use, begun)
                return wire.Planned(None)
            return wire.Planned(decide(use, max_tokens=max_tokens, begun=begun))
        case wire.Finished(schema, text, arguments):
            return wire.Validated(_checker(schema, arguments)(text))
        case wire.Walk():
            return WALKS.walk(wanted.work)


@lru_cache(maxsize=KEPT)
def _checker(schema: bytes, arguments: bool) -> Callable[[str], str | None]:
    value = json.loads(schema)
    return checker(declared(value) if arguments else value, arguments=arguments)


class Walks:
    """Texts on their way through their grammars, byte by byte: those that this worker knows."""

    def __init__(self) -> None:
        self._bytes = LLTokenizer("byte")
        """A tokenizer whose tokens are the 256 bytes."""
        self._known: OrderedDict[str, tuple[LLMatcher, int, int]] = OrderedDict()

    def walk(self, walk: wire.Walk) -> wire.Walked:
        """Raises `Unguaranteed` for a grammar that cannot be compiled."""
        if walk.key not in self._known:
            if not walk.grammar:
                return wire.Walked(-1, kept=True)
            self._known[walk.key] = self._begun(walk.grammar), 0, len(walk.grammar)
            self._forget()
        self._known.move_to_end(walk.key)
        matcher, known, size = self._known[walk.key]
        if known < walk.start:
            return wire.Walked(known, kept=True)  # the other worker has walked on
        piece = list(walk.text[known - walk.start :])
        kept = matcher.try_consume_tokens(piece) == len(piece)
        if kept:
            self._known[walk.key] = matcher, known + len(piece), size
        else:
            del self._known[walk.key]
        return wire.Walked(known + len(piece), kept=kept)

    def _forget(self) -> None:
        held = sum(size for _, _, size in self._known.values())
        while len(self._known) > MOST or (held > CHARACTERS and len(self._known) > 1):
            _, (_, _, size) = self._known.popitem(last=False)
            held -= size

    def _begun(self, grammar: str) -> LLMatcher:
        matcher = LLMatcher(self._bytes, LLMatcher.grammar_from_lark(grammar), log_level=0)
        if matcher.is_error():
            raise Unguaranteed("schema", "", "has a grammar that does not compile")
        return matcher


WALKS = Walks()

if __name__ == "__main__":
    serve_jobs(handle, wire.Wanted)
