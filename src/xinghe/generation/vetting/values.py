"""What has been vetted, as generation uses it: how to hold an answer, and how to check it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from xinghe.core import Constraint, ToolUse
from xinghe.generation.tools import Decision, offered
from xinghe.generation.vetting.size import text_of


class Validates(Protocol):
    """Validates finished texts; `Vetting` is one."""

    async def validate(
        self, schema: bytes, text: str, account: str, *, arguments: bool
    ) -> str | None:
        """What is wrong, `None` if nothing is. Raises `Unverified`."""
        ...


class VettedForm(msgspec.Struct, frozen=True):
    """What an answer must look like.

    `constraint` is what the engine keeps to while it generates, `hint` tells the model in words.
    """

    constraint: Constraint
    hint: str
    schema: bytes
    account: str
    validates: Validates

    async def check(self, text: str) -> str | None:
        """What is wrong with a finished text, `None` if nothing is. Raises `Unverified`."""
        return await self.validates.validate(self.schema, text, self.account, arguments=False)


class VettedTools(msgspec.Struct, frozen=True):
    """The functions of a request; `decision` is `None` where the engine calls by itself."""

    use: ToolUse
    decision: Decision | None
    account: str
    validates: Validates

    async def check(self, name: str, arguments: str) -> str | None:
        """What is wrong with a call, `None` if nothing is. Raises `Unverified`.

        A function that the request does not offer (or did not demand), arguments that are not
        strict JSON, no object, or against the function's schema.
        """
        tool = offered(self.use, name)
        if tool is None:
            return f"there is no function {name!r} to call"
        schema = text_of(tool.parameters)
        fault = await self.validates.validate(schema, arguments, self.account, arguments=True)
        return fault and f"the arguments of {name!r} cannot be taken: {fault}"
