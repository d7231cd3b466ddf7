"""From what a request wants of its answer to what generation must do for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import jsonschema_rs
import msgspec

from xinghe.core import Constraint
from xinghe.generation.structure.canonical import canonical, first_line
from xinghe.generation.structure.hint import OBJECT_HINT, hint_for
from xinghe.generation.structure.library import grammar_fault, grammar_of
from xinghe.generation.structure.limits import REFERENCES, within_effort, within_limits
from xinghe.generation.structure.narrow import Narrower, TooLarge
from xinghe.generation.structure.refusals import NoGrammar, Unguaranteed, culprit, escaped, keywords
from xinghe.generation.structure.strings import held

OBJECT = {"type": "object"}
RECURSION = (4, 2, 1, 0)
"""How often a reference may stand within itself: the most that leaves the grammar small."""
GRAMMAR = 400_000
"""Characters of a grammar."""
ORIGINS = {"minimum": ("exclusiveMinimum",), "maximum": ("exclusiveMaximum",)}
"""What else a keyword of the canonical form may have been when it was sent."""
REWRITTEN = ("not", "oneOf", "if", "dependentSchemas", "dependencies", "unevaluatedProperties")
"""Where a residue that cannot be said may have come from, likeliest first."""
USED = 0.8
"""The part of `max_tokens` that bounds are computed from."""


class Structure(msgspec.Struct, frozen=True):
    """What an answer must look like.

    `constraint` is what the engine keeps to while it generates, `hint` tells the model in words,
    and `check` names what is wrong with a finished text, `None` if nothing is. Where it is not
    `exact`, the constraint admits more than what fits: nothing may leave before the check.
    Penalties count the marks of JSON as repetition, so an answer under a constraint is drawn
    without them (`Sampling.penalty_score`, `frequency_penalty` and `presence_penalty` neutral).
    """

    constraint: Constraint
    hint: str
    check: Callable[[str], str | None]
    exact: bool = True


def structured(schema: Any = None, *, max_tokens: int) -> Structure:
    """The structure for a JSON Schema, or for any JSON object where `schema` is `None`.

    `schema` is an object or a boolean, already taken out of OpenAI's nesting; `max_tokens` is
    what the answer may take, and bounds what the schema leaves unbounded. Raises `Unguaranteed`
    if no answer can be promised to fit. Takes milliseconds; hostile schemas are cut off early,
    but it should not run on the event loop.
    """
    wanted = OBJECT if schema is None else schema
    if not isinstance(wanted, dict | bool):
        raise Unguaranteed("schema", "", "must be an object or a boolean")
    within_limits(wanted)
    _fits(wanted, max_tokens)
    check = checker(wanted)
    within_effort(wanted)
    grammar, exact = _grammar(wanted, max_tokens)
    given = wanted if isinstance(wanted, dict) else {}
    hint = OBJECT_HINT if schema is None else hint_for(wanted)
    return Structure(Constraint(grammar, given), hint, check, exact)


def verifiable(schema: Any) -> None:
    """Raise `Unguaranteed` for a schema that no answer could be held against."""
    within_limits(schema)
    checker(schema)
    within_effort(schema)


def checker(schema: Any, *, arguments: bool = False) -> Callable[[str], str | None]:
    """A function that says what is wrong with a text, `None` if nothing is.

    Where it is `arguments`, whatever is no object is wrong. Raises `Unguaranteed` for an invalid
    schema.
    """
    try:
        validator = _validator(schema)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        keyword, path = _invalid(schema, getattr(error, "instance_path", []))
        raise Unguaranteed(keyword, path, f"is invalid: {first_line(error)}") from None

    def check(text: str) -> str | None:
        try:
            value = _parsed(text)
        except ValueError as error:
            return str(error)
        if arguments and not isinstance(value, dict):
            return "not an object"
        for wrong in validator.iter_errors(value):
            where = "".join(f"/{step}" for step in wrong.instance_path) or "/"
            return f"{where}: {first_line(wrong)}"
        return None

    return check


def _grammar(schema: Any, max_tokens: int) -> tuple[str, bool]:
    form = canonical(schema)
    for recursion in RECURSION:
        try:
            text, exact = _text(schema, form, max_tokens, recursion)
        except (TooLarge, RecursionError):
            continue
        except NoGrammar as error:
            raise _blame(schema, error, max_tokens) from None
        if len(text) <= GRAMMAR:
            _compiled(schema, text, max_tokens)
            return text, exact
    raise Unguaranteed("schema", "", "is too large once its references are written out")


def _text(schema: Any, form: Any, max_tokens: int, recursion: int) -> tuple[str, bool]:
    narrower = Narrower(form, _order(schema), recursion)
    return grammar_of(narrower.schema(max_tokens * USED)), narrower.exact


def _compiled(schema: Any, grammar: str, max_tokens: int) -> None:
    """Raise `Unguaranteed` if the engine's grammar compiler would refuse `grammar`."""
    if not grammar_fault(grammar):
        return
    for _, value, path in keywords(schema):
        if path.endswith("/pattern") and isinstance(value, str) and not held(value):
            raise Unguaranteed("pattern", path, f"is {value[:100]!r}, which no grammar can hold")
    suspects = ("pattern", "patternProperties", "format", "multipleOf")
    works = partial(_works, max_tokens)
    keyword, path = culprit(schema, suspects, works) or ("schema", "")
    raise Unguaranteed(keyword, path, "cannot be guaranteed")


def _works(max_tokens: int, schema: Any) -> bool:
    """Whether a schema can be guaranteed, where one keyword has been taken out."""
    try:
        return not grammar_fault(_text(schema, canonical(schema), max_tokens, RECURSION[-1])[0])
    except (Unguaranteed, NoGrammar, TooLarge, RecursionError, ValueError):
        return False


def _blame(schema: Any, error: NoGrammar, max_tokens: int) -> Unguaranteed:
    words = (error.keyword, *ORIGINS.get(error.keyword, ()), *REWRITTEN)
    known = culprit(schema, words, partial(_works, max_tokens))
    if known is not None:
        return Unguaranteed(*known, error.reason)
    # Two faults at a time, say: what kind is known, but not which of them.
    stands = any(name == error.keyword for name, _, _ in keywords(schema))
    return Unguaranteed(error.keyword if stands else "schema", "", error.reason)


def _fits(schema: Any, max_tokens: int) -> None:
    """Raise `Unguaranteed` for a part that is longer than the whole answer may be."""
    for word, value, path in keywords(schema):
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if word == "minLength" and value > 4 * max_tokens:
            raise Unguaranteed(word, path, f"is {value}, more than {max_tokens} tokens can hold")
        if word in ("minItems", "minProperties", "minContains") and value > max_tokens // 2:
            raise Unguaranteed(word, path, f"is {value}, more than {max_tokens} tokens can hold")


def _order(schema: Any) -> dict[str, int]:
    """The rank of each property name as the author wrote it."""
    order: dict[str, int] = {}
    for word, value, _ in keywords(schema):
        if word == "properties" and isinstance(value, dict):
            for name in value:
                order.setdefault(name, len(order))
    return order


def _validator(schema: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)


def _invalid(schema: Any, instance_path: list[Any]) -> tuple[str, str]:
    """The keyword of a fault that has a place, else the reference that leads nowhere."""
    if instance_path:
        words = [step for step in instance_path if isinstance(step, str)]
        return words[-1], "".join(f"/{escaped(str(step))}" for step in instance_path)
    return culprit(schema, (*REFERENCES, "$schema"), _readable) or ("schema", "")


def _readable(schema: Any) -> bool:
    try:
        _validator(schema)
    except (jsonschema_rs.ReferencingError, ValueError):
        return False
    return True


def _parsed(text: str) -> Any:
    """The value of a JSON text; raises `ValueError` for anything that is not strict JSON.

    NaN and infinities, numbers that no double holds and lone surrogates are refused. A name
    that comes twice in an object is legal (section 4) and means the last value, as in every
    parser.
    """
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate") from None
    return value


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is too large")
    return value
