"""Search augmentation: when to search, what for, what the model reads, and what it cites."""

from xinghe.generation.search.augment import (
    Augmented,
    Searcher,
    SearchOptions,
    augment,
    planned_query,
)
from xinghe.generation.search.citations import WRITTEN, CitationFilter
