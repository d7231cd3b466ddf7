"""Search augmentation: when to search, what for, what the model reads, and what it cites."""

from xinghe.generation.search.augment import Augmented, augment
from xinghe.generation.search.citations import CitationFilter
from xinghe.generation.search.options import SearchOptions
from xinghe.generation.search.query import Ask
from xinghe.generation.search.stage import CitationStage

__all__ = ["Ask", "Augmented", "CitationFilter", "CitationStage", "SearchOptions", "augment"]
