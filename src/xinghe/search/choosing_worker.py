"""The worker that reads through what a search has found: `python -m xinghe.search.choosing_worker`.

Thirty long documents take more than a second, in which a thread would hold up everybody's streams.
"""

from importlib import import_module

from xinghe.search.choose import ChooseRequest, Measure, Reference, choose
from xinghe.workers import serve


def _choose(asked: ChooseRequest) -> list[Reference]:
    module, name = asked.measure
    measure: Measure = getattr(import_module(module), name)
    return choose(asked.query, asked.found, asked.references, asked.budget, measure)


if __name__ == "__main__":
    serve(_choose, ChooseRequest)
