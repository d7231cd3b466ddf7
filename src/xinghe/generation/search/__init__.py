"""Search augmentation: when to search, what for, what the model reads, and what it cites."""

from xinghe.generation.search.augment import Augmented, Searcher, SearchOptions, augment
from xinghe.generation.search.citations import CitationFilter
from xinghe.generation.search.query import Ask

__all__ = [
    "Ask",
    "Augmented",
    "CitationFilter",
    "SearchOptions",
    "Searcher",
    "augment",
]
