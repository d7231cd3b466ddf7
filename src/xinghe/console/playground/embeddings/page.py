"""`/console/playground/embeddings`: texts, and how near they are to each other."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import msgspec

from xinghe.api.embeddings.schema import EmbeddingRequest, EmbeddingUsage
from xinghe.console.playground.forms.form import Form, parameters_of
from xinghe.console.playground.forms.pages import Pages
from xinghe.console.playground.forms.running import Run
from xinghe.console.reference.samples import SAMPLES

SHADES = 10


class Vector(msgspec.Struct):
    embedding: list[float]


class Vectors(msgspec.Struct):
    """What the page reads of the API's answer."""

    data: list[Vector]
    usage: EmbeddingUsage


class Cell(msgspec.Struct, frozen=True):
    """How near two texts are: the cosine of their vectors. Its shade is the stronger the nearer
    they are, from the farthest two of all to what is the same.
    """

    cosine: float
    shade: int


FORM = Form(
    name="embeddings",
    path="/embeddings",
    kind="embedding",
    parameters=parameters_of(
        EmbeddingRequest, without={"model", "input", "user", "user_id", "encoding_format"}
    ),
    lines=("input",),
    client=SAMPLES["embeddings"][0].client,
    extra=frozenset({"input_type"}),
)


def shown(run: Run) -> dict[str, Any]:
    answer = msgspec.json.decode(run.answer, type=Vectors)
    vectors = [each.embedding for each in answer.data]
    return {
        "texts": run.body["input"],
        "table": table(vectors),
        "dimensions": len(vectors[0]),
        "usage": answer.usage,
    }


def table(vectors: Sequence[Sequence[float]]) -> list[list[Cell]]:
    """Each beside each."""
    lengths = [math.hypot(*each) or 1.0 for each in vectors]
    ones = [[part / length for part in each] for each, length in zip(vectors, lengths, strict=True)]
    cosines = [[sum(map(operator.mul, one, other)) for other in ones] for one in ones]
    least = min(map(min, cosines))
    span = max(1 - least, 1e-6)
    return [
        [Cell(each, min(SHADES, round((each - least) / span * SHADES))) for each in row]
        for row in cosines
    ]


ROUTES = Pages(FORM, shown).routes()
