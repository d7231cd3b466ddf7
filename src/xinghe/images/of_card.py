"""What the card of an image model says of its images, and what an engine makes of that."""

from collections.abc import Mapping

from xinghe.catalog import DOCUMENTED_PARAMETERS, SAME, ModelCard
from xinghe.images.protocol import DEFAULT_SIZE, SIZES, ImageEngine


def sizes_of(card: ModelCard) -> Mapping[str, tuple[int, int]]:
    """Width and height in pixels of all that a model draws, by the names of section 4.2.2."""
    if not card.sizes:
        return SIZES
    pairs = [name.split("x") for name in card.sizes]
    return {f"{wide}x{high}": (int(wide), int(high)) for wide, high in pairs}


def default_size(card: ModelCard) -> str:
    """What is drawn where nobody says a size."""
    sizes = sizes_of(card)
    return DEFAULT_SIZE if DEFAULT_SIZE in sizes else next(iter(sizes))


def abilities_for(card: ModelCard, engine: ImageEngine) -> dict[str, str]:
    """What an engine does otherwise, by the names that the model's parameters have."""
    told = dict(engine.abilities)
    for name, same in SAME.items():
        if same in told:
            told.setdefault(name, told[same])
    not_its_own = (DOCUMENTED_PARAMETERS | SAME.keys() | {"use_pe"}) - card.parameters
    return {name: what for name, what in told.items() if name not in not_its_own}
