"""Search augmentation: when to search, what for, what the model reads, and what it cites."""

from xinghe.generation.search.augment import Augmented, Searcher, SearchOptions, augment
from xinghe.generation.search.citations import CitationFilter
from xinghe.generation.search.query import planned_query
