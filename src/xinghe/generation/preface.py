"""What the platform itself says at the beginning of an answer, so that nobody is misled by it."""

import msgspec

from xinghe.core import Delta, TextDelta

NO_SOURCES = {
    True: "(没有搜索到可用的资料。以下来自模型自身的知识,未经核实。)\n\n",
    False: "(The search brought nothing: this is the model's own knowledge, unverified.)\n\n",
}
"""Where a search was made, by whether the question is in Chinese."""


class Preface(msgspec.Struct):
    """A processor that puts `text` before the text of an answer, at nobody's cost.

    An answer without any text, such as one that calls tools, has none.
    """

    text: str

    def __call__(self, deltas: list[Delta]) -> list[Delta]:
        if not self.text:
            return deltas
        for at, delta in enumerate(deltas):
            if isinstance(delta, TextDelta) and delta.text:
                before, self.text = TextDelta(self.text, 0), ""
                return [*deltas[:at], before, *deltas[at:]]
        return deltas
