"""JSON as RFC 8259 has it, and whether it fits a schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs


def checker(validator: jsonschema_rs.Validator) -> Callable[[str], str | None]:
    """A function that says what is wrong with a text, `None` if nothing is."""

    def check(text: str) -> str | None:
        try:
            value = parse(text)
        except ValueError as error:
            return str(error)
        for fault in validator.iter_errors(value):
            where = "".join(f"/{step}" for step in fault.instance_path) or "/"
            return f"{where}: {str(fault).partition(chr(10))[0][:300]}"
        return None

    return check


def parse(text: str) -> Any:
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
