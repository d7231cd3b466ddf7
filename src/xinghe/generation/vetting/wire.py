"""What the gateway and a vetting worker say to each other. Schemas travel as JSON text."""

from typing import Literal

import msgspec

from xinghe.generation.tools import Decision


class Form(msgspec.Struct, frozen=True, tag=True):
    """Vet a `response_format`; `schema` `None` for any object."""

    schema: bytes | None
    max_tokens: int


class Functions(msgspec.Struct, frozen=True, tag=True):
    """Vet functions: `tools` is a list of {name, description, parameters, strict}.

    For `native` ones the parameters alone; else the grammar of an answer that may call them.
    """

    tools: bytes
    native: bool
    choice: Literal["auto", "required"]
    only: list[str] | None
    parallel: bool | None
    max_tokens: int


class Finished(msgspec.Struct, frozen=True, tag=True):
    """Validate a finished text; `arguments` are of a function, so an object."""

    schema: bytes
    text: str
    arguments: bool


class Walk(msgspec.Struct, frozen=True, tag=True):
    """Walk a text through a grammar: `text` begins at byte `start` of the text called `key`.

    `grammar` is empty where the worker should know it.
    """

    key: str
    start: int
    text: bytes
    grammar: str


class Wanted(msgspec.Struct, frozen=True):
    """One call."""

    work: Form | Functions | Finished | Walk


class Formed(msgspec.Struct, frozen=True, tag=True):
    """The grammar of a form, how the model is told of it, and whether that says all."""

    grammar: str
    hint: str
    exact: bool = True


class Planned(msgspec.Struct, frozen=True, tag=True):
    """Functions are vetted; `decision` is `None` where the engine calls by itself."""

    decision: Decision | None


class Refused(msgspec.Struct, frozen=True, tag=True):
    """No answer can be promised; see `Unguaranteed`. `kind` is the exception, for the log."""

    keyword: str
    path: str
    reason: str
    kind: str = ""


class Validated(msgspec.Struct, frozen=True, tag=True):
    """What is wrong with a finished text, `None` if nothing is."""

    fault: str | None


class Walked(msgspec.Struct, frozen=True, tag=True):
    """The worker knows so many bytes of the text; -1 where it does not know the grammar.

    `kept` is false where the text leaves the grammar.
    """

    known: int
    kept: bool


class Verdict(msgspec.Struct, frozen=True):
    """The reply to one call."""

    found: Formed | Planned | Refused | Validated | Walked
