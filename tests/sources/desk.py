"""An operator at his desk, in this process: what he is told, and what he chooses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.weights.kit import Notes
from xinghe.catalog import built, merged
from xinghe.configuration.merging import patched
from xinghe.settings import Embedded, Settings, Weights
from xinghe.sources import Desk, Options, Use, Using, parse_all

TEMPLATE = (
    "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"
    "{% if add_generation_prompt %}{% endif %}"
)
"""Of a tiny model."""


class Operator:
    """Uses sources on settings of his own; `tree` is what he has had applied."""

    def __init__(self, folder: Path, hub: str = "", context: int = 2048) -> None:
        self.settings = Settings(
            data=str(folder / "data"),
            embedded=Embedded(slots=1, context=context, threads=1),
            weights=Weights(cache=str(folder / "cache"), modelscope=hub, huggingface=hub),
        )
        self.tree: dict[str, Any] = {}
        self.told: list[str] = []
        self.offered: list[str] = []
        self.chooses = ""
        self.key = ""

    async def use(self, model: str, *sources: str, **options: Any) -> Use:
        """Have it applied, if it is not refused."""
        desk = Desk(
            settings=self.settings,
            built=lambda tree: built(merged(tree), self.settings),
            say=self.told.append,
            choose=self._choose,
            ask_key=lambda _: self.key,
            progress=Notes(),
        )
        before = str(self.tree)
        try:
            found = await Using(
                desk, self.tree, {}, model, parse_all(sources), Options(**options)
            ).use()
        finally:
            assert str(self.tree) == before, "nothing is changed before all is well"
        self.tree = patched(self.tree, found.patch)
        return found

    def deployment(self, model: str) -> dict[str, Any]:
        """The table of what serves a model."""
        name = self.tree["models"][model]["deployment"]
        table: dict[str, Any] = self.tree["deployments"][name]
        return table

    def _choose(self, names: Sequence[str]) -> str:
        self.offered = list(names)
        return self.chooses
