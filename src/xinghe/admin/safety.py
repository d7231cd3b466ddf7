"""What moderation says of a text: tried by who sets it up, kept nowhere."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.admin.operation import Call
from xinghe.admin.shapes import Body
from xinghe.safety import Place

LONGEST = 20_000
"""Characters of a text that is tried."""
PLACES: tuple[Place, ...] = ("user", "answer")


class SafetyFinding(msgspec.Struct):
    """The most severe finding of a text at a `place`: what a user says, or a model. `flag` is 1 to
    4, as in section 4.1.3, and null where nothing is found; `category` is one of the lexicon, or
    `operator/` and the name of a list.
    """

    place: Place
    flag: int | None
    category: str | None


class SafetyChecked(msgspec.Struct, kw_only=True):
    """One finding for each place."""

    object: Literal["safety.check"] = "safety.check"
    findings: list[SafetyFinding]


class TextToCheck(Body):
    """By the lexicon and the lists that are in force, and the moderation model where one is set."""

    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=LONGEST,
            extra={"allowed": f"1 to {LONGEST:,} characters"},
        ),
    ]


async def check(call: Call[TextToCheck]) -> SafetyChecked:
    found = await call.services.moderator.review([(call.given.text, each) for each in PLACES])
    return SafetyChecked(
        findings=[
            SafetyFinding(place, None, None)
            if verdict is None
            else SafetyFinding(place, verdict.flag, verdict.category)
            for place, verdict in zip(PLACES, found, strict=True)
        ]
    )
